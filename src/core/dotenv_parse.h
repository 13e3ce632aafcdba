#ifndef CORE_DOTENV_PARSE_H
#define CORE_DOTENV_PARSE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * The grammar of a .env file as python-dotenv 1.0.0 reads it (its parser.py;
 * every rule here was compared with a run of it), one entry at a time:
 *
 *     struct dotenv_parse p;
 *     struct dotenv_entry e;
 *
 *     dotenv_parse_init(&p, text, len);
 *     while (dotenv_parse_next(&p, &e))
 *             if (e.kind == DOTENV_ASSIGNMENT) ...
 *
 * What differs from a shell's or systemd's reading:
 *   - a line may end with LF, CRLF or CR; other Unicode breaks do not end it;
 *   - `export ` before the key, blanks around "=", 'a quoted key' are taken;
 *   - an unquoted value ends before blanks and "#"; `KEY=# x` has the value
 *     "# x"; quotes and backslashes inside it are plain bytes;
 *   - "..." knows \\ \' \" \a \b \f \n \r \t \v, '...' only \\ and \'; both
 *     span lines, and what looks like a line inside is none;
 *   - the closing quote is the first one without a backslash before it; when
 *     the file has none, the last one with a backslash;
 *   - what follows a closing quote, other than a comment, makes the whole
 *     entry an error, and an error is dropped, not fatal.
 *
 * Any bytes can be parsed, in time linear in len.  Nothing is allocated; an
 * entry points into the text.
 */
enum dotenv_kind {
	DOTENV_ASSIGNMENT,	/* KEY=value, or KEY alone */
	DOTENV_COMMENT,
	DOTENV_ERROR		/* python-dotenv warns and drops it */
};

struct dotenv_entry {
	enum dotenv_kind kind;
	size_t line;		/* of its first byte; the first line is 1 */
	size_t begin;		/* its span, from `export` or the key on, */
	size_t end;		/* ... to after its line break */

	/* The rest is for DOTENV_ASSIGNMENT. */
	const char *key;	/* in text, without quotes, not NUL-ended */
	size_t key_len;
	bool has_value;		/* false: no "=" */
	char quote;		/* of the value: '\'', '"', or 0 */
	/*
	 * The span of the value with its quotes.  Empty, and right behind the
	 * key, for KEY alone.
	 */
	size_t value_begin;
	size_t value_end;
};

struct dotenv_parse {
	const char *text;
	size_t len;
	size_t at;
	size_t line;
};

void dotenv_parse_init(struct dotenv_parse *, const char *text, size_t len);

/*
 * The next entry; false at the end.  Only blanks and line breaks lie between
 * entries and behind the last.
 */
bool dotenv_parse_next(struct dotenv_parse *, struct dotenv_entry *);

/*
 * Append the value of an entry of this text: quotes off, escapes decoded,
 * ${} as it is.  CRLF and CR inside quotes give LF, since python-dotenv opens
 * the file in text mode.  Never longer than the value's span.
 */
void dotenv_parse_value(const char *text, const struct dotenv_entry *,
    struct buf *out);

bool dotenv_parse_is_key(const struct dotenv_entry *, const char *key);

/* The line that byte `at` is in; the first one is 1. */
size_t dotenv_parse_line(const char *text, size_t at);

#endif /* !CORE_DOTENV_PARSE_H */
