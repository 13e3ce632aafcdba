#include "base/base.h"

#include "cli/cmd.h"
#include "cli/job_cmd.h"

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_run(opt, job_cmd_apply, err);
}

const struct cmd cmd_apply = {
	.name = "apply",
	.args = "JOB",
	.about = "run the plan, or go on where it stopped",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
