#ifndef CORE_ENV_LINT_H
#define CORE_ENV_LINT_H

#include "base/attr.h"
#include "core/env_dialect.h"

struct err;

/*
 * What each reader makes of each key of a .env file, beside what python-dotenv
 * makes of it: the table of `worker env lint`.
 */
enum env_verdict {
	ENV_SAME,
	ENV_DIFFERS,		/* another value, or unset */
	ENV_FAILS		/* the reader refuses; why */
};

struct env_lint_row {
	const char *key;
	size_t line;			/* of the assignment that counts */
	enum env_verdict verdicts[ENV_READERS];
	const char *whys[ENV_READERS];	/* never hold a value */
	size_t lines[ENV_READERS];	/* where the reader has it from */
};

struct env_lint_result {
	size_t keys;
	size_t rows_differing;		/* with one ENV_DIFFERS or ENV_FAILS */
	const char *uneditable;		/* dotenv_uneditable, or NULL */
	size_t uneditable_line;
};

/*
 * Call each for every key that any reader knows, in the order of
 * python-dotenv's, then the others.  Stops at the first failure, which is
 * each's own.
 */
int env_lint(const char *text, size_t len,
    int (*each)(void *ctx, const struct env_lint_row *, struct err *),
    void *ctx, struct env_lint_result *, struct err *) MUST_CHECK;

/* "same", "differs", "refused". */
const char *env_verdict_word(enum env_verdict);

#endif /* !CORE_ENV_LINT_H */
