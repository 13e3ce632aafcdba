#ifndef IO_TREE_STREAM_H
#define IO_TREE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/tree.h"

struct hash;
struct stat;

/*
 * The stream between tree_pack and tree_unpack, and what the files behind
 * io/tree.h share.  Only tree_*.c include this.
 *
 * Numbers are little-endian.
 *
 *     stream  = magic entry* end
 *     magic   = "SCTREE\r\n" u32 version (2)
 *     entry   = header path xattrs body
 *     header  = u8 type, u8 0, u16 path length, u32 mode, i64 mtime_ns,
 *               u64 size, u32 uid, u32 gid, u32 length of xattrs, u32 0
 *                                                     (40 bytes)
 *     xattrs  = { u8 length, name, u32 length, value }*    (type 'd', 'f')
 *     end     = header: type 'E', size: entries before it, all else 0
 *
 *     type 'd'  directory: size 0, no body
 *     type 'l'  symlink: body is its target, size bytes of it
 *     type 'h'  hard link: body is the path of its file, size bytes of it
 *     type 'f'  file: body is chunk* u32 0, SHA-256 of the content (32 bytes)
 *     chunk     u32 length (1 to TREE_CHUNK_MAX), as many bytes; or
 *               u32 TREE_HOLE, u64 length of a hole; the lengths add up to
 *               size
 *
 * mode is 07777 at most; who builds decides what of it is kept.  mtime_ns
 * counts from 1970 and may be negative.  A path is "" for root (which is a
 * directory), else names joined by "/": see tree_path_valid.  The "\r\n" of
 * the magic shows a channel that translates line ends.  There is nothing
 * behind the end.
 */
#define TREE_MAGIC "SCTREE\r\n"
#define TREE_MAGIC_SIZE 8
#define TREE_VERSION 2
#define TREE_START_SIZE (TREE_MAGIC_SIZE + 4)
#define TREE_HEADER_SIZE 40
#define TREE_CHUNK_MAX (64 * 1024)
#define TREE_HOLE UINT32_MAX

struct tree_header {
	char type;
	size_t path_len;
	uint32_t mode;
	int64_t mtime_ns;
	uint64_t size;
	uint32_t uid, gid;
	uint32_t xattrs_len;
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
 * Extended attributes of an open file or directory, as they stand in a
 * stream, sorted by name: those with user.*, and with the others that can be
 * carried when others.  left, when not NULL, gets the names of the rest.
 * A filesystem without any has none.  Fails with errno's cause, or ERR_DATA
 * over TREE_XATTRS_MAX; without the path, which the caller adds.
 */
int tree_xattr_read(int fd, bool others, struct buf *out, struct buf *left,
    struct err *) MUST_CHECK;

/* Their digest as in struct tree_entry; all 0 for none. */
int tree_xattr_sum(struct hash *, const struct buf *block,
    unsigned char sum[static TREE_XATTRS_SUM], struct err *) MUST_CHECK;

/*
 * Give fd what the block says: ERR_DATA for one that is malformed or names
 * something else.  What is not user.* and cannot be set is counted in *lost:
 * an access list that names somebody whom owner does not, a capability
 * without owner->setuid.
 */
int tree_xattr_write(int fd, const struct buf *block,
    const struct tree_owner *owner, uint64_t *lost, struct err *) MUST_CHECK;

/*
 * Where the data of a file begins at or behind at, and in *hole where it ends
 * (both at most st_size): between the two nothing is left out.  A file that
 * takes up its whole size is not asked.
 */
off_t tree_data_from(int fd, off_t at, const struct stat *st, off_t *hole);

/* Hash len zeros. */
void tree_hash_hole(struct hash *, uint64_t len);

/*
 * The disk side of tree_unpack: makes the entry whose path and header its
 * user has filled in, below root and through no symlink.  Paths were seen to
 * be valid.
 *
 *     tree_build_open(&b, root, owner, err)
 *     b.path, b.header, b.xattrs = ...
 *     tree_build_dir(&b, err), or tree_build_link(&b, target, err), or
 *     tree_build_hard(&b, path, err), or tree_build_begin(&b, err),
 *     tree_build_write and tree_build_hole ..., tree_build_end
 *     tree_build_settle(&b, err)
 *     tree_build_close(&b)            (in any case, after a failed open, too)
 */
struct tree_build_late;

struct tree_build {
	char *root;
	int root_fd;
	struct tree_owner owner;	/* with lists of its own */
	uint64_t bytes;			/* of files, written so far */
	uint64_t lost_xattrs;
	struct tree_header header;	/* of the current entry */
	char path[TREE_PATH_MAX];
	struct buf xattrs;

	/* For tree_build.c alone. */
	struct hash *hash;
	struct tree_build_late *dirs;
	size_t n_dirs, cap_dirs;
	int dir_fd;		/* the directory of the current file, or -1 */
	const char *name;	/* its last name, in path */
	int fd;			/* the current file, or -1 */
};

int tree_build_open(struct tree_build *, const char *root,
    const struct tree_owner *, struct err *) MUST_CHECK;
void tree_build_close(struct tree_build *);

/* Made 0700, or kept, until tree_build_settle gives it mode and time. */
int tree_build_dir(struct tree_build *, struct err *) MUST_CHECK;
/* target is of header.size bytes unless a NUL is in it: ERR_DATA. */
int tree_build_link(struct tree_build *, const char *target, struct err *)
    MUST_CHECK;

/*
 * Another name of a file that is in root already: ERR_DATA when what path
 * names is not there, is no file, or is behind a symlink.
 */
int tree_build_hard(struct tree_build *, const char *path, struct err *)
    MUST_CHECK;

/* A new file of 0600; its bytes; digest compared, mode and time set. */
int tree_build_begin(struct tree_build *, struct err *) MUST_CHECK;
int tree_build_write(struct tree_build *, const unsigned char *data,
    size_t len, struct err *) MUST_CHECK;
int tree_build_hole(struct tree_build *, uint64_t len, struct err *)
    MUST_CHECK;
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
