#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/job.h"
#include "flow/run.h"
#include "io/journal.h"

static const char *
state_word(enum journal_state state)
{
	switch (state) {
	case JOURNAL_NONE:
		return "none";
	case JOURNAL_BEGUN:
		return "begun";
	case JOURNAL_DONE:
		return "done";
	case JOURNAL_UNDONE:
		return "undone";
	}
	return "";
}

static int
show_step(void *ctx, const struct journal_step *step, struct err *err)
{
	const struct opt *opt = ctx;
	struct jdoc *object;

	(void)err;
	if (opt->json) {
		object = show_new("step");
		jdoc_set_str(object, "step", step->name);
		jdoc_set_str(object, "state", state_word(step->state));
		jdoc_set_str(object, "begun_at", step->begun_at);
		jdoc_set_str(object, "ended_at", step->ended_at);
		jdoc_set_str(object, "summary", step->note);
		show_object(object);
	} else
		(void)printf("%-7s %-20s %s%s%s\n", state_word(step->state),
		    *step->ended_at ? step->ended_at : step->begun_at,
		    step->name, *step->note ? ": " : "", step->note);
	return 0;
}

static void
show_window(void *ctx, const struct conf_agent *agent)
{
	const struct opt *opt = ctx;
	struct jdoc *object;

	if (opt->json) {
		object = show_new("open_window");
		jdoc_set_str(object, "agent", agent->from_id);
		show_object(object);
	} else
		(void)printf("the messages in context of %s at its source "
		    "are exchanged: plan, apply or cancel puts them back\n",
		    agent->from_id);
}

static int
run(const struct opt *opt, struct err *err)
{
	struct run_options options = { .state_dir = opt->state_dir };
	struct run *job;
	int rc;

	if (run_open(opt->job, &options, &job, err) != 0)
		return -1;
	if (!opt->json)
		(void)printf("job %s, journal %s\n", job->conf->name,
		    journal_path(job->journal));
	rc = journal_steps(job->journal, show_step, (void *)(uintptr_t)opt,
	    err);
	if (rc == 0)
		rc = job_open_windows(job, show_window,
		    (void *)(uintptr_t)opt, err);
	run_close(job);
	return rc;
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "JOB",
	.about = "where the job stands, by its journal; contact nobody",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
