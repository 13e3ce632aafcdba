#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"
#include "core/env_dialect.h"

/*
 * How a value may be written.  Of those that as many readers understand the
 * first one is taken.
 */
enum style {
	STYLE_KEEP,		/* the quotes of the old value */
	STYLE_BARE,
	STYLE_SINGLE_PLAIN,	/* in quotes, nothing escaped */
	STYLE_DOUBLE_PLAIN,
	STYLE_DOUBLE,
	STYLE_SINGLE,
	STYLE_LITERAL,		/* unquoted, though it looks odd */
	STYLE_END
};

static bool
is_of(const char *s, const char *more)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		    (*s >= '0' && *s <= '9') || strchr(more, *s)))
			return false;
	return true;
}

/* Why no .env can hold this value; NULL when one can. */
static const char *
unwritable(const char *value)
{
	size_t len = strlen(value);

	if (len > DOTENV_MAX_BYTES)
		return "is too long";
	if (strpbrk(value, "\r\n"))
		return "holds a line break";
	if (strstr(value, "${"))
		return "holds \"${\", which has no escape";
	if (str_utf8_span(value, len) != len)
		return "is not UTF-8";
	return NULL;
}

const char *
dotenv_uneditable(const char *text, size_t len, size_t *line)
{
	const char *why = dotenv_check(text, len, line), *nul;

	if (why)
		return why;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "byte order mark: it becomes part of the first key";
	nul = len > 0 ? memchr(text, '\0', len) : NULL;
	if (!nul)
		return NULL;
	*line = dotenv_parse_line(text, (size_t)(nul - text));
	return "NUL byte";
}

/* The line of the first assignment, or that which would be added. */
static size_t
first_line(const struct buf *text, const char *key)
{
	struct dotenv_parse p;
	struct dotenv_entry e;

	dotenv_parse_init(&p, buf_cstr(text), text->len);
	while (dotenv_parse_next(&p, &e))
		if (dotenv_parse_is_key(&e, key))
			return e.line;
	return dotenv_parse_line(buf_cstr(text), text->len);
}

/*
 * Append value in a style; false when the style is not for it.  A backslash
 * before the closing quote is avoided even where it would read back: a quote
 * added further down later would change what it means.
 */
static bool
write_value(enum style style, char quote, const char *value, struct buf *out)
{
	size_t len = strlen(value);
	bool escapes = style == STYLE_DOUBLE || style == STYLE_SINGLE;

	if (style == STYLE_BARE || style == STYLE_LITERAL) {
		buf_add(out, value, len);
		return style == STYLE_LITERAL || is_of(value, "._:/@+-");
	}
	if (style == STYLE_SINGLE || style == STYLE_SINGLE_PLAIN)
		quote = '\'';
	else if (style != STYLE_KEEP)
		quote = '"';
	if (!quote || (len > 0 && value[len - 1] == '\\') ||
	    (!escapes && strchr(value, quote)))
		return false;
	buf_char(out, quote);
	for (; *value; value++) {
		if (escapes && (*value == '\\' || *value == quote))
			buf_char(out, '\\');
		buf_char(out, *value);
	}
	buf_char(out, quote);
	return true;
}

/* How the last line that has an end ends. */
static const char *
last_break(const struct buf *text)
{
	size_t i = text->len;

	while (i > 0 && text->data[i - 1] != '\n' &&
	    text->data[i - 1] != '\r')
		i--;
	if (i == 0)
		return "\n";
	if (text->data[i - 1] == '\r')
		return "\r";
	return i > 1 && text->data[i - 2] == '\r' ? "\r\n" : "\n";
}

static void
append_key(const struct buf *text, const char *key, struct buf *out)
{
	if (text->len > 0 && text->data[text->len - 1] != '\n' &&
	    text->data[text->len - 1] != '\r')
		buf_str(out, last_break(text));
	buf_printf(out, "%s=", key);
}

/* The text with every value of key replaced; false as write_value. */
static bool
splice(const struct buf *text, const char *key, const char *value,
    enum style style, struct buf *out)
{
	const char *data = buf_cstr(text);
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t done = 0;
	bool ok = true, found = false;

	dotenv_parse_init(&p, data, text->len);
	while (ok && dotenv_parse_next(&p, &e)) {
		if (!dotenv_parse_is_key(&e, key))
			continue;
		buf_add(out, data + done, e.value_begin - done);
		if (!e.has_value)
			buf_char(out, '=');
		ok = write_value(style, e.quote, value, out);
		done = e.value_end;
		found = true;
	}
	buf_add(out, data + done, text->len - done);
	if (!found) {
		append_key(text, key, out);
		ok = write_value(style, '\0', value, out);
		buf_str(out, last_break(text));
	}
	return ok && !out->full;
}

