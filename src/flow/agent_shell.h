#ifndef FLOW_AGENT_SHELL_H
#define FLOW_AGENT_SHELL_H

#include <stdbool.h>

#include "base/attr.h"

struct af_shell;
struct agent_raw_counts;
struct buf;
struct conf_agent;
struct err;
struct jdoc;
struct journal;
struct letta_agent;
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

/* The same of a state that somebody has got already. */
int agent_state_keep(const struct server *, const struct letta_agent *state,
    const struct conf_agent *, const char *side, struct journal *,
    char **type, struct err *) MUST_CHECK;

/*
 * GET the export, which is bounded: it holds only some messages.  That of a
 * server before 0.16 is turned into the file of today (core/legacy.h).  Of a
 * source its rows take the place of the listed ones, which have been staged
 * before; of a target they are only looked up (flow/agent_raw.h).
 */
int agent_shell_fetch(struct server *, const char *id,
    const struct conf_agent *, const char *side, struct journal *,
    struct agent_raw_counts *, struct err *) MUST_CHECK;

/*
 * The shell of an export as it came (core/export.h), which the caller frees;
 * *legacy: it was of version 1.
 */
int agent_shell_of(const struct buf *answer, struct jdoc **out, bool *legacy,
    struct err *) MUST_CHECK;

/*
 * The source's shell as the journal has it; left as it is, and that is a
 * success, when it has none.  The caller clears it (af_shell_clear).
 */
int agent_shell_load(struct journal *, const struct conf_agent *,
    struct af_shell *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_SHELL_H */
