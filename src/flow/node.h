#ifndef FLOW_NODE_H
#define FLOW_NODE_H

#include <stdbool.h>

struct conf;
struct conf_host;
struct plan;

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

#endif /* !FLOW_NODE_H */
