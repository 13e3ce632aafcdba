#ifndef FLOW_AGENT_PASSAGES_H
#define FLOW_AGENT_PASSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct journal_row;

/*
 * The staged passages of both sides as multisets: bodies are canonical
 * (core/letta_answer.h), so two passages are the same exactly when their
 * bodies are, and one that a side holds twice counts twice.
 */
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

#endif /* !FLOW_AGENT_PASSAGES_H */