static bool
same_value(const char *a_text, const struct dotenv_entry *a,
    const char *b_text, const struct dotenv_entry *b)
{
	struct buf x, y;
	bool same;

	buf_init_still(&x, a->value_end - a->value_begin);
	buf_init_still(&y, b->value_end - b->value_begin);
	dotenv_parse_value(a_text, a, &x);
	dotenv_parse_value(b_text, b, &y);
	same = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
	buf_wipe(&x);
	buf_wipe(&y);
	return same;
}

static bool
reads_as(const char *text, const struct dotenv_entry *e, const char *value)
{
	struct buf x;
	bool same;

	buf_init_still(&x, e->value_end - e->value_begin);
	dotenv_parse_value(text, e, &x);
	same = e->has_value && x.len == strlen(value) &&
	    memcmp(x.data, value, x.len) == 0;
	buf_wipe(&x);
	return same;
}

/* The bytes of both but their last line break, which may have been added. */
static bool
same_span(const char *a_text, const struct dotenv_entry *a,
    const char *b_text, const struct dotenv_entry *b)
{
	size_t a_end = a->end, b_end = b->end;

	while (a_end > a->begin && strchr("\r\n", a_text[a_end - 1]))
		a_end--;
	while (b_end > b->begin && strchr("\r\n", b_text[b_end - 1]))
		b_end--;
	return a_end - a->begin == b_end - b->begin &&
	    memcmp(a_text + a->begin, b_text + b->begin, a_end - a->begin) ==
	    0;
}

static bool
same_entry(const char *a_text, const struct dotenv_entry *a,
    const char *b_text, const struct dotenv_entry *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind != DOTENV_ASSIGNMENT)
		return same_span(a_text, a, b_text, b);
	return a->key_len == b->key_len &&
	    memcmp(a->key, b->key, a->key_len) == 0 &&
	    a->has_value == b->has_value && same_value(a_text, a, b_text, b);
}

/*
 * Whether the new text reads like the old one, entry by entry, but for key,
 * which reads as value wherever it stands, once at least.
 */
static bool
is_proven(const struct buf *old, const struct buf *new, const char *key,
    const char *value)
{
	struct dotenv_parse p, q;
	struct dotenv_entry a, b;
	bool more, found = false;
	const char *text = buf_cstr(old);

	dotenv_parse_init(&p, text, old->len);
	dotenv_parse_init(&q, new->data, new->len);
	while (dotenv_parse_next(&q, &b)) {
		more = dotenv_parse_next(&p, &a);
		if (dotenv_parse_is_key(&b, key)) {
			if (!reads_as(new->data, &b, value))
				return false;
			if (more ? !dotenv_parse_is_key(&a, key) : found)
				return false;
			found = true;
		} else if (!more || !same_entry(text, &a, new->data, &b))
			return false;
	}
	return found && !dotenv_parse_next(&p, &a);
}

/*
 * The readers that do not have value for key in new, as bits.  Bit
 * ENV_DOTENV is never among them: that reading is proven.
 */
static unsigned int
disagreeing(const struct buf *old, const struct buf *new, const char *key,
    const char *value)
{
	unsigned int bits = 0;

	for (enum env_reader r = ENV_SH; r < ENV_READERS; r++) {
		if (!env_dialect_agrees(r, old, new, key, value))
			bits |= 1u << r;
	}
	return bits;
}

/* More readers first; of as many, the shell before systemd and docker. */
static unsigned int
cost(unsigned int bits)
{
	unsigned int sum = 0;

	for (enum env_reader r = ENV_SH; r < ENV_READERS; r++) {
		if (bits & (1u << r))
			sum += 8 + (ENV_READERS - r);
	}
	return sum;
}

/* The text in the style that most readers understand; false: none does. */
static bool
best_style(const struct buf *text, const char *key, const char *value,
    struct buf *best, unsigned int *bits)
{
	struct buf new;
	unsigned int now;
	bool any = false;

	buf_init_still(&new, best->max);
	for (enum style s = STYLE_KEEP; s < STYLE_END; s++) {
		buf_truncate(&new, 0);
		new.full = false;
		if (!splice(text, key, value, s, &new) ||
		    !is_proven(text, &new, key, value))
			continue;
		now = disagreeing(text, &new, key, value);
		if (any && cost(now) >= cost(*bits))
			continue;
		buf_truncate(best, 0);
		buf_add(best, new.data, new.len);
		*bits = now;
		any = true;
		if (now == 0)
			break;
	}
	buf_wipe(&new);
	return any;
}

