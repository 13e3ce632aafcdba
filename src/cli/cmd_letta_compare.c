#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/verdict.h"
#include "flow/endpoint.h"
#include "flow/restore.h"

static int
run(const struct opt *opt, struct err *err)
{
	struct verdict verdict = { 0 };
	struct endpoint from;
	int rc;

	rc = endpoint_find(opt->words[1], &from, err);
	if (rc == 0)
		rc = endpoint_fetch(&from, 1, err);
	if (rc == 0)
		rc = restore_compare(opt->words[0], &from, opt->state_dir,
		    false, &verdict, err);
	if (rc == 0)
		rc = restore_add_without(opt->words[0], NULL, &verdict, err);
	if (rc == 0)
		rc = show_judged(opt, &verdict, err);
	verdict_clear(&verdict);
	endpoint_clear(&from);
	return rc;
}

const struct cmd cmd_letta_compare = {
	.name = "letta compare",
	.args = "DIR SERVER",
	.about = "compare a backup with the agents of the server that it is of",
	.min_words = 2,
	.max_words = 2,
	.run = run,
};
