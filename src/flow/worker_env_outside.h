#ifndef FLOW_WORKER_ENV_OUTSIDE_H
#define FLOW_WORKER_ENV_OUTSIDE_H

#include "base/attr.h"

struct env_set;
struct err;
struct run;

/*
 * What gives the worker at the source its variables besides its own files: a
 * process's environment beats its .env, so that one which comes from a unit, a
 * crontab or a pm2 app would have the moved worker serve the old agent.
 *
 * Looks at what starts the worker (flow/supervisor.h) and at the processes
 * that run in its directory, with the set as it was made for agent id.  Fails
 * with ERR_DATA for one that names another agent, or another database, by
 * itself; the rest goes into the remarks.  Without anything that is not in
 * the files, and for an agent that stays the same, it is a success.
 */
int env_set_outside(struct env_set *, struct run *, const char *id,
    struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_ENV_OUTSIDE_H */
