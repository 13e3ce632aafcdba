#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/env_dialect_part.h"

/*
 * A file that a shell reads by `.': words of POSIX as dash takes them, as
 * long as there is nothing but assignments and `export'.
 */
static const char runs[] = "the shell would run a command here";
static const char opens[] = "a quote that is not closed: the shell stops";
static const char expands[] = "the shell would expand this";

struct shell {
	const char *text;
	size_t len;
	size_t at;
	size_t line;
	struct env_reading *out;
	struct buf word;	/* without its quotes */
	size_t equals;		/* behind the "=" of NAME=, or 0 */
	bool quoted;		/* some of the word was */
	bool exports;		/* the word is one of `export' */
	const char *unsure;	/* the value cannot be told: why */
};

static char
peek(const struct shell *p, size_t ahead)
{
	return p->at + ahead < p->len ? p->text[p->at + ahead] : '\0';
}

static void
take(struct shell *p)
{
	p->line += p->text[p->at] == '\n';
	buf_char(&p->word, p->text[p->at++]);
}

static bool
skip_joined(struct shell *p)
{
	if (peek(p, 0) != '\\' || peek(p, 1) != '\n')
		return false;
	p->at += 2;
	p->line++;
	return true;
}

static bool
is_name_char(char c, bool first)
{
	return env_dialect_is_name(&c, 1) || (!first && c >= '0' && c <= '9');
}

/*
 * At "${".  ${NAME}, ${NAME:-word} and its kin without anything special in
 * the word change nothing but the value.
 */
static const char *
read_braces(struct shell *p)
{
	size_t i = p->at + 2, begin = i;

	while (i < p->len && is_name_char(p->text[i], i == begin))
		i++;
	if (i == begin)
		return runs;
	if (i < p->len && p->text[i] == ':')
		i++;
	if (i < p->len && (p->text[i] == '-' || p->text[i] == '+'))
		while (i < p->len && !strchr("}'\"\\`$\n{", p->text[i]))
			i++;
	if (i == p->len || p->text[i] != '}')
		return runs;
	p->at = i + 1;
	p->unsure = expands;
	return NULL;
}

/* At "$".  A shell leaves it alone before what is no name. */
static const char *
read_dollar(struct shell *p)
{
	char c = peek(p, 1);

	if (c == '{')
		return read_braces(p);
	if (c == '(' || c == '\'' || c == '"')
		return runs;
	if (is_name_char(c, false) || (c != '\0' && strchr("@*#?-$!", c)))
		p->unsure = expands;
	take(p);
	return NULL;
}

static const char *
read_single(struct shell *p)
{
	for (p->at++; p->at < p->len && p->text[p->at] != '\'';)
		take(p);
	if (p->at == p->len)
		return opens;
	p->at++;
	return NULL;
}

static const char *
read_double(struct shell *p)
{
	const char *wrong = NULL;

	p->at++;
	while (!wrong && p->at < p->len && p->text[p->at] != '"') {
		if (skip_joined(p))
			continue;
		if (p->text[p->at] == '`')
			return runs;
		if (p->text[p->at] == '$') {
			/* What stands behind a last "$" is the quote. */
			if (peek(p, 1) == '"')
				take(p);
			else
				wrong = read_dollar(p);
			continue;
		}
		if (p->text[p->at] == '\\' && peek(p, 1) != '\0' &&
		    strchr("$`\"\\", peek(p, 1)))
			p->at++;
		take(p);
	}
	if (wrong)
		return wrong;
	if (p->at == p->len)
		return opens;
	p->at++;
	return NULL;
}

/* A byte that stands by itself, unquoted. */
static void
read_plain(struct shell *p, char c)
{
	char before = p->word.len > 0 ? p->word.data[p->word.len - 1] : '\0';

	if (c == '=' && p->equals == 0 && !p->quoted &&
	    env_dialect_is_name(buf_cstr(&p->word), p->word.len))
		p->equals = p->word.len + 1;
	else if (c == '~' && p->equals > 0 &&
	    (p->word.len == p->equals || before == ':'))
		p->unsure = expands;
	else if (p->exports && (c == '*' || c == '?' || c == '['))
		p->unsure = expands;
	take(p);
}

