#ifndef FLOW_AGENT_FEED_H
#define FLOW_AGENT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/af_row.h"

struct err;
struct journal;

/*
 * The staged rows of a scope in order, pulled one by one, so that one row is
 * in memory at a time, parsed once for whoever takes it.
 *
 * With rules it is a source's feed: its rows come as an agent file takes
 * them, the reasoning and the reply of one turn put together (turn_merge),
 * then converted (core/af_row.h), rows of failed runs left out.  Without
 * rules they come as they are, which is for a target: an import drops the
 * step ids by which turns are told apart, so merging there could join what
 * belongs to two.  The file and the comparison pull from the same feed, so
 * they never disagree.
 */
struct agent_feed;

struct agent_feed_source {
	struct journal *journal;
	const char *scope;
	const struct af_rules *rules;	/* copied; NULL: rows as they are */
	bool unparsed;			/* without rules: rows have no doc */

	/*
	 * Called once for each row that is changed or left out, before it is
	 * handed on; merged_id is the row that was put together with it, or
	 * NULL.  May be NULL.  A failure of it fails the pull.
	 */
	int (*changed)(void *ctx, const char *id, const char *merged_id,
	    unsigned int changes, struct err *);
	void *ctx;
};

int agent_feed_open(const struct agent_feed_source *,
    struct agent_feed **out, struct err *) MUST_CHECK;
void agent_feed_close(struct agent_feed *);

/*
 * The next row: 1, 0 after the last, -1.  It belongs to the feed and lives
 * until the next call; its document may be edited, its text (of a row that
 * nothing was done to) stays as it was staged.  Its type is that of
 * `next' in struct af_source; feed is the struct agent_feed.
 */
int agent_feed_next(void *feed, struct af_row *, struct err *) MUST_CHECK;

/* Rows with each change so far, AF_CHANGES of them. */
const uint64_t *agent_feed_changes(const struct agent_feed *);

/*
 * How many rows a feed of this scope gives, and how many of those a listing
 * shows; listed may be NULL.
 */
int agent_feed_count(const struct agent_feed_source *, uint64_t *rows,
    uint64_t *listed, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_FEED_H */
