#ifndef FLOW_AGENT_LIVE_H
#define FLOW_AGENT_LIVE_H

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct step_kind;
struct verdict;

/*
 * The step `live' of a job with live_check = yes: does an agent with this
 * model, prompt, blocks and tools answer on the target, and call a tool?  It
 * asks a copy that is made for this one turn and removed, since a turn changes
 * the agent that takes it.  The tool is one that only reads the copy's own,
 * empty, history (conversation_search).
 *
 * What came of it is kept in the journal; agent_live_add makes it the check
 * "live chat", NOT_COMPARED where there was none.
 */
extern const struct step_kind agent_live_kind;

int agent_live_add(const struct conf_agent *, struct journal *,
    struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_LIVE_H */
