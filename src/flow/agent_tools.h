#ifndef FLOW_AGENT_TOOLS_H
#define FLOW_AGENT_TOOLS_H

#include "base/attr.h"

struct af_shell;
struct buf;
struct conf_agent;
struct err;
struct journal;
struct server;

/*
 * The tools of an agent on its target.  A server knows a tool by its name,
 * for all agents at once.  An import brings what is not there and changes
 * none that is (override_existing_tools=false), so a custom tool of the same
 * name and another source would quietly give the agent another tool than it
 * had.  What is done about one says the job file:
 *
 *     tools = stop       nothing: the job stops before the import
 *     tools = override   the agent's source replaces it, for every agent that
 *                        has it; the old tool is in the journal first, and
 *                        `cancel' puts it back
 *     tools = keep       the agent gets the target's
 *
 * A tool that is not custom belongs to the server's version, or to an MCP
 * server, and is looked for by its name alone.
 */

/*
 * Look at every tool of the shell on the target.  lines, when not NULL, gets
 * what the plan should show: a unified diff of each custom tool that differs,
 * what will be done about it, and which built-in or MCP tools are missing.
 *
 * With `stop', a difference is ERR_DATA: it names the tool, the first line
 * that differs, and the ways out; lines is whole then too.
 */
int agent_tools_check(struct server *, const struct conf_agent *,
    const struct af_shell *, struct buf *lines, struct err *) MUST_CHECK;

/*
 * Keep in the journal the names that are not there: the import is about to
 * bring them, and agent_tools_remove takes them away.
 */
int agent_tools_note(struct server *, const struct conf_agent *,
    const struct af_shell *, struct journal *, struct err *) MUST_CHECK;

/*
 * With `tools = override': give every custom tool that differs the agent's
 * source, schema, description and requirements.  As the target had it, it is
 * in the journal before the change is sent.  Nothing without.
 */
int agent_tools_override(struct server *, const struct conf_agent *,
    const struct af_shell *, struct journal *, struct err *) MUST_CHECK;

/*
 * Take back what the two before have done: delete the tools that were
 * brought, as far as they still have the source of the shell and no agent
 * has them; put back those that were replaced, as far as they still have it.
 * One that somebody changed or uses since is theirs.  Gone is a success.  A
 * server cannot put back nothing where there is something now, so a field
 * that was null keeps its new value.
 */
int agent_tools_remove(struct server *, const struct conf_agent *,
    const struct af_shell *, struct journal *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_TOOLS_H */
