#include "base/base.h"

#include <stdarg.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/journal.h"

#define SUMMARY_MAX 1024	/* before it is made printable */
#define DIFF_MAX (1024 * 1024)

void
plan_add_late(struct plan *plan, const char *group, const char *subject_name,
    const struct step_kind *kind, const void *subject)
{
	struct step *step;

	plan->steps = mem_grow(plan->steps, plan->n_steps + 1,
	    sizeof(*plan->steps));
	step = &plan->steps[plan->n_steps++];
	step->name = mem_printf("%s.%s.%s", group, subject_name, kind->word);
	step->kind = kind;
	step->subject = subject;
	step->unit = plan->unit;
}

void
plan_add(struct plan *plan, const char *group, const char *subject_name,
    const struct step_kind *kind, const void *subject)
{
	plan_add_late(plan, group, subject_name, kind, subject);
	plan->n_early = plan->n_steps;
}

void
plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		free((char *)plan->steps[i].name);
	free(plan->steps);
	*plan = (struct plan){ 0 };
}

static void
note_init(struct plan_note *note)
{
	note->glyph = '+';
	buf_init(&note->summary, 6 * SUMMARY_MAX);
	buf_init(&note->diff, DIFF_MAX);
}

static void
note_clear(struct plan_note *note)
{
	buf_clear(&note->summary);
	buf_clear(&note->diff);
}

