#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/verdict.h"
#include "flow/plan.h"
#include "flow/rehearse.h"
#include "flow/run.h"

static int
run(const struct opt *opt, struct err *err)
{
	struct run_options options = {
		.state_dir = opt->state_dir, .writer = true, .secrets = true,
		.rehearsal = true
	};
	struct plan_watch watch = {
		.event = show_event, .ctx = (void *)(uintptr_t)opt
	};
	struct verdict verdict = { 0 };
	struct run *job = NULL;
	int rc;

	rc = run_open(opt->job, &options, &job, err);
	if (rc == 0)
		rc = rehearse(job, &watch, &verdict, err);
	if (verdict.n_checks > 0)
		show_verdict(opt, &verdict);
	if (rc == 0 && verdict_overall(&verdict) != VERDICT_SAME)
		rc = err_set(err, ERR_VERDICT, "the verdict is not `same': "
		    "an apply would stop there too; the source is as "
		    "it was");
	verdict_clear(&verdict);
	run_close(job);
	return rc;
}

const struct cmd cmd_rehearse = {
	.name = "rehearse",
	.args = "JOB",
	.about = "move, compare and take all of it back; prove it by listings",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
