#ifndef FLOW_WORKER_IDENTITY_H
#define FLOW_WORKER_IDENTITY_H

#include <stdbool.h>

#include "base/attr.h"
#include "io/hash.h"

struct err;
struct host;
struct worker_live;

/*
 * Who a Broca or SMCP is: what its process has in os.environ after
 * load_dotenv(), which takes the nearest `.env' from main.py's directory up
 * to "/" and lets the environment of the process win.  SMCP reads no .env at
 * all (SMCP 895f188): of it only the environment counts.
 *
 * Tokens are kept as digests, to be compared and never shown.
 */
struct worker_identity {
	char *env_path;		/* the effective .env, or NULL */
	bool env_above;		/* it is not in the directory itself */
	bool env_unreadable;
	char *agent_id;		/* or NULL, so the next ones */
	char *endpoint;
	char *database;		/* DB_PATH or TEST_DB_PATH */
	bool debug_set;		/* DEBUG_MODE is there */
	bool process_wins;	/* agent_id is the process's, not the file's */
	bool has_token;		/* of Telegram */
	unsigned char token[HASH_SIZE];
};

/*
 * dir     of main.py or smcp.py, absolute
 * script  "main.py" or "smcp.py"
 * live    the process, or NULL: as if it were started without variables
 *
 * A process that is gone meanwhile counts as NULL.
 */
int worker_identity_read(struct host *, const char *dir, const char *script,
    const struct worker_live *, struct worker_identity *, struct err *)
    MUST_CHECK;
void worker_identity_clear(struct worker_identity *);

/* Whether both poll with one token; whether both serve one agent. */
bool worker_identity_same_token(const struct worker_identity *,
    const struct worker_identity *);
bool worker_identity_same_agent(const struct worker_identity *,
    const struct worker_identity *);

#endif /* !FLOW_WORKER_IDENTITY_H */
