#include "base/base.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/shown.h"
#include "core/verdict.h"

#define REASON_MAX 300
#define NAME_WIDTH_MAX 60	/* a longer name moves its line only */

const struct verdict_blind verdict_blind[] = {
	{ "secret values",
	  "exports hold the names of tool variables with empty values" },
	{ "model settings",
	  "the file carries them; the target's server may resolve them anew" },
	{ "runs and steps",
	  "no export holds them" },
	{ "packing of user texts",
	  "of rows that no export held, a listing shows the text alone" },
	{ NULL, NULL }
};

void
verdict_add(struct verdict *v, const char *name, enum verdict_state state,
    uint64_t source, uint64_t target, const char *reason, ...)
{
	struct buf shown = BUF_INIT(4 * REASON_MAX + 64);
	char text[4 * REASON_MAX] = "";
	va_list ap;

	if (reason) {
		va_start(ap, reason);
		(void)vsnprintf(text, sizeof(text), reason, ap);
		va_end(ap);
		shown_text(&shown, text, strlen(text), REASON_MAX);
	}
	v->checks = mem_grow(v->checks, v->n_checks + 1, sizeof(*v->checks));
	v->checks[v->n_checks++] = (struct verdict_check){
		.name = mem_strdup(name),
		.state = state,
		.source = source,
		.target = target,
		.reason = mem_strdup(buf_cstr(&shown)),
	};
	buf_clear(&shown);
}

void
verdict_add_blind(struct verdict *v)
{
	const struct verdict_blind *b;

	for (b = verdict_blind; b->name; b++)
		verdict_add(v, b->name, VERDICT_NOT_COMPARED, 0, 0, "%s",
		    b->reason);
}

void
verdict_add_all(struct verdict *v, const char *prefix,
    const struct verdict *other)
{
	const struct verdict_check *check;
	char *name;

	for (size_t i = 0; i < other->n_checks; i++) {
		check = &other->checks[i];
		name = mem_printf("%s.%s", prefix, check->name);
		verdict_add(v, name, check->state, check->source,
		    check->target, "%s", check->reason);
		free(name);
	}
}

enum verdict_state
verdict_overall(const struct verdict *v)
{
	enum verdict_state state = VERDICT_NOT_COMPARED;
	size_t i;

	for (i = 0; i < v->n_checks; i++) {
		if (v->checks[i].state == VERDICT_DIFFERENT)
			return VERDICT_DIFFERENT;
		if (v->checks[i].state == VERDICT_SAME)
			state = VERDICT_SAME;
	}
	return state;
}

const char *
verdict_word(enum verdict_state state)
{
	switch (state) {
	case VERDICT_SAME:
		return "same";
	case VERDICT_DIFFERENT:
		return "different";
	default:
		return "not compared";
	}
}

void
verdict_write_text(const struct verdict *v, struct buf *out)
{
	const struct verdict_check *c;
	size_t i;
	int width = 22;

	for (i = 0; i < v->n_checks; i++) {
		if (strlen(v->checks[i].name) > (size_t)width &&
		    strlen(v->checks[i].name) <= NAME_WIDTH_MAX)
			width = (int)strlen(v->checks[i].name);
	}
	for (i = 0; i < v->n_checks; i++) {
		c = &v->checks[i];
		buf_printf(out, "%-*s %-13s", width, c->name,
		    verdict_word(c->state));
		if (c->state == VERDICT_NOT_COMPARED)
			buf_printf(out, "%21s", "");
		else
			buf_printf(out, " %9" PRIu64 " %10" PRIu64, c->source,
			    c->target);
		if (*c->reason)
			buf_printf(out, "  %s", c->reason);
		while (out->len > 0 && out->data[out->len - 1] == ' ')
			buf_truncate(out, out->len - 1);
		buf_char(out, '\n');
	}
	buf_printf(out, "verdict: %s\n", verdict_word(verdict_overall(v)));
}

void
verdict_clear(struct verdict *v)
{
	size_t i;

	if (!v)
		return;
	for (i = 0; i < v->n_checks; i++) {
		free(v->checks[i].name);
		free(v->checks[i].reason);
	}
	free(v->checks);
	memset(v, 0, sizeof(*v));
}
