#ifndef FLOW_WORKER_TREES_H
#define FLOW_WORKER_TREES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "io/tree.h"

struct conf_worker;
struct err;
struct host;
struct manifest_totals;
struct run;

/*
 * A worker's trees from the source into staging: both sides are listed, what
 * differs is sent, and both listings are compared again.
 */

/* What of a worker's directory is listed. */
void worker_trees_rules(struct tree_rules *, const struct conf_worker *,
    bool hash);

/* What was sent, all passes together. */
struct worker_trees_sent {
	struct tree_stats sum;
	uint64_t passes;
	uint64_t left_moving;		/* entries that were not the same on
					 * both sides in the end */
	uint64_t left_xattrs;		/* as in struct manifest_totals */
	char left_example[200];
};

/*
 * Make staging (which is there) what the source is.  The first time nothing
 * is there yet: files are sent as they are met, each proven by the SHA-256 of
 * its stream, and only then listed (what was changed within the hour by hash,
 * too: times alone may not tell its changes).  Later, after a kill or a while,
 * both sides are listed by hash and the rest is sent.  A source that changed
 * meanwhile is listed again, at most three times.  Then it is ERR_STALE; or,
 * with live, since a worker that runs may write without pause, what moves is
 * left for a later call, and counted.
 */
int worker_trees_send(struct run *, const struct conf_worker *,
    struct host *from, struct host *to, const char *staging,
    bool live, struct worker_trees_sent *, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_TREES_H */
