#ifndef FLOW_AGENT_BLOCKS_H
#define FLOW_AGENT_BLOCKS_H

#include "base/attr.h"

struct agent_known;
struct conf;
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
 * keeps none (0.11.3 and 0.16.2, seen; 0.16.8 keeps them).
 */

/*
 * Stage one side afresh.  A few requests: the list, and one a block for who
 * else has it.
 */
int agent_blocks_read(struct server *, const char *agent_id,
    const struct conf_agent *, const char *side, struct journal *,
    struct err *) MUST_CHECK;

/*
 * The same of an agent that is known, without a request: its state has the
 * blocks (0.16.2 and 0.16.8: the same as their own list, but for the order).
 */
int agent_blocks_keep(const struct agent_known *, const char *agent_id,
    const struct conf_agent *, const char *side, struct journal *,
    struct err *) MUST_CHECK;

/*
 * Add the checks "block details" (tags and metadata; core/verdict.h compares
 * the rest) and "block sharing", and what of both could not be: tags on a
 * server that keeps none, sharing with agents that the job does not move.
 * Which block of the source became which of the target is in the
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
 * The block of the target that a block of the source has become; *target is
 * NULL when there is none, and the caller frees it.  It is one for all agents
 * of the job that go to this target: so they come to share it.
 */
int agent_blocks_target(const struct conf_agent *, struct journal *,
    const char *source_id, char **target, struct err *) MUST_CHECK;
/* target "": it has become none after all. */
int agent_blocks_target_set(const struct conf_agent *, struct journal *,
    const char *source_id, const char *target, struct err *) MUST_CHECK;

/*
 * Keep in the journal which agents of its servers the job moves: a block that
 * is shared with another one cannot be shared on the target.
 */
int agent_blocks_note_job(const struct conf *, struct journal *,
    struct err *) MUST_CHECK;

extern const struct step_kind agent_blocks_kind;

#endif /* !FLOW_AGENT_BLOCKS_H */