static const char *
read_backslash(struct shell *p)
{
	p->quoted = true;
	if (p->at + 1 < p->len)
		p->at++;
	take(p);
	return NULL;
}

/* One word into p->word.  NULL, or why the shell is not followed on. */
static const char *
read_word(struct shell *p)
{
	const char *wrong = NULL;
	char c;

	buf_truncate(&p->word, 0);
	p->equals = 0;
	p->quoted = false;
	p->unsure = NULL;
	while (!wrong && p->at < p->len) {
		c = p->text[p->at];
		if (strchr(" \t\n;", c))
			break;
		if (strchr("&|<>()`", c))
			return runs;
		if (skip_joined(p))
			continue;
		if (c == '\\')
			wrong = read_backslash(p);
		else if (c == '\'' || c == '"') {
			wrong = c == '"' ? read_double(p) : read_single(p);
			p->quoted = true;
		} else if (c == '$') {
			wrong = read_dollar(p);
			p->quoted = true;
		} else
			read_plain(p, c);
	}
	return wrong;
}

/* The word assigns, exports a name, or is a command's. */
static const char *
use_word(struct shell *p, size_t line)
{
	const char *word = buf_cstr(&p->word), *equals;
	size_t len = p->word.len;

	if (!p->exports && p->equals == 0) {
		p->exports = !p->quoted && str_eq(word, "export");
		return p->exports ? NULL : runs;
	}
	if (p->equals == 0 && p->unsure)
		return runs;
	equals = memchr(word, '=', len);
	if (!env_dialect_is_name(word, equals ? (size_t)(equals - word) :
	    len))
		return "`export' of what is no name: the shell stops";
	if (!equals)
		return NULL;
	env_dialect_put(p->out, line, word, (size_t)(equals - word),
	    equals + 1, len - (size_t)(equals - word) - 1, p->unsure);
	return NULL;
}

/* To the next word; at the end of a command false. */
static bool
next_word(struct shell *p)
{
	for (;;) {
		if (skip_joined(p))
			continue;
		if (peek(p, 0) == ' ' || peek(p, 0) == '\t')
			p->at++;
		else if (peek(p, 0) == '#')
			while (p->at < p->len && p->text[p->at] != '\n')
				p->at++;
		else
			break;
	}
	return p->at < p->len && p->text[p->at] != '\n' &&
	    p->text[p->at] != ';';
}

/* Up to a line break or ";". */
static const char *
read_command(struct shell *p)
{
	const char *wrong = NULL;
	bool alone = false;	/* nothing behind `export' yet */
	size_t line, words;

	p->exports = false;
	for (words = 0; !wrong && next_word(p); words++) {
		line = p->line;
		alone = !p->exports;
		wrong = read_word(p);
		if (!wrong)
			wrong = use_word(p, line);
	}
	if (!wrong && alone && p->exports)
		return "`export' alone: the shell prints all it has";
	if (!wrong && p->at < p->len) {
		if (p->text[p->at] == ';' && words == 0)
			return "a \";\" without a command: the shell stops";
		p->line += p->text[p->at++] == '\n';
	}
	return wrong;
}

void
env_dialect_sh(const char *text, size_t len, struct env_reading *out)
{
	struct shell p = { .text = text, .len = len, .line = 1, .out = out };
	const char *wrong = NULL;
	size_t line = 1;

	buf_init_still(&p.word, len);
	while (!wrong && p.at < len) {
		line = p.line;
		wrong = read_command(&p);
	}
	if (wrong)
		env_dialect_refuse(out, line, wrong);
	buf_wipe(&p.word);
}
