#include "base/base.h"

#include "cli/cmd.h"
#include "cli/job_cmd.h"

/* A job of another kind has a command of its own name. */
static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_is_upgrade(opt, err) != 0 ? -1 :
	    job_cmd_run(opt, job_cmd_apply, err);
}

const struct cmd cmd_letta_upgrade = {
	.name = "letta upgrade",
	.args = "JOB",
	.about = "back up, rebuild, restore and prove; or go on with it",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
