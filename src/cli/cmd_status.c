#include "base/base.h"

#include "cli/cmd.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/job.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/units.h"
#include "flow/worker_switch.h"
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

/* Tenths of a second are what is measured. */
static void
print_seconds(const char *before, int64_t ms, const char *after)
{
	(void)printf("%s%" PRId64 ".%" PRId64 " s%s", before, ms / 1000,
	    ms % 1000 / 100, after);
}

static void
show_freeze(const struct opt *opt, const struct conf_worker *worker,
    const struct worker_freeze_figures *figures, unsigned int most)
{
	struct jdoc *object;

	if (opt->json) {
		object = show_new("freeze");
		jdoc_set_str(object, "worker", worker->name);
		jdoc_set(object, "predicted_ms",
		    jdoc_new_int(figures->predicted_ms));
		jdoc_set(object, "max_ms", jdoc_new_int(most * INT64_C(1000)));
		jdoc_set(object, "stood_ms", jdoc_new_int(figures->stood_ms));
		jdoc_set(object, "standing_ms",
		    jdoc_new_int(figures->standing_ms));
		show_object(object);
		return;
	}
	(void)printf("worker %s: ", worker->name);
	if (figures->standing_ms > 0)
		print_seconds("stands for ", figures->standing_ms, "; ");
	else if (figures->stood_ms > 0)
		print_seconds("stood ", figures->stood_ms, "; ");
	print_seconds("expected ", figures->predicted_ms, "");
	(void)printf(", at most %u s\n", most);
}

static int
show_freezes(const struct opt *opt, struct run *job, struct err *err)
{
	const struct conf *conf = job->conf;
	struct worker_freeze_figures figures;

	for (size_t i = 0; i < conf->n_workers; i++) {
		if (worker_freeze_figures(job, &conf->workers[i], &figures,
		    err) != 0)
			return -1;
		if (figures.predicted_ms > 0)
			show_freeze(opt, &conf->workers[i], &figures,
			    conf->max_freeze);
	}
	return 0;
}

static void
show_one(void *ctx, const struct unit_failure *failure)
{
	show_failure(ctx, failure);
}

/* What the last run went on past, and the next one takes up. */
static int
show_failures(const struct opt *opt, struct run *job, struct err *err)
{
	struct plan plan = { 0 };
	int rc;

	job_plan(&plan, job->conf);
	rc = units_each_failure(job, &plan, show_one,
	    (void *)(uintptr_t)opt, err);
	plan_clear(&plan);
	return rc;
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
		rc = show_failures(opt, job, err);
	if (rc == 0)
		rc = show_freezes(opt, job, err);
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
