#ifndef FLOW_WORKER_PATHS_H
#define FLOW_WORKER_PATHS_H

#include "base/attr.h"

struct conf_host;
struct conf_worker;
struct err;
struct host;
struct plan_note;

/*
 * Text files of a worker that name its directory at the source by its whole
 * path, which is another one on the target: settings.json, profiles, notes.
 * Said with file and line, never with what stands there; the first 40 of them.
 * Nothing is changed.  .env files and start scripts have a step of their own
 * (worker_env_set.h); a script is named here when the target's path would
 * have to be quoted in it.
 */
int worker_paths_say(struct host *from, struct host *to,
    const struct conf_worker *, struct plan_note *, struct err *) MUST_CHECK;

/* A path of the job file as programs on that host know it; to be freed. */
char *worker_paths_full(const struct host *, const char *path);

#endif /* !FLOW_WORKER_PATHS_H */
