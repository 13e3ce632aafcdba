#ifndef FLOW_NODE_H
#define FLOW_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct conf;
struct conf_host;
struct err;
struct plan;
struct plan_watch;
struct run;

/*
 * What makes a bare host a node, in this order.  All of it comes before the
 * agents and workers of the job, and is what `uninstall' takes away.
 *
 *     node.HOST.packages    what apt must bring
 *     letta.NAME.*          the server, where its section has a `runtime'
 *     edge.HOST.*           nginx and its certificate (flow/edge.h)
 *     node.HOST.*           what serves the whole host: log rotation, the
 *                           timer of backups
 */
void node_plan(struct plan *, const struct conf *);

/* Whether it has a step that installs packages there: `packages = install'. */
bool node_installs(const struct conf *, const struct conf_host *);

/*
 * Take away from the host what the journal says that the job has put there,
 * the last first, and nothing else: agents and workers are not touched.  The
 * server's data (its database, with the agents in it) and packages stay,
 * unless run->purge.  With dry_run nothing is done; each step that would be
 * taken back is an event.
 *
 * ERR_USAGE for a job of another kind; ERR_STALE while a worker of the job
 * works there, since it would lose its server.
 */
int node_uninstall(struct run *, const struct plan *,
    const struct plan_watch *, bool dry_run, size_t *undone, struct err *)
    MUST_CHECK;

#endif /* !FLOW_NODE_H */
