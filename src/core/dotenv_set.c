#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"

/* How a value may be written, in the order in which it is tried. */
enum style {
	STYLE_KEEP,		/* the quotes of the old value */
	STYLE_BARE,
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

/* Why a file is not to be changed, and where; NULL when it may be. */
static const char *
unchangeable(const char *text, size_t len, size_t *line)
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

/*
 * The entry that assigns key.  If none does, one of no length at the end of
 * the text, with key NULL.
 */
static int
find_target(const struct buf *text, const char *path, const char *key,
    struct dotenv_entry *target, struct err *err)
{
	struct dotenv_parse p;
	struct dotenv_entry e;

	*target = (struct dotenv_entry){ .begin = text->len,
	    .end = text->len, .value_begin = text->len,
	    .value_end = text->len };
	dotenv_parse_init(&p, buf_cstr(text), text->len);
	while (dotenv_parse_next(&p, &e)) {
		if (!dotenv_parse_is_key(&e, key))
			continue;
		if (target->key)
			return err_set(err, ERR_DATA, "%s:%zu: %s is "
			    "assigned here and in line %zu", path, e.line, key,
			    target->line);
		*target = e;
	}
	if (!target->key)
		target->line = dotenv_parse_line(buf_cstr(text), text->len);
	return 0;
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
	bool open_end = len > 0 && value[len - 1] == '\\';

	switch (style) {
	case STYLE_KEEP:
		if (!quote || open_end || strchr(value, quote))
			return false;
		buf_char(out, quote);
		buf_add(out, value, len);
		buf_char(out, quote);
		return true;
	case STYLE_SINGLE:
		if (open_end)
			return false;
		buf_char(out, '\'');
		for (; *value; value++) {
			if (*value == '\\' || *value == '\'')
				buf_char(out, '\\');
			buf_char(out, *value);
		}
		buf_char(out, '\'');
		return true;
	case STYLE_BARE:
		if (!is_of(value, "._:/@+-"))
			return false;
		buf_add(out, value, len);
		return true;
	case STYLE_LITERAL:
	case STYLE_END:
		break;
	}
	buf_add(out, value, len);
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

/* The text with the target's value replaced; false as write_value. */
static bool
splice(const struct buf *text, const struct dotenv_entry *target,
    const char *key, const char *value, enum style style, struct buf *out)
{
	const char *data = buf_cstr(text), *lf = last_break(text);
	bool ok;

	buf_add(out, data, target->value_begin);
	if (!target->key) {
		if (text->len > 0 && data[text->len - 1] != '\n' &&
		    data[text->len - 1] != '\r')
			buf_str(out, lf);
		buf_str(out, key);
	}
	if (!target->has_value)
		buf_char(out, '=');
	ok = write_value(style, target->quote, value, out);
	buf_add(out, data + target->value_end,
	    text->len - target->value_end);
	if (!target->key)
		buf_str(out, lf);
	return ok;
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
 * which reads as value.
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
			if (found || !reads_as(new->data, &b, value))
				return false;
			if (more && !dotenv_parse_is_key(&a, key))
				return false;
			found = true;
		} else if (!more || !same_entry(text, &a, new->data, &b))
			return false;
	}
	return found && !dotenv_parse_next(&p, &a);
}

/* Change text in the first style that is proven. */
static int
try_styles(struct buf *text, const char *path, const char *key,
    const char *value, const struct dotenv_entry *target, struct err *err)
{
	size_t max = text->max;
	struct buf new;
	bool done = false;

	buf_init_still(&new, text->len + 2 * strlen(value) + strlen(key) + 8);
	if (max > DOTENV_MAX_BYTES)
		max = DOTENV_MAX_BYTES;
	for (enum style s = STYLE_KEEP; s < STYLE_END && !done; s++) {
		buf_truncate(&new, 0);
		done = splice(text, target, key, value, s, &new) &&
		    is_proven(text, &new, key, value);
	}
	if (!done || new.len > max) {
		buf_wipe(&new);
		return done ? err_set(err, ERR_DATA, "%s:%zu: with the new "
		    "value of %s the file is larger than %zu bytes", path,
		    target->line, key, max) :
		    err_set(err, ERR_DATA, "%s:%zu: no way of quoting the new "
		    "value of %s reads back and leaves the other lines as "
		    "they are (a quote left open in the file, or a backslash "
		    "at the end of the value)", path, target->line, key);
	}
	new.max = text->max;
	buf_wipe(text);
	*text = new;
	return 0;
}

int
dotenv_set(struct buf *text, const char *path, const char *key,
    const char *value, struct err *err)
{
	struct dotenv_entry target;
	const char *why;
	size_t line;

	if (!is_of(key, "._-") || strlen(key) > 256)
		return err_set(err, ERR_USAGE, "%s: not a key for a .env file",
		    path);
	why = unchangeable(buf_cstr(text), text->len, &line);
	if (why)
		return err_set(err, ERR_DATA, "%s:%zu: %s", path, line, why);
	if (find_target(text, path, key, &target, err) != 0)
		return -1;
	why = unwritable(value);
	if (why)
		return err_set(err, ERR_DATA, "%s:%zu: the new value of %s %s",
		    path, target.line, key, why);
	return try_styles(text, path, key, value, &target, err);
}
