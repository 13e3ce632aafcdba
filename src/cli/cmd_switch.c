#include "base/base.h"

#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/upgrade.h"
#include "flow/units.h"

static int
act(const struct job_cmd *cmd, struct err *err)
{
	size_t acted;

	if (switch_apply(cmd->run, cmd->plan, cmd->units, false, cmd->watch,
	    &acted, err) != 0 || job_cmd_conclude(cmd, err) != 0)
		return -1;
	show_count(cmd->opt, "switch", "acted", acted, "steps acted; the "
	    "workers are switched");
	return 0;
}

/* With `switch = manual' this is what `apply' has left to do. */
static int
go_through(const struct job_cmd *cmd, struct err *err)
{
	return job_cmd_look_then(cmd, act, err);
}

static int
go_back(const struct job_cmd *cmd, struct err *err)
{
	size_t undone;

	cmd->run->discard = cmd->opt->discard;
	if (switch_reverse(cmd->run, cmd->plan, cmd->watch, &undone,
	    err) != 0)
		return -1;
	show_count(cmd->opt, "reverse", "undone", undone, "steps taken back; "
	    "the sources work as before");
	return 0;
}

static int
drop_upgrade(const struct job_cmd *cmd, struct err *err)
{
	char *backup = NULL, *dump = NULL;
	struct jdoc *object;

	cmd->run->discard = cmd->opt->discard;
	if (upgrade_stays(cmd->run, &backup, &dump, err) != 0)
		return -1;
	if (upgrade_complete(cmd->run, err) != 0) {
		free(dump);
		free(backup);
		return -1;
	}
	if (cmd->opt->json) {
		object = show_new("complete");
		jdoc_set_str(object, "backup", backup);
		jdoc_set_str(object, "removed", dump);
		show_object(object);
	} else
		(void)printf("the upgrade cannot be rolled back any more: its "
		    "dump%s%s is removed.  What stays, until you remove "
		    "it: the backup %s, and what the old server was made "
		    "of\n", *dump ? " " : "", dump, backup);
	free(dump);
	free(backup);
	return 0;
}

static int
drop(const struct job_cmd *cmd, struct err *err)
{
	if (cmd->run->conf->kind == CONF_UPGRADE)
		return drop_upgrade(cmd, err);
	if (switch_complete(cmd->run, err) != 0)
		return -1;
	show_count(cmd->opt, "complete", "workers",
	    cmd->run->conf->n_workers, "workers cannot be reversed any more; "
	    "their directories at the sources stay, with tokens in .env: "
	    "remove them by hand");
	return 0;
}

static int
run_switch(const struct opt *opt, struct err *err)
{
	return job_cmd_run(opt, go_through, err);
}

static int
go_back_locked(const struct job_cmd *cmd, struct err *err)
{
	return job_cmd_locked(cmd, go_back, err);
}

static int
drop_locked(const struct job_cmd *cmd, struct err *err)
{
	return job_cmd_locked(cmd, drop, err);
}

static int
run_reverse(const struct opt *opt, struct err *err)
{
	return job_cmd_run(opt, go_back_locked, err);
}

static int
run_complete(const struct opt *opt, struct err *err)
{
	return job_cmd_run_back(opt, drop_locked, err);
}

const struct cmd cmd_switch = {
	.name = "switch",
	.args = "JOB",
	.about = "stop the workers, and start them on the target",
	.min_words = 1,
	.max_words = 1,
	.run = run_switch,
};

const struct cmd cmd_reverse = {
	.name = "reverse",
	.args = "JOB",
	.about = "go back to the source, with what was queued since",
	.min_words = 1,
	.max_words = 1,
	.run = run_reverse,
};

const struct cmd cmd_complete = {
	.name = "complete",
	.args = "[--discard] JOB",
	.about = "drop what `reverse' needs",
	.min_words = 1,
	.max_words = 1,
	.run = run_complete,
};
