#ifndef IO_FS_H
#define IO_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Files of this machine, one at a time.  Everything that replaces a file does
 * it whole: the new bytes go to a temporary name in the same directory, made
 * with its final mode and owner before the first byte, are fsync'd, renamed
 * over the old name, and the directory is fsync'd.  A reader, or a power cut,
 * meets the old file or the new one.
 *
 * Failures: ERR_MISSING when the path (or its directory) is not there,
 * ERR_FAILED with errno's text otherwise; a full disk says the filesystem and
 * leaves no temporary file.  A temporary file that a power cut left behind is
 * called FS_TEMP_PREFIX and 16 hexadecimal digits.
 */

#define FS_TEMP_PREFIX ".sanctumctl-"
#define FS_TEMP_SIZE (sizeof(FS_TEMP_PREFIX) + 16)
#define FS_DEPTH_MAX 256	/* directories in each other, for fs_remove */

enum fs_type {
	FS_NONE,	/* nothing there */
	FS_FILE,
	FS_DIR,
	FS_SYMLINK,
	FS_OTHER	/* device, socket, FIFO */
};

struct fs_meta {
	enum fs_type type;
	mode_t mode;		/* permission bits only, 07777 at most */
	uid_t uid;
	gid_t gid;
	uint64_t size_bytes;
	int64_t mtime_ns;	/* since 1970 */
};

/* lstat(2).  FS_NONE is a success. */
int fs_stat(const char *path, struct fs_meta *, struct err *) MUST_CHECK;

/*
 * The bytes of a regular file, appended to out, which bounds them.  A symlink
 * is followed.  meta may be NULL.  ERR_DATA when it is not a regular file or
 * does not fit; out is as it was then.
 */
int fs_read(const char *path, struct buf *out, struct fs_meta *meta,
    struct err *) MUST_CHECK;

/* The same; of one that is not there nothing is read, and that is a success. */
int fs_read_if(const char *path, struct buf *out, struct err *) MUST_CHECK;

/*
 * Make or replace a file.  meta->mode, uid and gid are what it gets; uid or
 * gid (uid_t)-1 leaves that to the system.  A symlink at path is replaced,
 * not followed.
 */
int fs_replace(const char *path, const void *data, size_t len,
    const struct fs_meta *meta, struct err *) MUST_CHECK;

/*
 * mkdir -p with exactly mode for those it makes, owned by whoever runs us.
 * An existing directory, or a symlink to one, is left as it is.
 */
int fs_mkdirs(const char *path, mode_t mode, struct err *) MUST_CHECK;

/*
 * Remove a file or a whole tree without following a symlink or leaving the
 * filesystem (something mounted below is an error).  A directory of ours that
 * lacks a permission is given it first.  Nothing there is a success.  What
 * was removed before a failure stays removed.  Directories more than
 * FS_DEPTH_MAX deep are an error.
 */
int fs_remove(const char *path, struct err *) MUST_CHECK;

/*
 * Rename and fsync both directories.  With exchange both names must exist and
 * swap in one instant (renameat2 RENAME_EXCHANGE); without, to must not exist
 * (RENAME_NOREPLACE).
 */
int fs_rename(const char *from, const char *to, int exchange, struct err *)
    MUST_CHECK;

/*
 * Bytes that can still be written on the filesystem of path, which exists.
 * The reserve that ext4 keeps for root is not counted, for root neither.
 */
int fs_free_bytes(const char *path, uint64_t *out, struct err *) MUST_CHECK;

/*
 * Call each with the name of every entry of a directory but "." and "..", in
 * no order.  What each removes may or may not be told of after.
 */
int fs_list(const char *path, void (*each)(void *ctx, const char *name),
    void *ctx, struct err *) MUST_CHECK;

/*
 * Remove what a killed process has left in a directory: every entry whose name
 * is_rest says so of.  One that cannot be removed stays, without a word.
 */
int fs_sweep(const char *dir,
    bool (*is_rest)(const void *ctx, const char *name), const void *ctx,
    struct err *) MUST_CHECK;

/* For that: name is start, a text, and the id of a process that is no more. */
bool fs_is_orphan(const void *start, const char *name);

/* fsync of a directory, so that a rename in it is kept. */
int fs_sync_dir(const char *path, struct err *) MUST_CHECK;

/* A name for a temporary file: 64 random bits behind FS_TEMP_PREFIX. */
int fs_temp_name(char name[static FS_TEMP_SIZE], struct err *) MUST_CHECK;

/*
 * Fill err from errno: "PATH: WHAT: cause", the cause kept whole however long
 * path is.  ENOENT and ENOTDIR are ERR_MISSING; a full disk or quota says so
 * and names where the filesystem is mounted.  Returns -1.
 */
int fs_fail(struct err *, const char *what, const char *path);

/*
 * openat(2) for a path of one or more components that must lead neither out
 * of dir nor through a symlink, the last component included, whatever others
 * rename meanwhile: openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS,
 * and a walk with O_NOFOLLOW where the kernel or a seccomp filter does not
 * have it.  "" is dir itself.  O_CLOEXEC is added.  ".." is refused.
 *
 * A descriptor, or -1 with errno: ELOOP or ENOTDIR for a symlink on the way,
 * EXDEV for a way out.
 */
int fs_beneath_open(int dir, const char *path, int flags, mode_t mode);

#endif /* !IO_FS_H */
