#include "base/base.h"

#include "base/err.h"
#include "cli/cmd.h"
#include "cli/job_cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/edge_hand.h"
#include "flow/run.h"

static int
test(const struct job_cmd *cmd, struct err *err)
{
	const struct conf *conf = cmd->run->conf;
	struct verdict verdict = { 0 };
	int rc = 0;

	if (conf->n_edges == 0)
		return err_set(err, ERR_USAGE, "%s: there is no [edge HOST] "
		    "in it", cmd->opt->job);
	for (size_t i = 0; rc == 0 && i < conf->n_edges; i++)
		rc = edge_hand_test(cmd->run, &conf->edges[i], &verdict,
		    err);
	if (rc == 0)
		rc = show_judged(cmd->opt, &verdict, err);
	verdict_clear(&verdict);
	return rc;
}

static int
run(const struct opt *opt, struct err *err)
{
	return job_cmd_run(opt, test, err);
}

const struct cmd cmd_edge_test = {
	.name = "edge test",
	.args = "JOB",
	.about = "have its nginx file tested on the host, beside the live "
	    "one, and fetch each name",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
