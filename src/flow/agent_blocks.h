#ifndef FLOW_AGENT_BLOCKS_H
#define FLOW_AGENT_BLOCKS_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct server;
struct step_kind;
struct verdict;

/*
 * Core memory blocks beyond what an agent file can carry: tags, the flags and
 * limits that a legacy file leaves out, blocks that a file lost, and that two
 * agents of one job have one block together.
 *
 *     agent_blocks_read     stage one side (scope SIDE/NAME/blocks)
 *     agent_blocks_kind     the step "blocks": after the import, before the
 *                           passages
 *     agent_blocks_compare  two staged sides, as checks
 *
 * A row's id is the block's, its body canonical:
 *
 *     {"description":"","label":"","limit":1,"metadata":{},"read_only":false,
 *      "shared_with":["agent-..."],"tags":[],"value":""}
 *
 * shared_with are the other agents that have the block, sorted; a null
 * description or metadata is left out, and so are the tags of a server that
 * keeps none (before 0.16.4 or so; 0.16.2 and 0.11.3, seen).
 */

/*
 * Stage one side afresh.  A few requests: the list, and one a block for who
 * else has it.
 */
int agent_blocks_read(struct server *, const char *agent_id,
    const struct conf_agent *, const char *side, struct journal *,
    struct err *) MUST_CHECK;

/*
 * Add the checks "block details" (tags, metadata; not value, limit,
 * description and read_only, which core/verdict.h compares) and "block
 * sharing".  Which block of the source became which of the target is in the
 * journal (agent_blocks_carry brings it into another).
 */
int agent_blocks_compare(const struct conf_agent *, struct journal *,
    struct verdict *, struct err *) MUST_CHECK;

/*
 * Bring what agent_blocks_compare needs beside the staged rows from the job's
 * journal into one that a verdict is computed in; after both sides of the
 * agent were staged there.
 */
int agent_blocks_carry(const struct conf_agent *, struct journal *from,
    struct journal *to, struct err *) MUST_CHECK;

/*
 * 0.16.8 writes the first system row anew when a block of the agent is
 * changed, attached or detached (seen).  Whether the step did such a thing:
 * that row then cannot be compared.
 */
int agent_blocks_touched(const struct conf_agent *, struct journal *,
    bool *out, struct err *) MUST_CHECK;

extern const struct step_kind agent_blocks_kind;

#endif /* !FLOW_AGENT_BLOCKS_H */
