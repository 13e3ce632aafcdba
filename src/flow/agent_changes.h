#ifndef FLOW_AGENT_CHANGES_H
#define FLOW_AGENT_CHANGES_H

#include <stdint.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;

/*
 * Which rows were changed on their way into the agent file, and how: a row of
 * the scope "changes/NAME" each, with the id of the source's row and the body
 *
 *     {"changes":["its date moved into 1900-2999"],"with":"message-..."}
 *
 * `with' is the row that was put together with it.  The originals are the
 * staged rows.  A file that is sent again begins the list anew.
 *
 *     agent_changes_begin(&changes, journal, agent, err)
 *     struct agent_feed_source from = { ...
 *         .changed = agent_changes_add, .ctx = &changes };
 *     agent_changes_end(&changes, err)
 */
struct agent_changes {
	struct journal *journal;
	char *scope;
	uint64_t rows;
	uint64_t waiting;	/* rows of the open page */
};

int agent_changes_begin(struct agent_changes *, struct journal *,
    const struct conf_agent *, struct err *) MUST_CHECK;

/* As `changed' of struct agent_feed_source; ctx is the agent_changes. */
int agent_changes_add(void *ctx, const char *id, const char *merged_id,
    unsigned int changes, struct err *) MUST_CHECK;

/* Also after a failure, with rc what has failed: what waits is dropped then. */
int agent_changes_end(struct agent_changes *, int rc, struct err *)
    MUST_CHECK;

#endif /* !FLOW_AGENT_CHANGES_H */
