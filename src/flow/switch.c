#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/units.h"
#include "flow/worker_switch.h"
#include "io/journal.h"

#define COMPLETED "completed"

/* The first step of the switch of the worker whose step is number at. */
static size_t
first_of(const struct plan *plan, size_t at)
{
	const void *subject = plan->steps[at].subject;

	while (at > plan->n_early && plan->steps[at - 1].subject == subject)
		at--;
	return at;
}

/*
 * Undo the switch up to step number at.  A line that was cut fails the first
 * call on it, whatever that is: then all once more, over new ones.
 */
static int
undo(struct run *run, const struct plan *plan, size_t at,
    const struct plan_watch *watch, struct err *err)
{
	const size_t first = first_of(plan, at);
	size_t undone;

	if (plan_cancel_part(run, plan, first, at + 1, watch, &undone,
	    err) == 0)
		return 0;
	if (err->kind != ERR_UNREACHABLE)
		return -1;
	err_clear(err);
	run_disconnect(run);
	return plan_cancel_part(run, plan, first, at + 1, watch, &undone,
	    err);
}

/*
 * Back to a source that works.  A signal must not stop this half way; err is
 * why the switch ended and gets what became of it.  *stands: it could not be
 * taken back.
 */
static int
take_back(struct run *run, const struct plan *plan, size_t at,
    const struct plan_watch *watch, bool *stands, struct err *err)
{
	const struct conf_worker *worker = plan->steps[at].subject;
	struct err why = ERR_INIT;
	int64_t started = 0;
	int rc;

	stop_hold();
	rc = worker_started(run, worker, &started, &why);
	if (rc == 0 && started == 0)
		rc = undo(run, plan, at, watch, &why);
	stop_release();
	*stands |= rc != 0;
	if (rc != 0)
		return err_ctx(err, "[worker %s] stands, and could not be "
		    "started again at the source (%.200s); run `apply' to go "
		    "on, or `cancel'; it stands because", worker->name,
		    why.text);
	if (started > 0)
		return err_ctx(err, "[worker %s] was switched; its target "
		    "is not proven to work", worker->name);
	return err_ctx(err, "[worker %s] works at the source as before; the "
	    "switch ended because", worker->name);
}

/* Whether the switch that ends with step number last was begun, and broke. */
static int
is_within(struct run *run, const struct plan *plan, size_t last, bool *out,
    struct err *err)
{
	const struct conf_worker *worker = plan->steps[last].subject;
	enum journal_state state;
	bool reversing;
	int64_t started;

	if (journal_step_state(run->journal,
	    plan->steps[first_of(plan, last)].name, &state, err) != 0 ||
	    worker_reversing(run, worker, &reversing, err) != 0 ||
	    worker_started(run, worker, &started, err) != 0)
		return -1;
	*out = started == 0 && !reversing &&
	    (state == JOURNAL_BEGUN || state == JOURNAL_DONE);
	return 0;
}

/* Whether step number i is the last of a worker's switch. */
static bool
is_last(const struct plan *plan, size_t i)
{
	return i + 1 == plan->n_steps ||
	    plan->steps[i + 1].subject != plan->steps[i].subject;
}

/* Take back those of one unit that are in their switch, or of all. */
static int
rescue(struct run *run, const struct plan *plan, const void *unit,
    const struct plan_watch *watch, bool *stands, struct err *err)
{
	struct err ignored = ERR_INIT;
	bool within;

	for (size_t i = plan->n_early; i < plan->n_steps; i++) {
		if (!is_last(plan, i) || (unit && plan->steps[i].unit != unit))
			continue;
		if (is_within(run, plan, i, &within, &ignored) != 0)
			err_clear(&ignored);
		else if (within)
			(void)take_back(run, plan, i, watch, stands, err);
	}
	return -1;
}

int
switch_rescue(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, struct err *err)
{
	bool stands = false;

	return rescue(run, plan, NULL, watch, &stands, err);
}

/*
 * Step number at has failed: what was begun is taken back.  0: the job goes on
 * without its unit.  One that stands is for the operator first.
 */
static int
leave(struct run *run, const struct plan *plan, struct units *units,
    size_t at, const struct plan_watch *watch, struct err *err)
{
	const struct step *step = &plan->steps[at];
	const bool goes_on = units_goes_on(units, step, err);
	bool stands = false;

	if (at >= plan->n_early)
		(void)take_back(run, plan, at, watch, &stands, err);
	else
		(void)rescue(run, plan, goes_on ? step->unit : NULL, watch,
		    &stands, err);
	if (!goes_on || stands)
		return -1;
	/* The others are to meet no line that was cut. */
	if (err->kind == ERR_UNREACHABLE)
		run_disconnect(run);
	return units_take(units, run, step, err);
}

