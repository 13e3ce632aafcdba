#include "base/base.h"

#include "base/err.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "flow/job.h"
#include "flow/node_lock.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/units.h"

static int
run_with(const struct opt *opt, bool new_may_lack,
    void (*make)(struct plan *, const struct conf *),
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	struct run_options options = {
		.state_dir = opt->state_dir, .writer = true, .secrets = true,
		.new_may_lack = new_may_lack,
	};
	struct plan_watch watch = {
		.event = show_event, .ctx = (void *)(uintptr_t)opt
	};
	struct plan plan = { 0 };
	struct units units;
	struct job_cmd cmd = { .opt = opt, .plan = &plan, .units = &units,
		.watch = &watch };
	int rc;

	if (run_open(opt->job, &options, &cmd.run, err) != 0)
		return -1;
	make(&plan, cmd.run->conf);
	units_init(&units, &plan);
	rc = body(&cmd, err);
	units_clear(&units);
	plan_clear(&plan);
	run_close(cmd.run);
	return rc;
}

int
job_cmd_run_part(const struct opt *opt,
    void (*make)(struct plan *, const struct conf *),
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	return run_with(opt, false, make, body, err);
}

int
job_cmd_locked(const struct job_cmd *cmd,
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	struct node_lock lock;
	int rc;

	if (node_lock_take(&lock, cmd->run, err) != 0)
		return -1;
	rc = body(cmd, err);
	node_lock_drop(&lock, cmd->run);
	return rc;
}

int
job_cmd_look_then(const struct job_cmd *cmd,
    int (*act)(const struct job_cmd *, struct err *), struct err *err)
{
	static const struct plan_watch quiet = { 0 };
	size_t todo;

	if (units_look(cmd->units, cmd->run, cmd->plan, &quiet, &todo,
	    err) != 0)
		return switch_rescue(cmd->run, cmd->plan, cmd->watch, err);
	/* With nothing to do nothing is touched, a lock neither. */
	return todo > 0 ? job_cmd_locked(cmd, act, err) : act(cmd, err);
}

int
job_cmd_conclude(const struct job_cmd *cmd, struct err *err)
{
	const struct unit *unit;

	for (size_t i = 0; i < cmd->units->n; i++) {
		unit = &cmd->units->list[i];
		if (unit->step)
			show_failure(cmd->opt, &(struct unit_failure){
			    .label = unit->label, .step = unit->step,
			    .kind = err_word(unit->why.kind),
			    .text = unit->why.text });
	}
	return units_conclude(cmd->units, cmd->run, err);
}

int
job_cmd_is_upgrade(const struct opt *opt, struct err *err)
{
	struct conf *conf;
	int rc = 0;

	if (run_read(opt->job, &conf, err) != 0)
		return -1;
	if (conf->kind != CONF_UPGRADE)
		rc = err_set(err, ERR_USAGE, "%s: is a job of kind %s; this "
		    "command takes one of kind %s", opt->job,
		    conf_kind_name(conf->kind), conf_kind_name(CONF_UPGRADE));
	conf_free(conf);
	return rc;
}

int
job_cmd_run(const struct opt *opt,
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	return job_cmd_run_part(opt, job_plan, body, err);
}

int
job_cmd_run_back(const struct opt *opt,
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	return run_with(opt, true, job_plan, body, err);
}
