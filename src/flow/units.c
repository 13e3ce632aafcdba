#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/jdoc.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/units.h"
#include "io/journal.h"

#define RECORD_MAX (16 * 1024)

static struct unit *
find(const struct units *units, const void *subject)
{
	for (size_t i = 0; subject && i < units->n; i++) {
		if (units->list[i].subject == subject)
			return &units->list[i];
	}
	return NULL;
}

/* The first step's name without its last word. */
void
units_init(struct units *units, const struct plan *plan)
{
	const struct step *step;

	*units = (struct units){ 0 };
	for (size_t i = 0; i < plan->n_steps; i++) {
		step = &plan->steps[i];
		if (!step->unit || find(units, step->unit))
			continue;
		units->list = mem_grow(units->list, units->n + 1,
		    sizeof(*units->list));
		units->list[units->n++] = (struct unit){
			.subject = step->unit,
			.label = mem_strndup(step->name, (size_t)
			    (strrchr(step->name, '.') - step->name)),
		};
	}
}

void
units_clear(struct units *units)
{
	for (size_t i = 0; i < units->n; i++) {
		free(units->list[i].label);
		free(units->list[i].step);
	}
	free(units->list);
	*units = (struct units){ 0 };
}

bool
units_skips(const struct units *units, const struct step *step)
{
	const struct unit *unit = find(units, step->unit);

	return unit && unit->step;
}

bool
units_goes_on(const struct units *units, const struct step *step,
    const struct err *err)
{
	return units->n > 1 && find(units, step->unit) &&
	    err->kind != ERR_INTERRUPTED;
}

static char *
record_key(const char *label)
{
	return mem_printf("failed.%s", label);
}

static int
record(struct run *run, const char *label, const char *step,
    const struct err *why, struct err *err)
{
	struct jdoc *doc = jdoc_new_object();
	struct buf text = BUF_INIT(RECORD_MAX);
	char *key = record_key(label);
	int rc;

	jdoc_set_str(doc, "kind", err_word(why->kind));
	jdoc_set_str(doc, "step", step);
	jdoc_set_str(doc, "text", why->text);
	jdoc_write(doc, &text);
	rc = journal_put(run->journal, key, buf_cstr(&text), err);
	free(key);
	buf_clear(&text);
	jdoc_free(doc);
	return rc;
}

int
units_take(struct units *units, struct run *run, const struct step *step,
    struct err *err)
{
	struct unit *unit = find(units, step->unit);
	struct err second = ERR_INIT;

	if (!units_goes_on(units, step, err))
		return -1;
	/* What it staged and did not commit never was. */
	journal_page_abort(run->journal);
	if (record(run, unit->label, step->name, err, &second) != 0)
		return err_ctx(err, "(and that could not be written down: "
		    "%.300s)", second.text);
	log_warn("%s is left, and the others go on: %s", unit->label,
	    err->text);
	free(unit->step);
	unit->step = mem_strdup(step->name);
	unit->why = *err;
	err_clear(err);
	return 0;
}

int
units_look(struct units *units, struct run *run, const struct plan *plan,
    const struct plan_watch *watch, size_t *todo, struct err *err)
{
	size_t of_step;

	*todo = 0;
	for (size_t i = 0; i < plan->n_steps; i++) {
		if (units_skips(units, &plan->steps[i]))
			continue;
		if (plan_look_part(run, plan, i, i + 1, watch, &of_step,
		    err) == 0)
			*todo += of_step;
		else if (units_take(units, run, &plan->steps[i], err) != 0)
			return -1;
	}
	return 0;
}

/* Only where something is to be forgotten: a second apply writes nothing. */
static int
forget(struct run *run, const char *label, struct err *err)
{
	char *key = record_key(label), *text = NULL;
	int rc = journal_get(run->journal, key, &text, err);

	if (rc == 0 && text && *text)
		rc = journal_put(run->journal, key, "", err);
	free(text);
	free(key);
	return rc;
}

/* The kind of all failures, when they are of one and nothing is well. */
static enum err_kind
kind_of(const struct units *units)
{
	for (size_t i = 0; i < units->n; i++) {
		if (!units->list[i].step || units->list[i].why.kind !=
		    units->list[0].why.kind)
			return ERR_PARTIAL;
	}
	return units->list[0].why.kind;
}

int
units_conclude(struct units *units, struct run *run, struct err *err)
{
	struct buf names = BUF_INIT(64 * 1024);
	const struct unit *unit;
	size_t failed = 0;
	int rc = 0;

	for (size_t i = 0; i < units->n && rc == 0; i++) {
		unit = &units->list[i];
		if (!unit->step)
			rc = forget(run, unit->label, err);
		else
			buf_printf(&names, "%s%s", failed++ ? ", " : "",
			    unit->step);
	}
	if (rc == 0 && failed > 0)
		rc = err_set(err, kind_of(units), "%zu of %zu failed, at "
		    "%.600s; each is left where it stopped: a copy that is "
		    "not whole keeps its temporary name, and sources work as "
		    "before.  Put right what is said above and run the same "
		    "command again: it takes up what is left", failed,
		    units->n, buf_cstr(&names));
	buf_clear(&names);
	return rc;
}

static int
show_failure(struct run *run, const char *label,
    void (*each)(void *ctx, const struct unit_failure *), void *ctx,
    struct err *err)
{
	char *key = record_key(label), *text = NULL;
	struct jdoc *doc = NULL;
	int rc = journal_get(run->journal, key, &text, err);

	if (rc == 0 && text && *text) {
		doc = jdoc_parse(text, strlen(text), err);
		if (doc)
			each(ctx, &(struct unit_failure){
			    .label = label,
			    .step = jdoc_get_str(doc, "step"),
			    .kind = jdoc_get_str(doc, "kind"),
			    .text = jdoc_get_str(doc, "text") });
		rc = doc ? 0 : err_ctx(err, "journal key %s", key);
		jdoc_free(doc);
	}
	free(text);
	free(key);
	return rc;
}

int
units_each_failure(struct run *run, const struct plan *plan,
    void (*each)(void *ctx, const struct unit_failure *), void *ctx,
    struct err *err)
{
	struct units units;
	int rc = 0;

	units_init(&units, plan);
	for (size_t i = 0; i < units.n && rc == 0; i++)
		rc = show_failure(run, units.list[i].label, each, ctx, err);
	units_clear(&units);
	return rc;
}
