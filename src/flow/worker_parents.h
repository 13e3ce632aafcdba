#ifndef FLOW_WORKER_PARENTS_H
#define FLOW_WORKER_PARENTS_H

#include "base/attr.h"

struct conf_worker;
struct err;
struct host;
struct run;

/*
 * The directories above a worker's own that were not there before it came:
 * made with it, and removed again with it as far as they are empty then.
 */

/* Make the parent of the worker's directory; the journal knows first. */
int worker_parents_make(struct run *, const struct conf_worker *,
    struct host *to, const char *parent, struct err *) MUST_CHECK;

int worker_parents_remove(struct run *, const struct conf_worker *,
    struct host *to, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_PARENTS_H */
