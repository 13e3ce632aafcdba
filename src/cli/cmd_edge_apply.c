#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/plan.h"
#include "flow/run.h"

static void
plan_edges(struct plan *plan, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_edges; i++)
		edge_plan(plan, &conf->edges[i]);
}

static int
act(const struct job_cmd *cmd, struct err *err)
{
	struct show_acted s = { .type = "edge", .of = " of the edge",
		.next = "apply", .steps = cmd->plan->n_steps };

	if (plan_apply(cmd->run, cmd->plan, cmd->watch, &s.acted, err) != 0)
		return -1;
	show_acted(cmd->opt, &s);
	return 0;
}

/* As apply: what cannot work is said while everything is as it was. */
static int
look_and_apply(const struct job_cmd *cmd, struct err *err)
{
	static const struct plan_watch quiet = { 0 };
	size_t todo;

	if (cmd->plan->n_steps == 0)
		return err_set(err, ERR_USAGE, "%s: there is no [edge HOST] "
		    "in it", cmd->opt->job);
	if (plan_look(cmd->run, cmd->plan, &quiet, &todo, err) != 0)
		return -1;
	return todo > 0 ? job_cmd_locked(cmd, act, err) : act(cmd, err);
}

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_run_part(opt, plan_edges, look_and_apply, err);
}

const struct cmd cmd_edge_apply = {
	.name = "edge apply",
	.args = "JOB",
	.about = "the steps of its edge alone",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
