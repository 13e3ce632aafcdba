#ifndef FLOW_CENSUS_H
#define FLOW_CENSUS_H

#include <stdint.h>

#include "base/attr.h"

struct err;
struct journal;
struct server;

/*
 * What a server holds besides histories: its agents, blocks, tools, archives
 * and identities, each by its id and a digest of what an operator gave it (a
 * block's value, a tool's source, a name).  Two of them, taken before and
 * after, prove that nothing stayed and nothing was changed.
 *
 *     census_take(server, "before", journal, err)
 *     ...
 *     census_take(server, "after", journal, err)
 *     census_compare(server, journal, "before", "after", say, ctx, err)
 *
 * Staged in the scopes "census/SERVER/WHEN/KIND".  Memory is that of a page.
 */
int census_take(struct server *, const char *when, struct journal *,
    struct err *) MUST_CHECK;

enum census_change {
	CENSUS_NEW,		/* only in the second */
	CENSUS_GONE,		/* only in the first */
	CENSUS_CHANGED		/* in both, and not alike */
};

/*
 * Call each for every thing that differs; kind is "agents", "blocks" and so
 * on.  What it returns but 0 ends the walk with -1.  *counted, when not NULL,
 * is how many things the first has.
 */
int census_compare(const struct server *, struct journal *,
    const char *first, const char *second,
    int (*each)(void *ctx, const char *kind, const char *id,
    enum census_change, struct err *), void *ctx, uint64_t *counted,
    struct err *) MUST_CHECK;

/* Forget what was taken then. */
int census_drop(const struct server *, const char *when, struct journal *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_CENSUS_H */
