#ifndef FLOW_AGENT_PASSAGES_H
#define FLOW_AGENT_PASSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "flow/agent.h"

struct conf_agent;
struct err;
struct journal;
struct journal_row;
struct server;
struct verdict;

/*
 * The passages of an agent: read, and compared as multisets.  Staged bodies
 * are canonical (core/letta_answer.h), so two passages are the same exactly
 * when their bodies are, and one that a side holds twice counts twice.
 */

/*
 * Stage one side, from where an earlier read left off, or afresh.
 *
 * A listing ends without an error when the passage of its cursor was deleted
 * meanwhile (0.11.3 to 0.16.8, seen).  So the newest passage is asked for at
 * the end: when it was not listed, the listing is read again from its start,
 * three times at most.
 */
int agent_passages_read(struct server *, const char *agent_id,
    const struct conf_agent *, const char *side, bool fresh,
    struct journal *, struct err *) MUST_CHECK;

/*
 * The same of the source, in pages of `limit', from where an earlier read left
 * off; *newest is the id of the newest, which is staged, "" when there is
 * none, and the caller's to free.
 */
int agent_passages_stage(struct server *, const char *agent_id,
    const struct conf_agent *, unsigned int limit, struct journal *,
    char **newest, struct err *) MUST_CHECK;

struct agent_passages_diff {
	uint64_t source, target;		/* passages of each side */
	uint64_t only_source, only_target;	/* without their like */
	uint64_t twice;		/* of only_target: the source has its like,
				 * but not so often */
};

/*
 * Walk both sides in the order of their bodies.  each, when not NULL, gets
 * every passage that one side has once more than the other, and which side
 * that is; what it returns but 0 ends the walk with -1.
 */
int agent_passages_compare(struct journal *, const struct conf_agent *,
    int (*each)(void *ctx, const struct journal_row *, bool at_source,
    struct err *), void *ctx, struct agent_passages_diff *, struct err *)
    MUST_CHECK;

/*
 * Add the check "archival passages".  What a side has more that may have gone
 * on is of after.  Passages that the target refused (flow/agent_rejects.h) are
 * different, and the check names the file that lists them; where the job file
 * accepts that, they stand in the verdict as not compared.
 */
int agent_passages_judge(const struct conf_agent *, struct journal *,
    enum agent_since, struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_PASSAGES_H */
