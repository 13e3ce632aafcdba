#include "base/base.h"

#include "core/conf.h"
#include "flow/agent.h"
#include "flow/edge.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"

void
job_plan(struct plan *plan, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_edges; i++)
		edge_plan(plan, &conf->edges[i]);
	for (size_t i = 0; i < conf->n_agents; i++)
		agent_plan(plan, &conf->agents[i]);
	for (size_t i = 0; i < conf->n_workers; i++)
		worker_plan(plan, &conf->workers[i]);
}

int
job_verify(struct run *run, struct verdict *verdict, struct err *err)
{
	const struct conf *conf = run->conf;

	for (size_t i = 0; i < conf->n_edges; i++) {
		if (edge_verify(run, &conf->edges[i], verdict, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < conf->n_agents; i++) {
		if (agent_verify(run, &conf->agents[i], verdict, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (worker_verify(run, &conf->workers[i], verdict, err) != 0)
			return -1;
	}
	return 0;
}
