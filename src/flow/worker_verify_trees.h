#ifndef FLOW_WORKER_VERIFY_TREES_H
#define FLOW_WORKER_VERIFY_TREES_H

#include "base/attr.h"

struct conf_worker;
struct err;
struct host;
struct run;
struct verdict;

/*
 * The trees of a worker's source and target, by SHA-256, but for what is
 * written anew (.env, start scripts, sanctum.db).  A program that the fence
 * has given another name at the source counts under its own.  What the target
 * has written since it was started is counted, and not compared.
 */
int worker_verify_trees(struct run *, const struct conf_worker *,
    struct host *from, struct host *to, struct verdict *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_WORKER_VERIFY_TREES_H */
