#ifndef FLOW_MANIFEST_H
#define FLOW_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct host;
struct journal;
struct tree_rules;

/*
 * Two listings of trees in the journal, and what differs between them.  Both
 * are staged there, so memory does not grow with the number of files.
 *
 * A row's id is the path; its body is one line: type, mode, size, mtime in
 * nanoseconds, SHA-256 or "-", and for a symlink its target.  Directories
 * are listed without size and mtime, which change when a file in them does.
 */

struct manifest_totals {
	uint64_t entries;
	uint64_t files;
	uint64_t bytes;
};

/*
 * Walk root on the host and stage it under scope, in place of what the scope
 * held.  A root that is not there is an empty listing when may_miss.
 */
int manifest_stage(struct journal *, const char *scope, struct host *,
    const char *root, const struct tree_rules *, bool may_miss,
    struct manifest_totals *, struct err *) MUST_CHECK;

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

#endif /* !FLOW_MANIFEST_H */
