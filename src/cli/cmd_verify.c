#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/job.h"
#include "flow/run.h"

#define VERDICT_TEXT_MAX (16 * 1024 * 1024)

/* An object a check, and last the verdict on all of them. */
static void
show_json(const struct verdict *verdict)
{
	const struct verdict_check *check;
	struct jdoc *object;

	for (size_t i = 0; i < verdict->n_checks; i++) {
		check = &verdict->checks[i];
		object = show_new("verdict_check");
		jdoc_set_str(object, "check", check->name);
		jdoc_set_str(object, "state", verdict_word(check->state));
		jdoc_set(object, "source",
		    jdoc_new_int((int64_t)check->source));
		jdoc_set(object, "target",
		    jdoc_new_int((int64_t)check->target));
		jdoc_set_str(object, "reason", check->reason);
		show_object(object);
	}
	object = show_new("verdict");
	jdoc_set_str(object, "verdict",
	    verdict_word(verdict_overall(verdict)));
	show_object(object);
}

static void
show_text(const struct verdict *verdict)
{
	struct buf text = BUF_INIT(VERDICT_TEXT_MAX);

	verdict_write_text(verdict, &text);
	(void)fputs(buf_cstr(&text), stdout);
	buf_clear(&text);
}

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
	if (rc == 0) {
		if (opt->json)
			show_json(&verdict);
		else
			show_text(&verdict);
		if (verdict_overall(&verdict) != VERDICT_SAME)
			rc = err_set(err, ERR_VERDICT, "the verdict is not "
			    "`same'; nothing was changed, see the checks "
			    "above");
	}
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
