#ifndef FLOW_AGENT_CHECKS_H
#define FLOW_AGENT_CHECKS_H

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct server;
struct verdict;

/*
 * Checks of the moved agent that ask its server once more, beside the
 * comparison of what was staged:
 *
 *     full listing    every page came, to an empty one
 *     visible reply   the last reply of the source's history stands under
 *                     assistant_message.content, as a client asks for it
 *     export          each row of the agent's own export is one that is
 *                     listed; how many hold reasoning and reply together
 *
 * After agent_compare, which leaves the reply to look for in the journal
 * (agent_reply_key).
 */
int agent_checks(struct server *to, const char *id,
    const struct conf_agent *, struct journal *, struct verdict *,
    struct err *) MUST_CHECK;

/*
 * Journal key of {"after":ROW,"text":TEXT}: the last visible reply, by the
 * row before it on the target ("" for none).
 */
char *agent_reply_key(const struct conf_agent *);

/* Journal key of what the target's export held, "PLACED LEFT PAIRS". */
char *agent_round_trip_key(const struct conf_agent *);

#endif /* !FLOW_AGENT_CHECKS_H */
