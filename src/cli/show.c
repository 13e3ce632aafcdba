#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/plan.h"
#include "flow/units.h"

#define VERDICT_TEXT_MAX (16 * 1024 * 1024)

#define OBJECT_MAX (4 * 1024 * 1024)

struct jdoc *
show_new(const char *type)
{
	struct jdoc *object = jdoc_new_object();

	jdoc_set_str(object, "type", type);
	jdoc_set(object, "version", jdoc_new_int(1));
	return object;
}

void
show_object(struct jdoc *take)
{
	struct buf text = BUF_INIT(OBJECT_MAX);

	jdoc_write(take, &text);
	(void)puts(buf_cstr(&text));
	(void)fflush(stdout);
	buf_clear(&text);
	jdoc_free(take);
}

static const char *
found_word(enum plan_found found)
{
	switch (found) {
	case PLAN_DONE:
		return "done";
	case PLAN_TODO:
		return "todo";
	case PLAN_WAITS:
		return "waits";
	}
	return "";
}

/* What a step has become; an event does not tell which way it went. */
static const char *
ended_word(const struct opt *opt)
{
	return opt->command && (str_eq(opt->command, "cancel") ||
	    str_eq(opt->command, "uninstall")) ? "undone" :
	    "done";
}

static void
event_json(const struct opt *opt, const struct plan_event *event)
{
	struct jdoc *object;
	char glyph[2] = { 0 };

	if (event->type == PLAN_EVENT_BEGIN)
		return;
	object = show_new("step");
	jdoc_set_str(object, "step", event->step);
	if (event->type == PLAN_EVENT_FOUND)
		jdoc_set_str(object, "state", found_word(event->found));
	else {
		jdoc_set_str(object, "state", ended_word(opt));
		jdoc_set(object, "acted", jdoc_new_bool(event->acted));
		jdoc_set(object, "took_ms",
		    jdoc_new_int((int64_t)event->took_ms));
	}
	glyph[0] = event->note->glyph;
	jdoc_set_str(object, "change", glyph);
	jdoc_set_str(object, "summary", buf_cstr(&event->note->summary));
	if (event->note->diff.len > 0)
		jdoc_set_str(object, "diff", buf_cstr(&event->note->diff));
	show_object(object);
}

/* A diff below its step, moved in so that steps stand out. */
static void
indented(const char *text)
{
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		(void)printf("      %.*s\n", (int)(end - text), text);
	}
}

static void
event_text(const struct plan_event *event)
{
	const struct plan_note *note = event->note;

	switch (event->type) {
	case PLAN_EVENT_FOUND:
		if (event->found == PLAN_DONE)
			(void)printf("    %s: %s\n", event->step,
			    buf_cstr(&note->summary));
		else
			(void)printf("  %c %s: %s%s\n", note->glyph,
			    event->step, buf_cstr(&note->summary),
			    event->found == PLAN_WAITS ?
			    " (known when the steps before are done)" : "");
		if (note->diff.len > 0)
			indented(buf_cstr(&note->diff));
		break;
	case PLAN_EVENT_BEGIN:
		log_info("%s ...", event->step);
		break;
	case PLAN_EVENT_END:
		if (event->acted)
			(void)printf("  %c %s: %s (%.1f s)\n", note->glyph,
			    event->step, buf_cstr(&note->summary),
			    (double)event->took_ms / 1000);
		if (event->acted && note->diff.len > 0)
			indented(buf_cstr(&note->diff));
		break;
	}
	(void)fflush(stdout);
}

void
show_event(void *ctx, const struct plan_event *event)
{
	const struct opt *opt = ctx;

	if (opt->json)
		event_json(opt, event);
	else
		event_text(event);
}

int
show_judged(const struct opt *opt, const struct verdict *verdict,
    struct err *err)
{
	show_verdict(opt, verdict);
	if (verdict_overall(verdict) == VERDICT_SAME)
		return 0;
	return err_set(err, ERR_VERDICT, "the verdict is not `same'; nothing "
	    "was changed, see the checks above");
}

void
show_error(const struct opt *opt, const struct err *err)
{
	struct buf text = BUF_INIT(8 * ERR_TEXT_MAX);
	struct jdoc *object;

	str_printable(&text, err->text, strlen(err->text));
	(void)fprintf(stderr, "sanctumctl: %s\n", buf_cstr(&text));
	if (opt->json) {
		object = show_new("error");
		jdoc_set_str(object, "kind", err_word(err->kind));
		jdoc_set(object, "exit", jdoc_new_int(err_exit(err)));
		jdoc_set(object, "transient", jdoc_new_bool(err->transient));
		jdoc_set_str(object, "text", buf_cstr(&text));
		show_object(object);
	}
	buf_clear(&text);
}

void
show_failure(const struct opt *opt, const struct unit_failure *failure)
{
	struct buf text = BUF_INIT(8 * ERR_TEXT_MAX);
	struct jdoc *object;

	str_printable(&text, failure->text, strlen(failure->text));
	if (opt->json) {
		object = show_new("failure");
		jdoc_set_str(object, "unit", failure->label);
		jdoc_set_str(object, "step", failure->step);
		jdoc_set_str(object, "kind", failure->kind);
		jdoc_set_str(object, "text", buf_cstr(&text));
		show_object(object);
	} else
		(void)printf("  ! %s failed at %s: %s\n", failure->label,
		    failure->step, buf_cstr(&text));
	buf_clear(&text);
}

void
show_acted(const struct opt *opt, const struct show_acted *s)
{
	struct jdoc *object;

	if (opt->json) {
		object = show_new(s->type);
		jdoc_set(object, "steps", jdoc_new_int((int64_t)s->steps));
		jdoc_set(object, "acted", jdoc_new_int((int64_t)s->acted));
		if (s->journal)
			jdoc_set_str(object, "journal", s->journal);
		jdoc_set_str(object, "next", s->next);
		show_object(object);
		return;
	}
	if (s->acted > 0)
		(void)printf("done: %zu of %zu steps%s acted", s->acted,
		    s->steps, s->of);
	else
		(void)printf("nothing to do: all %zu steps%s are done",
		    s->steps, s->of);
	if (s->journal)
		(void)printf("; journal %s", s->journal);
	(void)printf("\n");
	if (s->acted > 0)
		(void)printf("next: sanctumctl %s %s\n", s->next, opt->job);
}

void
show_count(const struct opt *opt, const char *type, const char *key,
    size_t n, const char *text)
{
	struct jdoc *object;

	if (opt->json) {
		object = show_new(type);
		jdoc_set(object, key, jdoc_new_int((int64_t)n));
		show_object(object);
	} else
		(void)printf("%zu %s\n", n, text);
}

void
show_job(const struct opt *opt, const char *path)
{
	struct jdoc *object;

	if (opt->json) {
		object = show_new("job");
		jdoc_set_str(object, "path", path);
		show_object(object);
	} else
		log_info("this is the job %s", path);
}

/* An object a check, and last the verdict on all of them. */
static void
verdict_json(const struct verdict *verdict)
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
verdict_text(const struct verdict *verdict)
{
	struct buf text = BUF_INIT(VERDICT_TEXT_MAX);

	verdict_write_text(verdict, &text);
	(void)fputs(buf_cstr(&text), stdout);
	buf_clear(&text);
}

void
show_verdict(const struct opt *opt, const struct verdict *verdict)
{
	if (opt->json)
		verdict_json(verdict);
	else
		verdict_text(verdict);
}
