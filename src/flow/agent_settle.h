#ifndef FLOW_AGENT_SETTLE_H
#define FLOW_AGENT_SETTLE_H

#include "base/attr.h"

struct conf_agent;
struct err;
struct run;
struct server;

/*
 * What became of an import whose answer is not known.  A server makes tools,
 * blocks, agent and messages one after the other, each committed alone
 * (0.16.2 and 0.16.8), and goes on after its client is gone.
 */

/*
 * Wait for what was sent, as long as it grows.  *id is the agent that it
 * made, when that is whole: all rows, one agent.  Else it is NULL, and
 * nothing of it is left on the target.
 */
int agent_settle(struct run *, struct server *, const struct conf_agent *,
    char **id, struct err *) MUST_CHECK;

/*
 * Remove what an import has left on the target: agents with the mark, each
 * after its blocks and archive, blocks that came without an agent, the tools
 * it brought or replaced.  The journal then knows of nothing sent.
 */
int agent_settle_remove(struct run *, struct server *,
    const struct conf_agent *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_SETTLE_H */
