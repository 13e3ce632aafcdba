#include "base/base.h"

#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/run.h"

int
job_cmd_run_part(const struct opt *opt,
    void (*make)(struct plan *, const struct conf *),
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	struct run_options options = {
		.state_dir = opt->state_dir, .writer = true, .secrets = true
	};
	struct plan_watch watch = {
		.event = show_event, .ctx = (void *)(uintptr_t)opt
	};
	struct plan plan = { 0 };
	struct job_cmd cmd = { .opt = opt, .plan = &plan, .watch = &watch };
	int rc;

	if (run_open(opt->job, &options, &cmd.run, err) != 0)
		return -1;
	make(&plan, cmd.run->conf);
	rc = body(&cmd, err);
	plan_clear(&plan);
	run_close(cmd.run);
	return rc;
}

int
job_cmd_run(const struct opt *opt,
    int (*body)(const struct job_cmd *, struct err *), struct err *err)
{
	return job_cmd_run_part(opt, job_plan, body, err);
}
