#include "base/base.h"

#include "base/buf.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"

static const char hidden[] = "***";

static bool
is_shown(const struct dotenv_entry *e, const char *const *shown_keys)
{
	for (; *shown_keys; shown_keys++)
		if (dotenv_parse_is_key(e, *shown_keys))
			return true;
	return false;
}

/* A line of base64 has letters of both cases; a key by custom has not. */
static bool
looks_like_key(const struct dotenv_entry *e)
{
	bool upper = false, lower = false;
	char c;

	for (size_t i = 0; i < e->key_len; i++) {
		c = e->key[i];
		if (c >= 'a' && c <= 'z')
			lower = true;
		else if (c >= 'A' && c <= 'Z')
			upper = true;
		else if (!((c >= '0' && c <= '9') || c == '_' || c == '.' ||
		    c == '-'))
			return false;
	}
	return upper != lower;
}

/* Where the line break of text[begin, end) starts. */
static size_t
before_break(const char *text, size_t begin, size_t end)
{
	while (end > begin &&
	    (text[end - 1] == '\n' || text[end - 1] == '\r'))
		end--;
	return end;
}

/* A comment may hold anything, and people comment old secrets out. */
static void
mask_comment(struct buf *out)
{
	buf_printf(out, "# %s", hidden);
}

/* What stands behind a value: blanks, and perhaps a comment. */
static void
mask_tail(const char *text, size_t begin, size_t end, struct buf *out)
{
	const char *hash = memchr(text + begin, '#', end - begin);
	size_t at = hash ? (size_t)(hash - text) : end;

	buf_add(out, text + begin, at - begin);
	if (hash)
		mask_comment(out);
}

/*
 * A value to be shown, without the user and password of a URL.  All before
 * the last "@" counts as such, apart from a quote and the scheme: a password
 * may hold "/", "#" or "@" itself.
 */
static void
show_value(const char *value, size_t len, struct buf *out)
{
	const char *at = memrchr(value, '@', len), *begin = value, *scheme;

	if (!at) {
		buf_add(out, value, len);
		return;
	}
	if (*begin == '"' || *begin == '\'')
		begin++;
	scheme = memmem(begin, (size_t)(at - begin), "://", 3);
	if (scheme)
		begin = scheme + 3;
	buf_add(out, value, (size_t)(begin - value));
	buf_str(out, hidden);
	buf_add(out, at, (size_t)(value + len - at));
}

static void
mask_assignment(const char *text, const struct dotenv_entry *e, bool shown,
    size_t end, struct buf *out)
{
	size_t key_at = (size_t)(e->key - text);

	if (!shown && !e->has_value) {
		buf_str(out, hidden);
		return;
	}
	if (shown || looks_like_key(e))
		buf_add(out, text + e->begin, e->value_begin - e->begin);
	else {
		buf_add(out, text + e->begin, key_at - e->begin);
		buf_printf(out, "%s=", hidden);
	}
	if (shown)
		show_value(text + e->value_begin,
		    e->value_end - e->value_begin, out);
	else
		buf_str(out, hidden);
	mask_tail(text, e->value_end, end, out);
}

void
dotenv_mask(const char *text, size_t len, const char *const *shown_keys,
    struct buf *out)
{
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t last = 0, end;

	dotenv_parse_init(&p, text, len);
	while (dotenv_parse_next(&p, &e)) {
		buf_add(out, text + last, e.begin - last);
		last = e.end;
		end = before_break(text, e.begin, e.end);
		if (e.kind == DOTENV_COMMENT)
			mask_comment(out);
		else if (e.kind == DOTENV_ERROR)
			buf_str(out, hidden);
		else
			mask_assignment(text, &e, is_shown(&e, shown_keys),
			    end, out);
		buf_add(out, text + end, e.end - end);
	}
	buf_add(out, text + last, len - last);
}