static int
replace(struct buf *text, const char *path, const char *key,
    const char *value, unsigned int *bits, struct err *err)
{
	size_t max = text->max, room, line = first_line(text, key);
	struct buf best;
	bool done;

	if (max > DOTENV_MAX_BYTES)
		max = DOTENV_MAX_BYTES;
	room = (dotenv_assigns(buf_cstr(text), text->len, key) + 1) *
	    (2 * strlen(value) + 8) + strlen(key) + text->len;
	buf_init_still(&best, room < 2 * DOTENV_MAX_BYTES ? room :
	    2 * DOTENV_MAX_BYTES);
	done = best_style(text, key, value, &best, bits);
	if (!done || best.len > max) {
		buf_wipe(&best);
		return done || room > best.max ? err_set(err, ERR_DATA,
		    "%s:%zu: with the new value of %s the file is larger "
		    "than %zu bytes", path, line, key, max) :
		    err_set(err, ERR_DATA, "%s:%zu: no way of quoting the new "
		    "value of %s reads back and leaves the other lines as "
		    "they are (a quote left open in the file, or a backslash "
		    "at the end of the value)", path, line, key);
	}
	best.max = text->max;
	buf_wipe(text);
	*text = best;
	return 0;
}

int
dotenv_set(struct buf *text, const char *path, const char *key,
    const char *value, unsigned int *disagree, struct err *err)
{
	unsigned int bits = 0;
	const char *why;
	size_t line;

	if (!is_of(key, "._-") || strlen(key) > 256)
		return err_set(err, ERR_USAGE, "%s: not a key for a .env file",
		    path);
	why = dotenv_uneditable(buf_cstr(text), text->len, &line);
	if (why)
		return err_set(err, ERR_DATA, "%s:%zu: %s", path, line, why);
	why = unwritable(value);
	if (why)
		return err_set(err, ERR_DATA, "%s:%zu: the new value of %s %s",
		    path, first_line(text, key), key, why);
	if (replace(text, path, key, value, &bits, err) != 0)
		return -1;
	if (disagree)
		*disagree = bits;
	return 0;
}

/* The text without the lines that assign key. */
static void
cut(const struct buf *text, const char *key, struct buf *out)
{
	const char *data = buf_cstr(text);
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t done = 0, begin;

	dotenv_parse_init(&p, data, text->len);
	while (dotenv_parse_next(&p, &e)) {
		if (!dotenv_parse_is_key(&e, key))
			continue;
		begin = e.begin;
		while (begin > done && (data[begin - 1] == ' ' ||
		    data[begin - 1] == '\t'))
			begin--;
		buf_add(out, data + done, begin - done);
		done = e.end;
	}
	buf_add(out, data + done, text->len - done);
}

static bool
next_other(struct dotenv_parse *p, const char *key, struct dotenv_entry *e)
{
	while (dotenv_parse_next(p, e)) {
		if (!dotenv_parse_is_key(e, key))
			return true;
	}
	return false;
}

/* Whether the new text is the old one, entry by entry, without key. */
static bool
is_cut(const struct buf *old, const struct buf *new, const char *key)
{
	const char *text = buf_cstr(old), *left = buf_cstr(new);
	struct dotenv_parse p, q;
	struct dotenv_entry a, b;

	dotenv_parse_init(&p, text, old->len);
	dotenv_parse_init(&q, left, new->len);
	while (dotenv_parse_next(&q, &b)) {
		if (!next_other(&p, key, &a) || !same_entry(text, &a, left,
		    &b))
			return false;
	}
	return !next_other(&p, key, &a);
}

int
dotenv_unset(struct buf *text, const char *path, const char *key,
    struct err *err)
{
	struct buf left;
	const char *why;
	size_t line;

	why = dotenv_uneditable(buf_cstr(text), text->len, &line);
	if (why)
		return err_set(err, ERR_DATA, "%s:%zu: %s", path, line, why);
	if (dotenv_assigns(buf_cstr(text), text->len, key) == 0)
		return 0;
	buf_init_still(&left, text->max);
	cut(text, key, &left);
	if (!is_cut(text, &left, key)) {
		buf_wipe(&left);
		return err_set(err, ERR_DATA, "%s:%zu: %s cannot be taken out "
		    "without changing what other lines say", path,
		    first_line(text, key), key);
	}
	buf_wipe(text);
	*text = left;
	return 0;
}
