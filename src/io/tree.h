#ifndef IO_TREE_H
#define IO_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct err;

/*
 * Trees of this machine: list one, send part of one as a stream, build one
 * from a stream.  The walk holds a descriptor of each directory on its way
 * and opens below it with O_NOFOLLOW (openat2 RESOLVE_BENEATH where the kernel
 * has it), so a name or a symlink swapped meanwhile cannot lead outside root.
 */

#define TREE_HASH_SIZE 32	/* SHA-256 */
#define TREE_PATH_MAX 4096	/* bytes of a path below root, NUL included */
#define TREE_DEPTH_MAX 128	/* names in a path below root */

/* One entry of a manifest. */
struct tree_entry {
	const char *path;	/* below root, "a/b"; "" is root itself */
	char type;		/* 'f' file, 'd' directory, 'l' symlink */
	mode_t mode;		/* 0777 at most: setuid, setgid, sticky drop */
	uint64_t size_bytes;	/* of a file */
	int64_t mtime_ns;
	const char *link;	/* target text of a symlink, else NULL */
	bool hashed;		/* false, too, when it changed in three reads */
	unsigned char hash[TREE_HASH_SIZE];	/* of a file's bytes */
};

/* Which entries a walk passes over. */
struct tree_rules {
	/*
	 * fnmatch(3) patterns, NULL-ended, anchored as in gitignore(5).  One
	 * with a "/" in it is matched against the whole path below root
	 * (FNM_PATHNAME; a "/" in front only anchors), one without against
	 * the last part.  A directory that matches is not entered.
	 */
	const char *const *exclude;
	/*
	 * Names of the directories right below root that are entered and
	 * listed; files and links there always are.  NULL or empty: all.
	 */
	const char *const *top;
	bool hash;		/* fill tree_entry.hash */
};

/*
 * Call each for root and everything below, a directory before what is in it,
 * names of one directory sorted by bytes.  A failure of each ends the walk.
 *
 * Fails with ERR_DATA, naming the path, for what a tree must not hold: a
 * symlink that is absolute or leads out of root (a ".." behind another name
 * counts as such: where it leads hangs on what that name is), a device,
 * socket or FIFO, a path over TREE_PATH_MAX or TREE_DEPTH_MAX.  What is
 * excluded is not looked at.  ERR_MISSING: no such root.  ERR_STALE: a
 * directory became something else meanwhile.  A name that vanishes meanwhile
 * is passed over.  Filesystems mounted below root are walked, too.
 */
int tree_walk(const char *root, const struct tree_rules *,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/* Takes the stream as it is made. */
typedef int tree_sink(void *ctx, const void *data, size_t len, struct err *);

/*
 * Send the named entries of root (paths as tree_walk gave them, parents
 * before children) in the format that tree_unpack reads; io/tree_stream.h
 * describes it.  A file that vanished since, or whose size or time changes
 * while it is read, is ERR_STALE and names the path; so is a directory on the
 * way that became a symlink.  After a failure the stream has no end record,
 * and tree_unpack_finish refuses it.
 */
int tree_pack(const char *root, const char *const *paths, size_t n_paths,
    tree_sink *sink, void *ctx, struct err *) MUST_CHECK;

/*
 * Build from a stream that arrives in pieces.  root is made when it is not
 * there and gets the mode of the stream's "" entry; files are written to
 * their place (root is a staging directory that nobody reads yet), with mode
 * and mtime; the owner is uid and gid, (uid_t)-1 for whoever runs us.  Every
 * file's SHA-256 is checked against the stream's.  An existing file or link
 * of the name is replaced, an existing directory kept (a file takes the place
 * of an empty one).  Modes and times of directories are set by
 * tree_unpack_finish.  The directory that root is in must exist.
 *
 * The stream is not trusted: a path or link that leads out of root, a path
 * whose directory is not there or is a symlink, a length over its bound are
 * errors, and nothing outside root is touched.  A file is 0600 until its
 * digest was seen to be right.
 *
 *     tree_unpack_open(root, uid, gid, &u, err)
 *     tree_unpack_write(u, data, len, err)        (pieces of any size)
 *     tree_unpack_finish(u, &stats, err)
 *     tree_unpack_free(u);        (in any case; a half-written file goes)
 *
 * Fails with ERR_DATA for what the stream says, ERR_FAILED for what this
 * machine cannot (a full disk names the path and the filesystem).
 */
struct tree_unpack;

struct tree_stats {
	uint64_t entries;
	uint64_t bytes;		/* of files */
};

int tree_unpack_open(const char *root, uid_t uid, gid_t gid,
    struct tree_unpack **out, struct err *) MUST_CHECK;
int tree_unpack_write(struct tree_unpack *, const void *data, size_t len,
    struct err *) MUST_CHECK;
/*
 * The stream has ended: fails with ERR_DATA when it was cut short; syncs the
 * filesystem (syncfs) before it returns.
 */
int tree_unpack_finish(struct tree_unpack *, struct tree_stats *,
    struct err *) MUST_CHECK;
void tree_unpack_free(struct tree_unpack *);

#endif /* !IO_TREE_H */