void
plan_say(struct plan_note *note, char glyph, const char *fmt, ...)
{
	char line[SUMMARY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	note->glyph = glyph;
	buf_clear(&note->summary);
	str_printable(&note->summary, line, strlen(line));
}

static void
tell(const struct plan_watch *watch, const struct plan_event *event)
{
	if (watch->event)
		watch->event(watch->ctx, event);
}

/* Behind an edge whose server is down nothing can be looked at. */
static int
look(struct run *run, const struct plan *plan, size_t at,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct step *step = &plan->steps[at];

	*found = PLAN_WAITS;
	if (stop_check(err) != 0)
		return -1;
	if (!run->backend_down || at < plan->n_node)
		return step->kind->probe(run, step, note, found, err);
	plan_say(note, '+', "looked at when the server is up again");
	return 0;
}

int
plan_look_part(struct run *run, const struct plan *plan, size_t first,
    size_t end, const struct plan_watch *watch, size_t *todo,
    struct err *err)
{
	struct plan_note note;
	struct plan_event event = { .type = PLAN_EVENT_FOUND, .note = &note };
	const struct step *step;
	int rc = 0;

	*todo = 0;
	for (size_t i = first; i < end && rc == 0; i++) {
		step = &plan->steps[i];
		event.step = step->name;
		note_init(&note);
		rc = look(run, plan, i, &note, &event.found, err);
		if (rc == 0) {
			tell(watch, &event);
			*todo += event.found != PLAN_DONE;
		} else {
			/* What was found shows why. */
			if (note.diff.len > 0)
				tell(watch, &event);
			(void)err_ctx(err, "plan %s", step->name);
		}
		note_clear(&note);
	}
	return rc;
}

int
plan_look(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *todo, struct err *err)
{
	return plan_look_part(run, plan, 0, plan->n_steps, watch, todo, err);
}

/* Intent, act, done: the order that makes a kill at any line harmless. */
static int
act_on(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	if (journal_step_begin(run->journal, step->name, err) != 0)
		return -1;
	fault_point_of("plan_begun", step->name);
	if (step->kind->act(run, step, note, err) != 0)
		return -1;
	fault_point_of("plan_acted", step->name);
	return journal_step_end(run->journal, step->name, JOURNAL_DONE,
	    buf_cstr(&note->summary), err);
}

/* The journal must agree with what a probe has found to be done. */
static int
record_found(struct run *run, const struct step *step,
    const struct plan_note *note, struct err *err)
{
	enum journal_state state;

	if (journal_step_state(run->journal, step->name, &state, err) != 0)
		return -1;
	if (state == JOURNAL_DONE)
		return 0;
	if (state != JOURNAL_BEGUN &&
	    journal_step_begin(run->journal, step->name, err) != 0)
		return -1;
	return journal_step_end(run->journal, step->name, JOURNAL_DONE,
	    buf_cstr(&note->summary), err);
}

static int
apply_step(struct run *run, const struct step *step,
    const struct plan_watch *watch, bool *acted, struct err *err)
{
	struct plan_note note;
	struct plan_event event = { .step = step->name };
	uint64_t begun_ms = clock_ms();
	int rc;

	note_init(&note);
	*acted = false;
	rc = step->kind->probe(run, step, &note, &event.found, err);
	if (rc == 0 && event.found == PLAN_DONE) {
		rc = record_found(run, step, &note, err);
	} else if (rc == 0) {
		event.type = PLAN_EVENT_BEGIN;
		tell(watch, &event);
		*acted = true;
		note_clear(&note);
		rc = act_on(run, step, &note, err);
	}
	if (rc == 0) {
		event.type = PLAN_EVENT_END;
		event.acted = *acted;
		event.note = &note;
		event.took_ms = clock_ms() - begun_ms;
		tell(watch, &event);
	} else
		(void)err_ctx(err, "step %s", step->name);
	note_clear(&note);
	return rc;
}

int
plan_apply_part(struct run *run, const struct plan *plan, size_t first,
    size_t end, const struct plan_watch *watch, size_t *acted, size_t *at,
    struct err *err)
{
	bool step_acted;

	*acted = 0;
	for (*at = first; *at < end; *at += 1) {
		if (stop_check(err) != 0 ||
		    apply_step(run, &plan->steps[*at], watch, &step_acted,
		    err) != 0)
			return -1;
		*acted += step_acted;
	}
	return 0;
}

int
plan_apply(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *acted, struct err *err)
{
	size_t at;

	return plan_apply_part(run, plan, 0, plan->n_steps, watch, acted, &at,
	    err);
}

static int
cancel_step(struct run *run, const struct step *step,
    const struct plan_watch *watch, struct err *err)
{
	struct plan_note note;
	struct plan_event event = {
		.type = PLAN_EVENT_BEGIN,
		.step = step->name,
		.acted = true,
	};
	uint64_t begun_ms = clock_ms();
	int rc = 0;

	note_init(&note);
	tell(watch, &event);
	if (!step->kind->undo)
		plan_say(&note, '-', "goes with the step before");
	else
		rc = step->kind->undo(run, step, &note, err);
	if (rc == 0)
		fault_point_of("plan_undone", step->name);
	if (rc == 0)
		rc = journal_step_end(run->journal, step->name,
		    JOURNAL_UNDONE, buf_cstr(&note.summary), err);
	if (rc == 0) {
		event.type = PLAN_EVENT_END;
		event.note = &note;
		event.took_ms = clock_ms() - begun_ms;
		tell(watch, &event);
	} else
		(void)err_ctx(err, "take back %s", step->name);
	note_clear(&note);
	return rc;
}

int
plan_begun(struct run *run, const struct plan *plan, bool *out,
    struct err *err)
{
	enum journal_state state;

	*out = false;
	for (size_t i = 0; i < plan->n_steps && !*out; i++) {
		if (journal_step_state(run->journal, plan->steps[i].name,
		    &state, err) != 0)
			return -1;
		*out = state == JOURNAL_BEGUN || state == JOURNAL_DONE;
	}
	return 0;
}

int
plan_cancel_part(struct run *run, const struct plan *plan, size_t first,
    size_t end, const struct plan_watch *watch, size_t *undone,
    struct err *err)
{
	enum journal_state state;
	struct err left = ERR_INIT;
	const struct step *step;

	*undone = 0;
	for (size_t i = end; i-- > first;) {
		step = &plan->steps[i];
		if (stop_check(err) != 0 ||
		    journal_step_state(run->journal, step->name, &state,
		    err) != 0)
			return -1;
		if (state != JOURNAL_BEGUN && state != JOURNAL_DONE)
			continue;
		if (cancel_step(run, step, watch, err) == 0) {
			*undone += 1;
		} else if (step->kind->may_leave && err->kind ==
		    ERR_PARTIAL) {
			left = *err;
			err_clear(err);
		} else
			return -1;
	}
	if (left.kind == ERR_NONE)
		return 0;
	*err = left;
	return -1;
}

int
plan_cancel(struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *undone, struct err *err)
{
	return plan_cancel_part(run, plan, 0, plan->n_steps, watch, undone,
	    err);
}
