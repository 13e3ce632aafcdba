#include "base/base.h"

#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/node.h"
#include "flow/run.h"

static int
take_away(const struct job_cmd *cmd, struct err *err)
{
	const bool dry_run = cmd->opt->dry_run;
	struct jdoc *object;
	size_t undone;

	cmd->run->purge = cmd->opt->purge;
	if (node_uninstall(cmd->run, cmd->plan, cmd->watch, dry_run, &undone,
	    err) != 0)
		return -1;
	if (cmd->opt->json) {
		object = show_new("uninstall");
		jdoc_set(object, "undone", jdoc_new_int((int64_t)undone));
		jdoc_set(object, "dry_run", jdoc_new_bool(dry_run));
		show_object(object);
	} else
		(void)printf("%zu steps %s; agents, workers and what was "
		    "there before are not touched\n", undone,
		    dry_run ? "would be taken back" : "taken back");
	return 0;
}

static int
take_away_locked(const struct job_cmd *cmd, struct err *err)
{
	return cmd->opt->dry_run ? take_away(cmd, err) :
	    job_cmd_locked(cmd, take_away, err);
}

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_run(opt, take_away_locked, err);
}

const struct cmd cmd_uninstall = {
	.name = "uninstall",
	.args = "[--dry-run] [--purge] JOB",
	.about = "take from the host what the job has put there",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
