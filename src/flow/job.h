#ifndef FLOW_JOB_H
#define FLOW_JOB_H

#include "base/attr.h"

struct conf;
struct err;
struct plan;
struct run;
struct verdict;

/*
 * The steps of a job, by its kind:
 *
 *     agent        each agent's
 *     workers      each worker's
 *     greenfield   the edge's, then each agent's, then each worker's
 */
void job_plan(struct plan *, const struct conf *);

/* The verdict on everything that the job moves, computed now. */
int job_verify(struct run *, struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_JOB_H */
