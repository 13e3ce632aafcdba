#ifndef FLOW_AGENT_TOOLS_H
#define FLOW_AGENT_TOOLS_H

#include "base/attr.h"

struct af_shell;
struct err;
struct journal;
struct server;

/*
 * Custom tools that an agent file brings.  An import never changes one that
 * the target has (override_existing_tools=false), so one of the same name
 * and other source would quietly give the agent another tool than it had.
 */

/*
 * Look at every custom tool of the shell on the target.  Same source, or not
 * there: fine.  Another source: ERR_DATA names the tool and the ways out.
 */
int agent_tools_check(struct server *, const struct af_shell *,
    struct err *) MUST_CHECK;

/*
 * The same, and keep in the journal under key the names that are not there:
 * the import is about to bring them, and agent_tools_remove takes them away.
 */
int agent_tools_note(struct server *, const struct af_shell *,
    struct journal *, const char *key, struct err *) MUST_CHECK;

/*
 * Delete on the target the tools named under key, as far as they still have
 * the source of the shell and no agent has them: one that somebody changed
 * or uses since is theirs.  Gone is a success.
 */
int agent_tools_remove(struct server *, const struct af_shell *,
    struct journal *, const char *key, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_TOOLS_H */
