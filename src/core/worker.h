#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct secret;

/*
 * What a worker is made of: one agent's directory on a host, with a tree per
 * program (broca, smcp, otto), start scripts beside them, and `.env` files.
 *
 *     ~/sanctum/agents/sage/
 *         start-sage-broca.sh
 *         broca/   main.py .env sanctum.db run/otto_bridge/ plugins/ ...
 *         smcp/    smcp.py .env plugins/ ...
 *
 * This module knows which of it is carried, which is rewritten and which is
 * left behind.  Facts from Broca 1b368f9 and SMCP 895f188, read and run.
 */

/* Where Broca keeps its queue, below the worker's directory. */
#define WORKER_DB "broca/sanctum.db"

/*
 * Patterns (struct tree_rules) of what is never carried: virtual
 * environments and caches (made anew there by hand), pid and lock files (a
 * copied pid blocks the start), logs, old copies of .env (stale secrets),
 * login sessions, .git unless git, the .env files, which are
 * written anew, and sanctum.db with its journals, which is snapshotted.
 * broca/run/otto_bridge is state and is carried.
 */
const char *const *worker_exclude(bool git);

/*
 * A directory that holds this file is a virtual environment, whatever its
 * name, and is not carried.
 */
#define WORKER_VENV_MARK "pyvenv.cfg"

/*
 * Whether one of these patterns is about this path by itself, as io/tree.h
 * matches them; a path below one that is left is not carried either.
 */
bool worker_leaves(const char *path, bool git);

/* What the .env files of a worker must say once it serves another agent. */
struct worker_env {
	const char *agent_id;		/* AGENT_ID, LETTA_AGENT_ID */
	const char *url;		/* AGENT_ENDPOINT, LETTA_SERVER_URL */
	const struct secret *token;	/* AGENT_API_KEY, LETTA_API_KEY,
					 * LETTA_SERVER_PASSWORD; NULL: the
					 * server has none */
	const char *server;		/* its section's name, for messages */
};

/* What worker_env_edit met. */
struct worker_env_result {
	size_t changed;		/* keys that it gave another value */
	bool names_agent;	/* AGENT_ID is assigned in this file */
};

/*
 * Give every key of the table above that the text assigns its new value; a
 * key that the file does not assign is not added.  Everything else stays byte
 * for byte (core/dotenv.h).  path is for messages.
 *
 * Fails with ERR_DATA, text unchanged, for what cannot be edited safely (a
 * byte order mark, a key assigned twice), for a file that moves Broca's
 * database elsewhere (DB_PATH, TEST_DB_PATH: it would not be carried), and,
 * without a token, for one that holds a token: it is the old server's.
 */
int worker_env_edit(struct buf *text, const char *path,
    const struct worker_env *, struct worker_env_result *, struct err *)
    MUST_CHECK;

/* The keys whose values may be shown, for dotenv_mask; NULL-ended. */
const char *const *worker_env_shown(void);

#endif /* !CORE_WORKER_H */
