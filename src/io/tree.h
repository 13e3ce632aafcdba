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
#define TREE_XATTRS_MAX (256 * 1024)	/* of one entry, names and values */
#define TREE_XATTRS_SUM 16	/* bytes of their digest */

/*
 * One entry of a manifest.  The second and further names of one file are hard
 * links to the first that the walk came by; they say of the file what the
 * first said.
 */
struct tree_entry {
	const char *path;	/* below root, "a/b"; "" is root itself */
	char type;		/* 'f' file, 'd' directory, 'l' symlink, 'h'
				 * hard link */
	mode_t mode;		/* 0777 at most, unless rules.setuid */
	uid_t uid;
	gid_t gid;
	uint64_t size_bytes;	/* of a file */
	uint64_t disk_bytes;	/* that it takes up: less when it has holes */
	int64_t mtime_ns;
	const char *link;	/* target text of a symlink; path below root of
				 * the file of a hard link; else NULL */
	bool hashed;		/* false, too, when it changed in three reads */
	unsigned char hash[TREE_HASH_SIZE];	/* of a file's bytes */

	/*
	 * With rules.xattrs: of the extended attributes that are always carried
	 * (user.*), all 0 when there are none; and the names of those that
	 * are not, joined by ", ", or NULL.
	 */
	unsigned char xattrs[TREE_XATTRS_SUM];
	const char *left_xattrs;
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
	/*
	 * A directory that holds a file of this name is passed over; NULL:
	 * none.  Root itself is never.
	 */
	const char *pass_over;
	bool hash;		/* fill tree_entry.hash */
	bool xattrs;		/* and what of xattrs it has */
	/*
	 * Without hash: fill it all the same for files that were changed at
	 * this time or later, for time and size alone may not tell their
	 * changes (the clock of a filesystem ticks in milliseconds).  0: none.
	 */
	int64_t hash_since_ns;
	bool setuid;		/* setuid, setgid, sticky and capabilities are
				 * carried: without, they are never told */
};

/*
 * Call each for root and everything below, a directory before what is in it,
 * names of one directory sorted by bytes.  A failure of each ends the walk.
 *
 * Fails with ERR_DATA, naming the path, for what a tree must not hold: a
 * symlink that is absolute or leads out of root (a ".." behind another name
 * counts as such: where it leads hangs on what that name is), a path over
 * TREE_PATH_MAX or TREE_DEPTH_MAX, extended attributes over TREE_XATTRS_MAX;
 * and, when all was walked, for devices, sockets and FIFOs: the message has
 * their number and the first 20.  What is excluded is not looked at.
 * ERR_MISSING: no such root.  ERR_STALE: a directory became something else
 * meanwhile.  A name that vanishes meanwhile is passed over.  Filesystems
 * mounted below root are walked, too.
 */
int tree_walk(const char *root, const struct tree_rules *,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/* Takes the stream as it is made. */
typedef int tree_sink(void *ctx, const void *data, size_t len, struct err *);

/*
 * A path that makes tree_pack send a hard link: the link's path, this, and
 * the path of the file, which was sent before (in this stream or another).
 */
#define TREE_LINK_TO "//"

/*
 * Send the named entries of root (paths as tree_walk gave them, parents
 * before children) in the format that tree_unpack reads; io/tree_stream.h
 * describes it.  Holes of a file are not read and not sent.  Extended
 * attributes are: user.*, security.capability and system.posix_acl_*.  A file
 * that vanished since, or whose size or time changes while it is read, is
 * ERR_STALE and names the path; so is a directory on the way that became a
 * symlink.  After a failure the stream has no end record, and
 * tree_unpack_finish refuses it.
 */
int tree_pack(const char *root, const char *const *paths, size_t n_paths,
    tree_sink *sink, void *ctx, struct err *) MUST_CHECK;

/* What an id of the source is here. */
struct tree_id {
	uint32_t from;
	uint32_t to;
};

#define TREE_IDS_MAX 4096

/* Who owns what is built, and what it may do. */
struct tree_owner {
	uid_t uid;	/* of whom the lists do not name; -1: who runs us */
	gid_t gid;
	const struct tree_id *users, *groups;
	size_t n_users, n_groups;
	bool setuid;	/* keep setuid, setgid, sticky, capabilities */
};

/* What an id of the source becomes. */
uid_t tree_owner_user(const struct tree_owner *, uint32_t from);
gid_t tree_owner_group(const struct tree_owner *, uint32_t from);

/*
 * Build from a stream that arrives in pieces.  root is made when it is not
 * there and gets the mode of the stream's "" entry; files are written to
 * their place (root is a staging directory that nobody reads yet), with mode,
 * owner, extended attributes and mtime, and with the holes of the source.  A
 * user.* attribute that cannot be set is a failure, another is counted.  Every
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
 *     tree_unpack_open(root, &owner, &u, err)     (owner is copied)
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
	uint64_t bytes;		/* of files, without holes */
	uint64_t lost_xattrs;	/* not set, as this filesystem or user cannot */
};

int tree_unpack_open(const char *root, const struct tree_owner *,
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
