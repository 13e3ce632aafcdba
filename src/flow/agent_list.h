#ifndef FLOW_AGENT_LIST_H
#define FLOW_AGENT_LIST_H

#include "base/attr.h"

struct err;
struct letta_agent;
struct server;

/*
 * Every agent of a server, oldest first, page by page; each is lent to the
 * callback until it returns, and what that returns but 0 ends the walk with
 * -1.  One that is listed twice is given once.  Its id is the server's word:
 * see letta_id_ok before it becomes part of a path.
 *
 * Fails with ERR_AGAIN when an agent was deleted meanwhile, behind which the
 * next page would have begun: the server then begins anew.  ERR_DATA: there
 * are more than BACKUP_AGENTS_MAX.
 */
int agent_list(struct server *,
    int (*each)(void *ctx, const struct letta_agent *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_LIST_H */
