#ifndef CORE_DOTENV_H
#define CORE_DOTENV_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Read and change a .env file in memory, as python-dotenv 1.0.0 (the version
 * that Broca and SMCP pin) will read it.  core/dotenv_parse.h is the grammar
 * and walks all entries; here are the questions a move asks:
 *
 *     dotenv_get(text, len, "AGENT_ID", NULL, &value, &found, &err)
 *     dotenv_set(&text, path, "AGENT_ID", new_id, NULL, &err)
 *     dotenv_mask(text, len, shown, &out)       (then core/diff.h)
 *
 * A file holds secrets: what these functions use in between is wiped, and no
 * error text ever holds a value.  Buffers that the caller passes are wiped by
 * the caller (buf_wipe).
 */

#define DOTENV_MAX_BYTES (256 * 1024)	/* of a file */
#define DOTENV_MAX_KEYS 4096		/* different keys in a file */
#define DOTENV_MAX_EXPANDED (1024 * 1024)	/* all values after ${} */

/*
 * Why python-dotenv cannot read a file (or we will not: its size), and in
 * which line; NULL when it can.
 */
const char *dotenv_check(const char *text, size_t len, size_t *line);

/* The environment of a process: NULL for a variable that it does not have. */
struct dotenv_env {
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
};

enum dotenv_found {
	DOTENV_ABSENT,
	DOTENV_NO_VALUE,	/* KEY alone: python-dotenv's None */
	DOTENV_VALUE
};

/*
 * The value of KEY.
 *
 * env NULL: what the file alone gives (dotenv_values in an empty
 * environment).  Of several assignments the last one counts, also when it is
 * KEY alone.  ${NAME} and ${NAME:-default} are replaced, in quotes too, by
 * the value that the file gave NAME above.
 *
 * env given: what os.environ holds for KEY after load_dotenv() of a process
 * that was started with env.  A variable of env beats the file, for KEY and
 * inside ${}; a KEY that only env has is found too.
 *
 * value    the bytes are appended (UTF-8; may hold line breaks, and NUL when
 *          env is NULL); nothing unless *found is DOTENV_VALUE
 *
 * Fails with ERR_DATA where load_dotenv raises (not UTF-8; with env: a NUL in
 * a value, "=" or NUL in a key), when a bound above is passed, and when value
 * is full.
 */
int dotenv_get(const char *text, size_t len, const char *key,
    const struct dotenv_env *env, struct buf *value,
    enum dotenv_found *found, struct err *) MUST_CHECK;

/* A variable that a file gives, in the end. */
struct dotenv_known {
	const char *key;	/* key_len bytes, no NUL behind them */
	size_t key_len;
	const char *value;	/* NULL: KEY alone */
	size_t value_len;
	size_t line;		/* of the assignment that counts */
};

/*
 * Call each for every variable, in the order of their first assignments, with
 * what dotenv_get without env says.  Stops at the first failure.
 */
int dotenv_each(const char *text, size_t len,
    int (*each)(void *ctx, const struct dotenv_known *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/* How many entries assign KEY (KEY alone counts: it unsets). */
size_t dotenv_assigns(const char *text, size_t len, const char *key);

/*
 * Why a file cannot be edited safely, and in which line; NULL when it can:
 * what dotenv_check has, a byte order mark (it becomes part of the first
 * key), a NUL.
 */
const char *dotenv_uneditable(const char *text, size_t len, size_t *line);

/*
 * Set KEY to value, wherever the file assigns it: the last assignment counts
 * for every reader, and the others would come back to life the day it goes.
 * Only the bytes of values change; `export`, blanks, comments, CRLF and a
 * missing last line break stay.  KEY alone gets "=value".  If nothing assigns
 * KEY, a line is added at the end with the line break of the file's last line.
 *
 * Of the ways to write value (the quotes that stand there, none, single,
 * double) that is taken which most of the readers of core/env_dialect.h read
 * as value while every other assignment stays what it was to them.  It must
 * read back in python-dotenv, or nothing is changed: the new text is parsed
 * again and every other entry must read as before.
 *
 * text      the whole file; left as it was on failure
 * path      only for messages
 * key       [A-Za-z0-9._-]+, else ERR_USAGE
 * value     UTF-8
 * disagree  gets 1 << reader for those of enum env_reader that have another
 *           value than this, or refuse the file; may be NULL
 *
 * Fails with ERR_DATA, "PATH:LINE: why", for what dotenv_uneditable says; if
 * value holds a line break, bytes that are not UTF-8, or "${" (there is no
 * escape for it); or if no way of quoting reads back.
 */
int dotenv_set(struct buf *text, const char *path, const char *key,
    const char *value, unsigned int *disagree, struct err *err) MUST_CHECK;

/*
 * Remove KEY: every line that assigns it, with its comment.  Every other
 * entry reads as before in python-dotenv, or nothing is changed.  Fails as
 * dotenv_set does.
 */
int dotenv_unset(struct buf *text, const char *path, const char *key,
    struct err *err) MUST_CHECK;

/*
 * The line in which text that looks like an assignment of KEY lies where it
 * is none: inside a value of several lines, or in what a quote left open has
 * swallowed.  0: nowhere.  Whoever wrote it may have meant it.
 */
size_t dotenv_hidden(const char *text, size_t len, const char *key);

/*
 * Append a copy to look at: every value is `***` but those of shown_keys
 * (ended by NULL), whatever it was, one line each.  Of a shown value the user
 * and password of a URL are `***`.  Every comment is `# ***`, whole: old
 * secrets are commented out in many ways, and "#" may be part of a badly
 * quoted password.  Lines that python-dotenv drops are `***`, and so are words
 * without "=" and keys that mix upper and lower case: lines of a pasted
 * private key look so.
 */
void dotenv_mask(const char *text, size_t len, const char *const *shown_keys,
    struct buf *out);

#endif /* !CORE_DOTENV_H */
