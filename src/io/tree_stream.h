#ifndef IO_TREE_STREAM_H
#define IO_TREE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "io/tree.h"

struct hash;

/*
 * The stream between tree_pack and tree_unpack, and what the files behind
 * io/tree.h share.  Only tree_*.c include this.
 *
 * Numbers are little-endian.
 *
 *     stream  = magic entry* end
 *     magic   = "SCTREE\r\n" u32 version (1)
 *     entry   = header path body
 *     header  = u8 type, u8 0, u16 path length, u32 mode, i64 mtime_ns,
 *               u64 size                              (24 bytes)
 *     end     = header: type 'E', size: entries before it, all else 0
 *
 *     type 'd'  directory: size 0, no body
 *     type 'l'  symlink: body is its target, size bytes of it
 *     type 'f'  file: body is chunk* u32 0, SHA-256 of the content (32 bytes)
 *     chunk     u32 length (1 to TREE_CHUNK_MAX), as many bytes; the
 *               lengths add up to size
 *
 * mode has permission bits only (0777).  mtime_ns counts from 1970 and may be
 * negative.  A path is "" for root (which is a directory), else names joined
 * by "/": see tree_path_valid.  The "\r\n" of the magic shows a channel that
 * translates line ends.  There is nothing behind the end.
 */
#define TREE_MAGIC "SCTREE\r\n"
#define TREE_MAGIC_SIZE 8
#define TREE_VERSION 1
#define TREE_START_SIZE (TREE_MAGIC_SIZE + 4)
#define TREE_HEADER_SIZE 24
#define TREE_CHUNK_MAX (64 * 1024)

struct tree_header {
	char type;
	size_t path_len;
	uint32_t mode;
	int64_t mtime_ns;
	uint64_t size;
};

/* Little-endian numbers of width bytes (at most 8). */
void tree_path_put(unsigned char *at, uint64_t value, size_t width);
uint64_t tree_path_get(const unsigned char *at, size_t width);

/*
 * Whether path may be joined to a root: names of 1 to 255 bytes, none of them
 * "." or "..", joined by one "/", at most TREE_DEPTH_MAX of them, shorter
 * than TREE_PATH_MAX.  "" is root.  len counts no NUL; one inside is refused.
 */
bool tree_path_valid(const char *path, size_t len);

/*
 * Whether the symlink at path (valid) points to something below root, judged
 * by its text: relative, first as many ".." as there are directories above it
 * or fewer, then no ".." any more.  Then no chain of such links leads out,
 * whatever each of them stands for.
 */
bool tree_path_link_inside(const char *path, const char *target);

/* path with its last name in *name; dir gets what is before it, "" if none. */
void tree_path_split(const char *path, char *dir, size_t dir_size,
    const char **name);

/* Prepend "ROOT/PATH: ", fit for a terminal.  Returns -1. */
int tree_path_ctx(struct err *, const char *root, const char *path);

/* As fs_fail for root/path: a full disk names its filesystem.  Returns -1. */
int tree_path_fail(struct err *, const char *what, const char *root,
    const char *path);

/* Why a thing of this st_mode is in no tree: "socket"; NULL when it may. */
const char *tree_path_special(unsigned int mode);

/*
 * The target of the symlink name in directory dir, checked with
 * tree_path_link_inside.  Fails with ERR_DATA (names the target), else
 * errno's; without the path, which the caller adds.
 */
int tree_path_readlink(int dir, const char *name, const char *path,
    char *target, size_t size, struct err *) MUST_CHECK;

/*
 * The disk side of tree_unpack: makes the entry whose path and header its
 * user has filled in, below root and through no symlink.  Paths were seen to
 * be valid.
 *
 *     tree_build_open(&b, root, uid, gid, err)
 *     b.path, b.header = ...
 *     tree_build_dir(&b, err), or tree_build_link(&b, target, err), or
 *     tree_build_begin(&b, err), tree_build_write(...) ..., tree_build_end
 *     tree_build_settle(&b, err)
 *     tree_build_close(&b)            (in any case, after a failed open, too)
 */
struct tree_build_late;

struct tree_build {
	char *root;
	int root_fd;
	uid_t uid;
	gid_t gid;
	uint64_t bytes;			/* of files, written so far */
	struct tree_header header;	/* of the current entry */
	char path[TREE_PATH_MAX];

	/* For tree_build.c alone. */
	struct hash *hash;
	struct tree_build_late *dirs;
	size_t n_dirs, cap_dirs;
	int dir_fd;		/* the directory of the current file, or -1 */
	const char *name;	/* its last name, in path */
	int fd;			/* the current file, or -1 */
};

int tree_build_open(struct tree_build *, const char *root, uid_t uid,
    gid_t gid, struct err *) MUST_CHECK;
void tree_build_close(struct tree_build *);

/* Made 0700, or kept, until tree_build_settle gives it mode and time. */
int tree_build_dir(struct tree_build *, struct err *) MUST_CHECK;
/* target is of header.size bytes unless a NUL is in it: ERR_DATA. */
int tree_build_link(struct tree_build *, const char *target, struct err *)
    MUST_CHECK;

/* A new file of 0600; its bytes; digest compared, mode and time set. */
int tree_build_begin(struct tree_build *, struct err *) MUST_CHECK;
int tree_build_write(struct tree_build *, const unsigned char *data,
    size_t len, struct err *) MUST_CHECK;
int tree_build_end(struct tree_build *, const unsigned char *digest,
    struct err *) MUST_CHECK;
/* Forget the current file, if any; remove it unless it is whole. */
void tree_build_drop(struct tree_build *, bool whole);

/* Modes and times of directories, the deepest first; then syncfs(2). */
int tree_build_settle(struct tree_build *, struct err *) MUST_CHECK;

/* ERR_DATA with why, at the current path.  Returns -1. */
int tree_build_refuse(const struct tree_build *, const char *why,
    struct err *);

#endif /* !IO_TREE_STREAM_H */
