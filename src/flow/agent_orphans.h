#ifndef FLOW_AGENT_ORPHANS_H
#define FLOW_AGENT_ORPHANS_H

#include "base/attr.h"

struct af_shell;
struct conf_agent;
struct err;
struct journal;
struct server;

/*
 * Blocks that an import left without an agent.  A server makes tools, then
 * blocks, then the agent, then its messages, each committed alone (0.16.2 and
 * 0.16.8): one that stops in between keeps blocks that no agent names and
 * nothing finds by the agent's mark.
 *
 * So the ids of all blocks without an agent are noted before the file is
 * sent.  One that is there afterwards, was not before, has no agent, and has
 * label, value, limit and description of a block of the file, is ours.
 *
 * One question gets them all: pages of GET /v1/blocks/ leave out blocks that
 * were made in the same instant as the cursor's, as those of one import are,
 * and its filter by label refuses labels with a blank (0.16.2, seen).
 */

/*
 * Keep the ids in the journal.  When the server has more than one answer
 * holds, that is noted and nothing will be removed.
 */
int agent_orphans_note(struct server *, const struct conf_agent *,
    struct journal *, struct err *) MUST_CHECK;

/* Remove ours.  Nothing noted: there are none. */
int agent_orphans_remove(struct server *, const struct conf_agent *,
    const struct af_shell *, struct journal *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_ORPHANS_H */
