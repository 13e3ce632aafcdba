#include "base/base.h"

#include "cli/cmd.h"
#include "cli/job_cmd.h"

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_run(opt, job_cmd_plan, err);
}

const struct cmd cmd_plan = {
	.name = "plan",
	.args = "JOB",
	.about = "look at hosts and servers and show each step; change "
	    "nothing",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
