#include "base/base.h"

#include "core/conf.h"
#include "flow/edge.h"
#include "flow/node.h"
#include "flow/plan.h"

void
node_plan(struct plan *plan, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_edges; i++)
		edge_plan(plan, &conf->edges[i]);
	plan->n_node = plan->n_steps;
}

bool
node_installs(const struct conf *conf, const struct conf_host *host)
{
	(void)conf;
	(void)host;
	return false;
}
