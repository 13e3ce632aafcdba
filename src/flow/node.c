#include "base/base.h"

#include "core/conf.h"
#include "flow/edge.h"
#include "flow/node.h"
#include "flow/plan.h"
#include "flow/runtime.h"

void
node_plan(struct plan *plan, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_lettas; i++)
		runtime_plan(plan, &conf->lettas[i]);
	for (size_t i = 0; i < conf->n_edges; i++)
		edge_plan(plan, &conf->edges[i]);
	plan->n_node = plan->n_steps;
}
