#ifndef FLOW_AGENT_LIVE_H
#define FLOW_AGENT_LIVE_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct step_kind;
struct verdict;

/*
 * The step `live' of a job with live_check = yes: does an agent with this
 * model, prompt and blocks answer on the target, and call a tool?  It asks a
 * copy that is made for this one turn and removed, since a turn changes the
 * agent that takes it.  The copy has one tool, which only reads its own, empty,
 * history (conversation_search): any other could act on the world.
 *
 * What came of it is kept in the journal; agent_live_add makes it the check
 * "live chat": DIFFERENT when it failed, NOT_COMPARED where there was none, or
 * where it was not just_now.
 */
extern const struct step_kind agent_live_kind;

int agent_live_add(const struct conf_agent *, struct journal *,
    bool just_now, struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_LIVE_H */
