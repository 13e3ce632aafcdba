#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/upgrade.h"

static int
say(const struct job_cmd *cmd, size_t undone, struct err *err)
{
	char *backup, *dump;
	struct jdoc *object;

	if (upgrade_stays(cmd->run, &backup, &dump, err) != 0)
		return -1;
	if (cmd->opt->json) {
		object = show_new("rollback");
		jdoc_set(object, "undone", jdoc_new_int((int64_t)undone));
		jdoc_set_str(object, "backup", backup);
		jdoc_set_str(object, "dump", dump);
		show_object(object);
	} else if (undone > 0) {
		(void)printf("%zu steps taken back.  What stays: the backup "
		    "%s%s%s\n", undone, backup, *dump ? ", the dump " : "",
		    dump);
	} else {
		(void)printf("nothing to take back\n");
	}
	free(dump);
	free(backup);
	return 0;
}

/*
 * Nobody has asked the old server yet whether it is as it was.  One that has
 * not changed what serves is taken back without a proof: there was nothing to
 * come back from.  One that was killed behind its last step is proven all the
 * same.
 */
static int
prove(const struct job_cmd *cmd, struct err *err)
{
	struct verdict verdict = { 0 };
	bool stopped;
	int rc;

	if (upgrade_was_stopped(cmd->run, &stopped, err) != 0)
		return -1;
	if (!stopped)
		return 0;
	rc = upgrade_verify_old(cmd->run, cmd->run->conf->upgrades, &verdict,
	    err);
	if (rc == 0)
		rc = show_judged(cmd->opt, &verdict, err);
	if (rc == 0 && !cmd->opt->json)
		(void)printf("the old server is as it was\n");
	verdict_clear(&verdict);
	return rc;
}

/* What stays in files of clients is no reason not to look at the server. */
static int
roll_back(const struct job_cmd *cmd, struct err *err)
{
	struct err left = ERR_INIT;
	size_t undone;

	cmd->run->discard = cmd->opt->discard;
	if (job_cancel(cmd->run, cmd->plan, cmd->watch, &undone, err) != 0) {
		/* These ask for something else first. */
		if (err->kind == ERR_STALE || err->kind == ERR_USAGE)
			return -1;
		if (err->kind != ERR_PARTIAL)
			return err_ctx(err, "the way back is not at its end: "
			    "run the same command again");
		left = *err;
		err_clear(err);
	}
	if (say(cmd, undone, err) != 0 || prove(cmd, err) != 0)
		return -1;
	if (left.kind == ERR_NONE)
		return 0;
	*err = left;
	return -1;
}

static int
prove_again(const struct job_cmd *cmd, struct err *err)
{
	return say(cmd, 0, err) != 0 ? -1 : prove(cmd, err);
}

/* The proof is within the lock: no other job is to write meanwhile. */
static int
roll_back_locked(const struct job_cmd *cmd, struct err *err)
{
	bool begun, stopped;

	if (plan_begun(cmd->run, cmd->plan, &begun, err) != 0 ||
	    upgrade_was_stopped(cmd->run, &stopped, err) != 0)
		return -1;
	if (begun || stopped)
		return job_cmd_locked(cmd, begun ? roll_back : prove_again,
		    err);
	return prove_again(cmd, err);
}

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_is_upgrade(opt, err) != 0 ? -1 :
	    job_cmd_run_back(opt, roll_back_locked, err);
}

const struct cmd cmd_letta_rollback = {
	.name = "letta rollback",
	.args = "[--discard] JOB",
	.about = "bring the old server back as it was, and prove it",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
