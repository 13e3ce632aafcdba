#include "base/base.h"

#include "base/buf.h"
#include "core/dotenv_parse.h"

/*
 * Length of the blank at text[at], 0 if there is none.  Blank is what
 * Python's \s matches in a str, in UTF-8; its lead bytes never occur inside
 * another character.
 */
static size_t
blank_len(const char *text, size_t len, size_t at)
{
	const unsigned char *p = (const unsigned char *)text + at;
	size_t left = len - at;

	if (left == 0)
		return 0;
	if (p[0] == ' ' || (p[0] >= 0x09 && p[0] <= 0x0d) ||
	    (p[0] >= 0x1c && p[0] <= 0x1f))
		return 1;
	if (left >= 2 && p[0] == 0xc2 && (p[1] == 0x85 || p[1] == 0xa0))
		return 2;
	if (left < 3)
		return 0;
	if (p[0] == 0xe1)
		return p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;
	if (p[0] == 0xe2 && p[1] == 0x80)
		return (p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xa8 ||
		    p[2] == 0xa9 || p[2] == 0xaf ? 3 : 0;
	if (p[0] == 0xe2)
		return p[1] == 0x81 && p[2] == 0x9f ? 3 : 0;
	return p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;
}

static bool
is_break(char c)
{
	return c == '\n' || c == '\r';
}

/* The first byte from at on that is no blank; breaks: pass them too. */
static size_t
skip_blanks(const struct dotenv_parse *p, size_t at, bool breaks)
{
	size_t n;

	for (;;) {
		n = blank_len(p->text, p->len, at);
		if (n == 0 || (!breaks && is_break(p->text[at])))
			return at;
		at += n;
	}
}

static size_t
line_end(const struct dotenv_parse *p, size_t at)
{
	while (at < p->len && !is_break(p->text[at]))
		at++;
	return at;
}

static size_t
skip_break(const struct dotenv_parse *p, size_t at)
{
	if (at + 1 < p->len && p->text[at] == '\r' && p->text[at + 1] == '\n')
		return at + 2;
	return at < p->len ? at + 1 : at;
}

static char
peek(const struct dotenv_parse *p, size_t at)
{
	return at < p->len ? p->text[at] : '\0';
}

/* Move to `at` and count the lines on the way. */
static void
advance(struct dotenv_parse *p, size_t at)
{
	while (p->at < at) {
		if (is_break(p->text[p->at])) {
			p->at = skip_break(p, p->at);
			p->line++;
		} else
			p->at++;
	}
}

/*
 * The functions below read one part from *at on and move *at behind it.  On
 * failure *at stays, since the rest of the line is dropped from there.
 */

static void
read_export(const struct dotenv_parse *p, size_t *at)
{
	static const char word[] = "export";
	size_t len = sizeof(word) - 1, after;

	if (p->len - *at < len || memcmp(p->text + *at, word, len) != 0)
		return;
	after = skip_blanks(p, *at + len, false);
	if (after > *at + len)
		*at = after;
}

static bool
read_key(const struct dotenv_parse *p, size_t *at, struct dotenv_entry *e)
{
	size_t i = *at;

	if (peek(p, i) == '\'') {
		for (i++; i < p->len && p->text[i] != '\''; i++)
			;
		if (i == p->len || i == *at + 1)
			return false;
		e->key = p->text + *at + 1;
		e->key_len = i - *at - 1;
		*at = i + 1;
		return true;
	}
	while (i < p->len && p->text[i] != '=' && p->text[i] != '#' &&
	    blank_len(p->text, p->len, i) == 0)
		i++;
	if (i == *at)
		return false;
	e->key = p->text + *at;
	e->key_len = i - *at;
	*at = i;
	return true;
}

/*
 * The regular expressions are '((?:\\'|[^'])*)' and its twin.  They take \'
 * as a pair, greedily, and stop at the first quote that is no part of one;
 * when there is none, backtracking gives the last pair's quote up as the
 * closing one.
 */
static bool
read_quoted(const struct dotenv_parse *p, size_t *at, struct dotenv_entry *e)
{
	size_t i = *at + 1, last = 0;
	char quote = p->text[*at];

	while (i < p->len && p->text[i] != quote) {
		if (p->text[i] == '\\' && i + 1 < p->len &&
		    p->text[i + 1] == quote) {
			last = i + 1;
			i++;
		}
		i++;
	}
	if (i >= p->len)
		i = last;
	if (i == 0)
		return false;
	e->quote = quote;
	e->value_end = i + 1;
	*at = i + 1;
	return true;
}

static void
read_unquoted(const struct dotenv_parse *p, size_t *at,
    struct dotenv_entry *e)
{
	bool after_blank = false;
	size_t i = *at, n;

	e->value_end = i;
	while (i < p->len && !is_break(p->text[i])) {
		n = blank_len(p->text, p->len, i);
		if (n == 0 && after_blank && p->text[i] == '#')
			break;
		after_blank = n > 0;
		i += n > 0 ? n : 1;
		if (!after_blank)
			e->value_end = i;
	}
	*at = e->value_end;
}

/* A comment or nothing, and the end of the line. */
static bool
read_tail(const struct dotenv_parse *p, size_t *at)
{
	size_t i = skip_blanks(p, *at, false);

	if (peek(p, i) == '#')
		i = line_end(p, i);
	if (i < p->len && !is_break(p->text[i]))
		return false;
	*at = skip_break(p, i);
	return true;
}

static bool
read_entry(const struct dotenv_parse *p, size_t *at, struct dotenv_entry *e)
{
	read_export(p, at);
	if (peek(p, *at) == '#') {
		e->kind = DOTENV_COMMENT;
		return read_tail(p, at);
	}
	e->kind = DOTENV_ASSIGNMENT;
	if (!read_key(p, at, e))
		return false;
	e->value_begin = e->value_end = *at;
	*at = skip_blanks(p, *at, false);
	if (peek(p, *at) == '=') {
		e->has_value = true;
		*at = skip_blanks(p, *at + 1, false);
		e->value_begin = e->value_end = *at;
		if (peek(p, *at) == '\'' || peek(p, *at) == '"') {
			if (!read_quoted(p, at, e))
				return false;
		} else
			read_unquoted(p, at, e);
	}
	return read_tail(p, at);
}

void
dotenv_parse_init(struct dotenv_parse *p, const char *text, size_t len)
{
	*p = (struct dotenv_parse){ .text = text, .len = len, .line = 1 };
}

bool
dotenv_parse_next(struct dotenv_parse *p, struct dotenv_entry *e)
{
	size_t at, begin;

	advance(p, skip_blanks(p, p->at, true));
	if (p->at == p->len)
		return false;

	begin = at = p->at;
	*e = (struct dotenv_entry){ .begin = begin, .line = p->line };
	if (!read_entry(p, &at, e)) {
		at = skip_break(p, line_end(p, at));
		*e = (struct dotenv_entry){ .kind = DOTENV_ERROR,
		    .begin = begin, .line = p->line };
	}
	e->end = at;
	advance(p, at);
	return true;
}

/* What a backslash and c stand for inside quote; 0: the two bytes. */
static char
escape(char quote, char c)
{
	static const char from[] = "\\'\"abfnrtv";
	static const char to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *found;

	if (c == '\0')
		return '\0';
	if (quote == '\'')
		return c == '\\' || c == '\'' ? c : '\0';
	found = strchr(from, c);
	return found ? to[found - from] : '\0';
}

void
dotenv_parse_value(const char *text, const struct dotenv_entry *e,
    struct buf *out)
{
	size_t i = e->value_begin, end = e->value_end;
	char c;

	if (!e->quote) {
		buf_add(out, text + i, end - i);
		return;
	}
	for (i++, end--; i < end; i++) {
		if (text[i] == '\r') {
			buf_char(out, '\n');
			if (i + 1 < end && text[i + 1] == '\n')
				i++;
			continue;
		}
		c = '\0';
		if (text[i] == '\\' && i + 1 < end)
			c = escape(e->quote, text[i + 1]);
		buf_char(out, c ? c : text[i]);
		if (c)
			i++;
	}
}

bool
dotenv_parse_is_key(const struct dotenv_entry *e, const char *key)
{
	return e->kind == DOTENV_ASSIGNMENT && e->key_len == strlen(key) &&
	    memcmp(e->key, key, e->key_len) == 0;
}

size_t
dotenv_parse_line(const char *text, size_t at)
{
	size_t line = 1;

	for (size_t i = 0; i < at; i++)
		if (text[i] == '\n' ||
		    (text[i] == '\r' && (i + 1 >= at || text[i + 1] != '\n')))
			line++;
	return line;
}
