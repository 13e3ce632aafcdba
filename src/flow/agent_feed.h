#ifndef FLOW_AGENT_FEED_H
#define FLOW_AGENT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct journal;

/*
 * The staged rows of a scope in order, pulled one by one, so that one row is
 * in memory at a time.
 *
 * merge is for a source: its rows come as an agent file takes them, with the
 * reasoning and the reply of one turn put together (turn_merge).  The rows of
 * a target come as they are: an import drops the step ids by which turns are
 * told apart, so merging there could join what belongs to two.
 */
struct agent_feed;

int agent_feed_open(struct journal *, const char *scope, bool merge,
    struct agent_feed **out, struct err *) MUST_CHECK;
void agent_feed_close(struct agent_feed *);

/*
 * The next row: 1, 0 after the last, -1.  id and body live until the next
 * call.  Its type is that of `next' in struct af_source; feed is the
 * struct agent_feed.
 */
int agent_feed_next(void *feed, const char **id, const char **body,
    size_t *len, struct err *) MUST_CHECK;

/* Pairs put together so far. */
uint64_t agent_feed_collapsed(const struct agent_feed *);

/* How many rows a feed of this scope gives. */
int agent_feed_count(struct journal *, const char *scope, bool merge,
    uint64_t *rows, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_FEED_H */
