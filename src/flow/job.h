#ifndef FLOW_JOB_H
#define FLOW_JOB_H

#include <stddef.h>

#include "base/attr.h"

struct conf;
struct conf_agent;
struct err;
struct plan;
struct plan_watch;
struct run;
struct verdict;

/*
 * The steps of a job, by its kind:
 *
 *     agent        each agent's
 *     workers      each worker's
 *     greenfield   the node's, then each agent's, then each worker's
 *
 *     upgrade      flow/upgrade.h; nothing else
 *
 * then the switch of each worker.  What an agent and its workers are is one
 * unit (flow/units.h).
 */
void job_plan(struct plan *, const struct conf *);

/*
 * Take back what was done (plan_cancel), and close a window that a killed run
 * left open at a source (flow/agent_raw.h).  ERR_STALE after `complete', and
 * as upgrade_may_go_back (flow/upgrade_since.h) has it.
 */
int job_cancel(struct run *, const struct plan *, const struct plan_watch *,
    size_t *undone, struct err *) MUST_CHECK;

/*
 * Call each for every source that a killed run has left otherwise than it
 * was: its agent's section in the job file.
 */
int job_open_windows(struct run *,
    void (*each)(void *ctx, const struct conf_agent *), void *ctx,
    struct err *) MUST_CHECK;

/* The verdict on everything that the job moves, computed now. */
int job_verify(struct run *, struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_JOB_H */
