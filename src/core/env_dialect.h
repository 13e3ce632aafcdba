#ifndef CORE_ENV_DIALECT_H
#define CORE_ENV_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * One .env file, four programs that read it, four answers:
 *
 *     python-dotenv   load_dotenv() of Broca and SMCP    (core/dotenv.h)
 *     sh              `set -a; . ./.env' of a start script
 *     systemd         EnvironmentFile= of a unit
 *     docker          docker --env-file
 *
 *     struct env_reading *r = env_dialect_read(ENV_SH, text, len);
 *
 *     env_dialect_value(r, "AGENT_ID", &item)
 *     env_reading_free(r);
 *
 * What was compared with runs: python-dotenv 1.0.0, dash 0.5.12, the parser
 * of systemd 252 (its environment.d generator shares it; what that one does
 * besides, expanding $, EnvironmentFile= does not), the command line of
 * docker 28 before an engine that only wrote down what it was asked for.
 *
 * A shell is not run here, and what it would run is not guessed: a file in
 * which anything but assignments stands is refused as a whole, a value with
 * an expansion in it alone.
 */
enum env_reader {
	ENV_DOTENV,
	ENV_SH,
	ENV_SYSTEMD,
	ENV_DOCKER,
	ENV_READERS
};

enum env_outcome {
	ENV_UNSET,		/* this reader leaves the variable unset */
	ENV_SET,
	ENV_REFUSED		/* fails, or the value cannot be told: why */
};

/* What one assignment of the file is to a reader. */
struct env_item {
	const char *key;
	const char *value;	/* for ENV_SET; value_len bytes and a NUL */
	size_t value_len;
	size_t line;
	enum env_outcome outcome;
	const char *why;	/* for ENV_REFUSED: never holds a value */
};

struct env_reading;

/* "python-dotenv", "sh", "systemd", "docker". */
const char *env_reader_name(enum env_reader);

/*
 * Read a text of at most DOTENV_MAX_BYTES.  Never fails: a file that the
 * reader refuses is a reading, too.  env_reading_free wipes it.
 */
struct env_reading *env_dialect_read(enum env_reader, const char *text,
    size_t len);
void env_reading_free(struct env_reading *);

/* Why the reader refuses the whole file, and where; NULL: it does not. */
const char *env_dialect_refusal(const struct env_reading *, size_t *line);

/*
 * What KEY is in the end: of several assignments the last one.  When the
 * whole file is refused, so is each key.
 */
struct env_item env_dialect_value(const struct env_reading *,
    const char *key);

/* The assignments in order, however many of one key. */
size_t env_dialect_count(const struct env_reading *);
struct env_item env_dialect_item(const struct env_reading *, size_t i);

/*
 * Whether KEY is value after an edit, and every assignment of another key is
 * what it was before.  A reader that refused the file before as it does now
 * (the same reason and line) has nothing to say: false.
 */
bool env_dialect_agrees(enum env_reader, const struct buf *before,
    const struct buf *after, const char *key, const char *value);

#endif /* !CORE_ENV_DIALECT_H */
