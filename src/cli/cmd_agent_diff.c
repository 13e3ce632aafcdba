#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/verdict.h"
#include "flow/agent_hand.h"

static int
run(const struct opt *opt, struct err *err)
{
	struct verdict verdict = { 0 };
	struct agent_place places[2];
	int rc;

	rc = agent_places(opt->words, opt->n_words, places, err);
	if (rc == 0)
		rc = agent_diff(places, opt->state_dir, &verdict, err);
	if (rc == 0)
		rc = show_judged(opt, &verdict, err);
	verdict_clear(&verdict);
	return rc;
}

const struct cmd cmd_agent_diff = {
	.name = "agent diff",
	.args = "SERVER AGENT SERVER AGENT (or DIR, or FILE.af, for SERVER "
	    "AGENT)",
	.about = "compare two agents",
	.min_words = 2,
	.max_words = 4,
	.run = run,
};
