#ifndef CORE_SHELL_ENV_H
#define CORE_SHELL_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Variables that a shell script, or the command of a crontab line, assigns
 * literally:
 *
 *     export LETTA_AGENT_ID=agent-...
 *     LETTA_SERVER_URL="http://127.0.0.1:8283" exec venv/bin/python smcp.py
 *
 * A script is not understood here: any word KEY=... outside quotes and
 * comments counts, wherever it stands.  What lies within quotes (sh -c '...')
 * is not seen.
 */
struct shell_env {
	size_t line;
	size_t begin, end;	/* of the value with its quotes */
	bool literal;		/* no expansion in it */
};

/*
 * The next assignment of key from *at on, which moves; 0 to begin with.
 * False at the end.
 */
bool shell_env_next(const char *text, size_t len, const char *key,
    size_t *at, struct shell_env *);

/*
 * Give every literal assignment of key the value; others ($OTHER, `...`)
 * stay.  *changed grows by those that were not so before.  value NULL: a key
 * that must not be given any more.
 *
 * Fails with ERR_DATA "PATH:LINE: ..." when value cannot stand in a script (a
 * line break), when it is NULL and the script assigns something, and when
 * text would be larger than its buffer; text is as it was then.
 */
int shell_env_set(struct buf *text, const char *path, const char *key,
    const char *value, size_t *changed, struct err *) MUST_CHECK;

/* Whether the script reads a file called .env into its shell. */
bool shell_env_sources(const char *text, size_t len);

#endif /* !CORE_SHELL_ENV_H */
