#ifndef FLOW_MANIFEST_H
#define FLOW_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct host;
struct journal;
struct tree_owner;
struct tree_rules;

/*
 * Two listings of trees in the journal, and what differs between them.  Both
 * are staged there, so memory does not grow with the number of files.
 *
 * A row's id is the path; its body is one line: type, mode, owner ("-" when it
 * is not compared, else UID:GID as they are on the target), size, mtime in
 * nanoseconds, SHA-256 or "-", digest of the extended attributes or "-", and
 * for a link its target.  Directories are listed without size and mtime,
 * which change when a file in them does.
 */

struct manifest_totals {
	uint64_t entries;
	uint64_t files;
	uint64_t bytes;
	uint64_t disk_bytes;	/* less than bytes when files have holes */
	uint64_t left_xattrs;	/* entries with attributes not carried */
	char left_example[200];	/* "PATH: NAME, NAME" of the first */
};

/* Whose ids a listing has; all 0: owners are not compared. */
struct manifest_owners {
	bool compare;
	const struct tree_owner *map;	/* of the source: what they become
					 * on the target; else NULL */
};

/*
 * Walk root on the host and stage it under scope, in place of what the scope
 * held.  A root that is not there is an empty listing when may_miss.
 */
int manifest_stage(struct journal *, const char *scope, struct host *,
    const char *root, const struct tree_rules *, bool may_miss,
    struct manifest_totals *, struct err *) MUST_CHECK;

/* The same, with owners. */
int manifest_stage_owned(struct journal *, const char *scope, struct host *,
    const char *root, const struct tree_rules *,
    const struct manifest_owners *, bool may_miss, struct manifest_totals *,
    struct err *) MUST_CHECK;

/* The same walk, only counted. */
int manifest_count(struct host *, const char *root,
    const struct tree_rules *, struct manifest_totals *, struct err *)
    MUST_CHECK;

enum manifest_change {
	MANIFEST_ADDED,		/* only in the first */
	MANIFEST_REMOVED,	/* only in the second */
	MANIFEST_CHANGED
};

/*
 * Call each for every path at which the listings differ, in the order of a
 * walk.  A failure of each ends it.
 */
int manifest_compare(struct journal *, const char *first_scope,
    const char *second_scope,
    int (*each)(void *ctx, const char *path, enum manifest_change,
    struct err *), void *ctx, struct err *) MUST_CHECK;

/* What a row says, as far as a copy must know. */
struct manifest_row {
	const char *path;
	char type;
	uint64_t size_bytes;
	const char *link;	/* of a link, else NULL */
};

/* As manifest_compare; the row is of the second where MANIFEST_REMOVED. */
int manifest_compare_rows(struct journal *, const char *first_scope,
    const char *second_scope,
    int (*each)(void *ctx, const struct manifest_row *, enum manifest_change,
    struct err *), void *ctx, struct err *) MUST_CHECK;

/* Call each for every directory of a listing, in the order of the walk. */
int manifest_dirs(struct journal *, const char *scope,
    int (*each)(void *ctx, const struct manifest_row *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

#endif /* !FLOW_MANIFEST_H */
