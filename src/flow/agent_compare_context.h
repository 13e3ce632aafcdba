#ifndef FLOW_AGENT_COMPARE_CONTEXT_H
#define FLOW_AGENT_COMPARE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct jdoc;
struct journal;
struct verdict;

/*
 * Which rows are in context, compared while two histories are walked side by
 * side: a row must be in the list of both sides or of none, and the lists in
 * the same order.  System rows and returns of tools are excused, and counted:
 * a file puts a system row first, takes a return in behind its call and
 * leaves out one without (core/af_context.h).
 *
 *     agent_context_open(&context, agent, journal, err)
 *     agent_context_pair(&context, source, id, target_id)    once a pair
 *     agent_context_judge(&context, used, verdict)
 *     agent_context_close(&context)
 *
 * Memory is that of the lists, a few hundred ids.
 */
struct agent_context_entry;

struct agent_context_list {
	struct jdoc *state;
	struct agent_context_entry *entries;	/* sorted by id */
	size_t n;
};

struct agent_context {
	struct agent_context_list lists[2];	/* source, target */
	uint64_t both, excused, different;
	uint64_t disordered;
	size_t last[2];		/* places of the last row in both, from 1 */
};

int agent_context_open(struct agent_context *, const struct conf_agent *,
    struct journal *, struct err *) MUST_CHECK;
void agent_context_close(struct agent_context *);

/* source is the row as the file has it, id its own at the source. */
void agent_context_pair(struct agent_context *, const struct jdoc *source,
    const char *id, const char *target_id);

/*
 * The check "rows in context".  used: the target has gone on since the move,
 * and turns change the list; then a difference is not compared.
 */
void agent_context_judge(const struct agent_context *, bool used,
    struct verdict *);

#endif /* !FLOW_AGENT_COMPARE_CONTEXT_H */
