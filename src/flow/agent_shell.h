#ifndef FLOW_AGENT_SHELL_H
#define FLOW_AGENT_SHELL_H

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct server;

/*
 * What a side says of an agent besides its listings, into the journal: its
 * state (agent_state_key) and its export (agent_shell_key).  Neither brings a
 * secret along: of the state only what is needed is kept, and the values of
 * tool variables are blanked in the export.
 */

/*
 * GET the state.  Kept: the server's version, name, agent_type, message_ids.
 * *type is the agent_type ("" when not said), the caller's to free.
 */
int agent_state_fetch(struct server *, const char *id,
    const struct conf_agent *, const char *side, struct journal *,
    char **type, struct err *) MUST_CHECK;

/*
 * GET the export, which is bounded: it holds only some messages.  That of a
 * server before 0.16 is turned into the file of today (core/legacy.h).
 */
int agent_shell_fetch(struct server *, const char *id,
    const struct conf_agent *, const char *side, struct journal *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_SHELL_H */
