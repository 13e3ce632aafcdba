#ifndef FLOW_AGENT_MARKED_H
#define FLOW_AGENT_MARKED_H

#include <stddef.h>

#include "base/attr.h"
#include "core/letta.h"

struct err;
struct server;

/*
 * The agents on a target that have this run's temporary name and its mark in
 * their metadata (core/af_mark.h).  There is one while an agent is on its
 * way, none after it was promoted, and more only when a server finished an
 * import that we had given up waiting for.  One of that name without the mark
 * is somebody else's: it is counted, and left alone.
 */
#define AGENT_MARKED_MAX 16

struct agent_marked {
	size_t n;
	size_t foreign;		/* of the name, without the mark */
	char ids[AGENT_MARKED_MAX][LETTA_ID_SIZE];
};

/* mark NULL: the name alone tells, for what is made without a mark. */
int agent_marked_find(struct server *, const char *name, const char *mark,
    struct agent_marked *, struct err *) MUST_CHECK;

/*
 * Remove them, who were found by this name, with their blocks, and with the
 * archives that are named after it; but for the one with the id keep (NULL:
 * none is kept).
 */
int agent_marked_remove(struct server *, const struct agent_marked *,
    const char *name, const char *keep, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_MARKED_H */
