#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "core/verdict_row.h"

#define LINE_MAX_BYTES 200
#define VALUE_MAX_BYTES 60
/* Levels that are descended: jdoc_parse takes no more. */
#define DEPTH_MAX 64

struct walk {
	const struct jdoc *a, *b;
	struct buf at;			/* JSON pointer */
	struct buf says;
};

static void
write_value(const struct jdoc *value, struct buf *out)
{
	struct buf text = BUF_INIT(64 * 1024 * 1024);

	jdoc_write(value, &text);
	shown_text(out, buf_cstr(&text), text.len, VALUE_MAX_BYTES);
	buf_clear(&text);
}

static bool
equal(const struct jdoc *a, const struct jdoc *b)
{
	struct buf x = BUF_INIT(64 * 1024 * 1024);
	struct buf y = BUF_INIT(64 * 1024 * 1024);
	bool same;

	jdoc_write_canonical(a, &x);
	jdoc_write_canonical(b, &y);
	same = x.len == y.len && str_eq(buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
	return same;
}

/* One step towards the first difference below two objects; false: none. */
static bool
enter_object(struct walk *w)
{
	struct jdoc_member m = { 0 };
	const struct jdoc *a = w->a, *b = w->b;

	while (jdoc_next(a, &m)) {
		if (!equal(m.value, jdoc_get(b, m.key))) {
			buf_char(&w->at, '/');
			shown_text(&w->at, m.key, strlen(m.key), 40);
			w->a = m.value;
			w->b = jdoc_get(b, m.key);
			return true;
		}
	}
	m = (struct jdoc_member){ 0 };
	while (jdoc_next(b, &m)) {
		if (!jdoc_has(a, m.key)) {
			buf_char(&w->at, '/');
			shown_text(&w->at, m.key, strlen(m.key), 40);
			w->a = NULL;
			w->b = m.value;
			return true;
		}
	}
	return false;
}

static bool
enter_array(struct walk *w)
{
	const struct jdoc *a = w->a, *b = w->b;
	size_t i;

	for (i = 0; i < jdoc_len(a) || i < jdoc_len(b); i++) {
		if (!equal(jdoc_at(a, i), jdoc_at(b, i))) {
			buf_printf(&w->at, "/%zu", i);
			w->a = jdoc_at(a, i);
			w->b = jdoc_at(b, i);
			return true;
		}
	}
	return false;
}

static bool
enter(struct walk *w)
{
	if (jdoc_type(w->a) != jdoc_type(w->b))
		return false;
	if (jdoc_type(w->a) == JDOC_OBJECT)
		return enter_object(w);
	return jdoc_type(w->a) == JDOC_ARRAY && enter_array(w);
}

/* Long texts differ somewhere in the middle: show from there. */
static void
say_texts(struct walk *w)
{
	const char *a = jdoc_str(w->a), *b = jdoc_str(w->b);
	size_t a_len = jdoc_str_len(w->a), b_len = jdoc_str_len(w->b);
	size_t at = 0;

	while (at < a_len && at < b_len && a[at] == b[at])
		at++;
	while (at > 0 && at < a_len && ((unsigned char)a[at] & 0xc0) == 0x80)
		at--;
	if (at < 20)
		at = 0;
	else
		buf_printf(&w->says, "from byte %zu, ", at);
	buf_char(&w->says, '"');
	shown_text(&w->says, a + at, a_len - at, VALUE_MAX_BYTES);
	buf_str(&w->says, "\" and \"");
	shown_text(&w->says, b + at, b_len - at, VALUE_MAX_BYTES);
	buf_char(&w->says, '"');
}

static void
say(struct walk *w)
{
	if (!w->a || !w->b) {
		buf_printf(&w->says, "only at the %s: ", w->a ? "source" :
		    "target");
		write_value(w->a ? w->a : w->b, &w->says);
	} else if (jdoc_str(w->a) && jdoc_str(w->b)) {
		say_texts(w);
	} else {
		write_value(w->a, &w->says);
		buf_str(&w->says, " and ");
		write_value(w->b, &w->says);
	}
}

void
verdict_row_difference(const char *source, const char *target,
    struct buf *out)
{
	struct err ignored = ERR_INIT;
	struct jdoc *a = jdoc_parse(source, strlen(source), &ignored);
	struct jdoc *b = jdoc_parse(target, strlen(target), &ignored);
	struct walk w = {
		.a = a, .b = b,
		.at = BUF_INIT(16 * 1024), .says = BUF_INIT(4 * 1024),
	};
	unsigned int depth;

	if (!str_eq(source, target)) {
		for (depth = 0; depth < DEPTH_MAX && enter(&w); depth++)
			;
		say(&w);
		shown_text(out, buf_cstr(&w.at), w.at.len, 80);
		buf_str(out, ": ");
		shown_text(out, buf_cstr(&w.says), w.says.len,
		    LINE_MAX_BYTES);
	}
	buf_clear(&w.at);
	buf_clear(&w.says);
	jdoc_free(a);
	jdoc_free(b);
}
