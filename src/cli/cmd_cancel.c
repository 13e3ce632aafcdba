#include "base/base.h"

#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/run.h"

static int
take_back(const struct job_cmd *cmd, struct err *err)
{
	size_t undone;

	/* A worker's way back is `reverse', which has that word, too. */
	cmd->run->discard = cmd->opt->discard &&
	    cmd->run->conf->kind == CONF_UPGRADE;
	if (job_cancel(cmd->run, cmd->plan, cmd->watch, &undone, err) != 0)
		return -1;
	show_count(cmd->opt, "cancel", "undone", undone, "steps taken back; "
	    "the source is as it was");
	return 0;
}

/* A job that has done nothing yet touches no host to say so. */
static int
take_back_locked(const struct job_cmd *cmd, struct err *err)
{
	bool begun;

	if (plan_begun(cmd->run, cmd->plan, &begun, err) != 0)
		return -1;
	return begun ? job_cmd_locked(cmd, take_back, err) :
	    take_back(cmd, err);
}

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_run_back(opt, take_back_locked, err);
}

const struct cmd cmd_cancel = {
	.name = "cancel",
	.args = "[--discard] JOB",
	.about = "take back on the target what the job did there",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
