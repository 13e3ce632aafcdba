#ifndef FLOW_WORKER_SOURCE_H
#define FLOW_WORKER_SOURCE_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf_worker;
struct err;
struct host;
struct run;

/* What the worker at the source uses. */

/* Whether it uses the very server that the target will use. */
bool worker_same_server(const struct conf_worker *);

/*
 * The agent that it serves: what the .env says that its programs read (kept
 * in the journal when it is first asked for: what the queue is judged by must
 * not change), else that of the job.  *id is NULL, and that is a success,
 * when neither tells: the agent comes from a bundle, or no .env assigns
 * AGENT_ID.  The caller frees it.
 */
int worker_source_agent(struct run *, const struct conf_worker *, char **id,
    struct err *) MUST_CHECK;

/*
 * The value of a key in the .env that a program in DIR/TREE reads: the
 * nearest one, from there upwards to the root, as python-dotenv has it.
 * *found false: there is none, or it does not assign the key.  The caller
 * wipes value.
 */
int worker_env_value(struct host *, const char *dir, const char *tree,
    const char *key, struct buf *value, bool *found, struct err *)
    MUST_CHECK;

/* The same of the source's directory. */
int worker_source_env(struct run *, const struct conf_worker *,
    const char *tree, const char *key, struct buf *value, bool *found,
    struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_SOURCE_H */
