#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/verdict.h"
#include "flow/job.h"
#include "flow/run.h"

static int
run(const struct opt *opt, struct err *err)
{
	struct run_options options = {
		.state_dir = opt->state_dir, .secrets = true
	};
	struct verdict verdict = { 0 };
	struct run *job = NULL;
	int rc;

	rc = run_open(opt->job, &options, &job, err);
	if (rc == 0)
		rc = job_verify(job, &verdict, err);
	if (rc == 0)
		rc = show_judged(opt, &verdict, err);
	verdict_clear(&verdict);
	run_close(job);
	return rc;
}

const struct cmd cmd_verify = {
	.name = "verify",
	.args = "JOB",
	.about = "compare source and target as they are now",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
