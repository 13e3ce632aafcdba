#include "base/base.h"

#include "base/err.h"
#include "core/conf.h"
#include "flow/agent.h"
#include "flow/agent_delta.h"
#include "flow/agent_raw.h"
#include "flow/edge.h"
#include "flow/job.h"
#include "flow/node.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/upgrade.h"
#include "flow/upgrade_since.h"
#include "flow/worker.h"

/* A worker stands and falls with its agent, where the job moves that. */
static const void *
unit_of(const struct conf_worker *worker)
{
	return worker->agent ? (const void *)worker->agent : worker;
}

/*
 * Whether the agent of this worker waits for it.  A second worker of one agent
 * has no Broca, or it would be refused, and says nothing to it.
 */
static bool
is_first_of_agent(const struct conf *conf, size_t i)
{
	const struct conf_agent *agent = conf->workers[i].agent;

	for (size_t k = 0; k < i; k++) {
		if (agent && conf->workers[k].agent == agent)
			return false;
	}
	return agent && agent_delta_applies(conf, agent);
}

void
job_plan(struct plan *plan, const struct conf *conf)
{
	if (conf->kind == CONF_UPGRADE) {
		upgrade_plan(plan, &conf->upgrades[0]);
		return;
	}
	node_plan(plan, conf);
	for (size_t i = 0; i < conf->n_agents; i++) {
		plan->unit = &conf->agents[i];
		if (agent_delta_applies(conf, &conf->agents[i]))
			agent_plan_rehearsal(plan, &conf->agents[i]);
		else
			agent_plan(plan, &conf->agents[i]);
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		plan->unit = unit_of(&conf->workers[i]);
		worker_plan(plan, &conf->workers[i]);
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		plan->unit = unit_of(&conf->workers[i]);
		worker_plan_switch(plan, &conf->workers[i],
		    is_first_of_agent(conf, i));
	}
}

int
job_open_windows(struct run *run,
    void (*each)(void *ctx, const struct conf_agent *), void *ctx,
    struct err *err)
{
	const struct conf *conf = run->conf;
	bool open;

	for (size_t i = 0; i < conf->n_agents; i++) {
		if (agent_raw_is_open(&conf->agents[i], run->journal, &open,
		    err) != 0)
			return -1;
		if (open)
			each(ctx, &conf->agents[i]);
	}
	return 0;
}

static int
close_windows(struct run *run, struct err *err)
{
	const struct conf_agent *agent;
	struct server *from;
	bool open;

	for (size_t i = 0; i < run->conf->n_agents; i++) {
		agent = &run->conf->agents[i];
		if (agent_raw_is_open(agent, run->journal, &open, err) != 0)
			return -1;
		if (open && (run_server(run, agent->from, &from, err) != 0 ||
		    agent_raw_restore(from, agent->from_id, agent,
		    run->journal, err) != 0))
			return -1;
	}
	return 0;
}

/* The source first: it is somebody's at work. */
int
job_cancel(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *undone, struct err *err)
{
	if (switch_refuse_completed(run, err) != 0 ||
	    upgrade_may_go_back(run, err) != 0 ||
	    close_windows(run, err) != 0)
		return -1;
	return plan_cancel(run, plan, watch, undone, err);
}

int
job_verify(struct run *run, struct verdict *verdict, struct err *err)
{
	const struct conf *conf = run->conf;

	if (conf->kind == CONF_UPGRADE)
		return upgrade_verify(run, &conf->upgrades[0], verdict, err);
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
