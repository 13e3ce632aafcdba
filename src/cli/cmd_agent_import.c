#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "flow/agent_hand.h"

extern const struct cmd cmd_apply, cmd_plan;

static int
run(const struct opt *opt, struct err *err)
{
	const struct agent_order order = {
		.path = opt->words[0],
		.server = opt->words[1],
		.name = opt->name,
		.tools = opt->tools,
		.state_dir = opt->state_dir,
	};
	struct opt as_job = *opt;
	char *job;
	int rc;

	if (agent_order_job(&order, &job, err) != 0)
		return -1;
	show_job(opt, job);
	as_job.job = job;
	rc = (opt->dry_run ? cmd_plan : cmd_apply).run(&as_job, err);
	free(job);
	return rc;
}

const struct cmd cmd_agent_import = {
	.name = "agent import",
	.args = "DIR|FILE.af SERVER [--name TEXT] [--tools WORD] [--dry-run]",
	.about = "bring an agent from a directory or a plain agent file to a "
	    "server",
	.min_words = 2,
	.max_words = 2,
	.run = run,
};
