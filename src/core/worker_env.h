#ifndef CORE_WORKER_ENV_H
#define CORE_WORKER_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct secret;

/*
 * What the .env files of a worker must say once it serves another agent.
 *
 *     worker_env_edit     each file: keys that it assigns
 *     worker_env_script   each start script: the same keys, as a shell has them
 *     worker_env_add      a key that no file assigns
 *     worker_env_guard    the file that Broca reads: will it start and answer?
 *
 * Facts from Broca 1b368f9 and SMCP 895f188, read and run.
 */

/* A line of [env WORKER]. */
struct worker_env_extra {
	const char *key;
	const char *tree;		/* whose file; NULL: any */
	const char *value;
};

struct worker_env {
	const char *agent_id;		/* AGENT_ID, LETTA_AGENT_ID */
	const char *url;		/* AGENT_ENDPOINT, LETTA_SERVER_URL */
	const struct secret *token;	/* AGENT_API_KEY, LETTA_API_KEY,
					 * LETTA_SERVER_PASSWORD; NULL: the
					 * server has none */
	const char *server;		/* its section's name, for messages */
	const char *name;		/* the worker's, likewise */
	const struct worker_env_extra *extras;
	size_t n_extras;
};

/* What the functions below met; they add to it. */
struct worker_env_result {
	size_t changed;		/* keys that got another value, file by file */
	bool names_agent;	/* AGENT_ID is assigned in the file */
	unsigned int disagree;	/* 1 << enum env_reader: readers that could
				 * read the file, and have no use for what a
				 * key of it is now */
	const char *disagree_key;	/* the first such key */
};

/*
 * Give every key that the text assigns its new value, wherever it does; a key
 * of an extra wins over one of the table.  Nothing is added.  Everything else
 * stays byte for byte (core/dotenv.h).
 *
 * path  for messages
 * tree  whose file this is; NULL: the worker's own, beside the trees
 *
 * Fails with ERR_DATA, text unchanged, for what cannot be edited safely, for
 * a key that looks assigned inside another value, for a file that moves
 * Broca's database elsewhere (DB_PATH, TEST_DB_PATH: it would not be carried),
 * and, without a token, for one that holds a token: it is the old server's.
 */
int worker_env_edit(struct buf *text, const char *path, const char *tree,
    const struct worker_env *, struct worker_env_result *, struct err *)
    MUST_CHECK;

/* The same in a script that a shell runs (core/shell_env.h). */
int worker_env_script(struct buf *text, const char *path,
    const struct worker_env *, struct worker_env_result *, struct err *)
    MUST_CHECK;

/* Add the line of an extra; failures as above. */
int worker_env_add(struct buf *text, const char *path,
    const struct worker_env_extra *, struct worker_env_result *,
    struct err *) MUST_CHECK;

/*
 * Whether Broca will start with this .env, and answer.  Fails with ERR_DATA:
 *   - DEBUG_MODE is not there, or not `false': the agent is off, and every
 *     message is sent back to its sender as the answer;
 *   - AGENT_ENDPOINT or AGENT_API_KEY has a word that Broca takes for a
 *     placeholder (your_, -here, example, test-, ...): it ends at start;
 *   - both TELEGRAM_OWNER_ID and TELEGRAM_OWNER_USERNAME.
 * *background is set when USE_BACKGROUND_PROCESSING is on, as it is unless
 * the file says `false': a server without Redis then answers each message
 * again and again, inside Letta alone, and none can be asked for its Redis.
 */
int worker_env_guard(const char *text, size_t len, const char *path,
    const struct worker_env *, bool *background, struct err *) MUST_CHECK;

/* The word for which Broca takes a value for a placeholder; NULL: none. */
const char *worker_env_placeholder(const char *value);

/* The keys whose values may be shown, for dotenv_mask; NULL-ended. */
const char *const *worker_env_shown(void);

#endif /* !CORE_WORKER_ENV_H */