/* Units that have failed before anything was done. */
static int
rescue_failed(struct run *run, const struct plan *plan, struct units *units,
    const struct plan_watch *watch, struct err *err)
{
	bool stands = false;

	for (size_t i = 0; i < units->n; i++) {
		if (!units->list[i].step)
			continue;
		(void)rescue(run, plan, units->list[i].subject, watch,
		    &stands, &units->list[i].why);
		if (stands) {
			*err = units->list[i].why;
			return -1;
		}
	}
	return 0;
}

/* A reverse that was killed has the rows of a target at its source. */
static int
refuse_reversing(struct run *run, struct err *err)
{
	const struct conf *conf = run->conf;
	bool reversing;

	for (size_t i = 0; i < conf->n_workers; i++) {
		if (worker_reversing(run, &conf->workers[i], &reversing,
		    err) != 0)
			return -1;
		if (reversing)
			return err_set(err, ERR_STALE, "[worker %s] is on its "
			    "way back to its source, and may stand: run "
			    "`reverse' to its end first",
			    conf->workers[i].name);
	}
	return 0;
}

/*
 * A worker that a killed run has left standing goes before all first passes,
 * its own too: they were done, and it would stand for as long as they take.
 */
static int
standing_first(struct run *run, const struct plan *plan, struct units *units,
    const struct plan_watch *watch, struct err *err)
{
	size_t acted, at;
	int64_t stood;
	bool within;

	for (size_t i = plan->n_early; i < plan->n_steps; i++) {
		if (!is_last(plan, i) || units_skips(units, &plan->steps[i]))
			continue;
		if (is_within(run, plan, i, &within, err) != 0 ||
		    worker_stood_ms(run, plan->steps[i].subject, &stood,
		    err) != 0)
			return -1;
		if (within && stood > 0 && plan_apply_part(run, plan,
		    first_of(plan, i), i + 1, watch, &acted, &at, err) != 0 &&
		    leave(run, plan, units, at, watch, err) != 0)
			return -1;
	}
	return 0;
}

int
switch_apply(struct run *run, const struct plan *plan, struct units *units,
    bool early_only, const struct plan_watch *watch, size_t *acted,
    struct err *err)
{
	size_t end = early_only ? plan->n_early : plan->n_steps, at, did;

	*acted = 0;
	if (refuse_reversing(run, err) != 0 ||
	    rescue_failed(run, plan, units, watch, err) != 0 ||
	    (!early_only &&
	    standing_first(run, plan, units, watch, err) != 0))
		return -1;
	for (size_t i = 0; i < end; i++) {
		if (units_skips(units, &plan->steps[i]))
			continue;
		if (plan_apply_part(run, plan, i, i + 1, watch, &did, &at,
		    err) == 0)
			*acted += did;
		else if (leave(run, plan, units, i, watch, err) != 0)
			return -1;
	}
	return 0;
}

int
switch_refuse_completed(struct run *run, struct err *err)
{
	char *text = NULL;

	if (journal_get(run->journal, COMPLETED, &text, err) != 0)
		return -1;
	if (!text)
		return 0;
	free(text);
	return err_set(err, ERR_STALE, "job %s was completed: what leads "
	    "back was removed", run->conf->name);
}

int
switch_reverse(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *undone, struct err *err)
{
	struct err half = ERR_INIT;

	if (switch_refuse_completed(run, err) != 0)
		return -1;
	if (plan_cancel_part(run, plan, plan->n_early, plan->n_steps, watch,
	    undone, err) == 0)
		return 0;
	if (refuse_reversing(run, &half) == 0)
		return -1;
	err_clear(&half);
	return err_ctx(err, "the way back is not at its end, and a worker may "
	    "stand: run the same command again");
}

int
switch_complete(struct run *run, struct err *err)
{
	const struct conf *conf = run->conf;
	int64_t started;

	if (conf->n_workers == 0)
		return err_set(err, ERR_USAGE, "job %s moves no worker: there "
		    "is nothing to complete", conf->name);
	if (refuse_reversing(run, err) != 0)
		return -1;
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (worker_started(run, &conf->workers[i], &started,
		    err) != 0)
			return -1;
		if (started == 0)
			return err_set(err, ERR_STALE, "[worker %s] is not "
			    "switched yet: run `apply' or `switch' first",
			    conf->workers[i].name);
	}
	if (journal_put(run->journal, COMPLETED, "yes", err) != 0)
		return -1;
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (worker_complete(run, &conf->workers[i], err) != 0)
			return -1;
	}
	return 0;
}
