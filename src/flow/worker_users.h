#ifndef FLOW_WORKER_USERS_H
#define FLOW_WORKER_USERS_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_worker;
struct err;
struct host;
struct plan_note;
struct run;
struct step_kind;

/*
 * The users of a worker.  Two columns of sanctum.db name things of a Letta
 * server: letta_users.letta_identity_id and .letta_block_id (Broca 1b368f9).
 * Both belong to the server and not to the agent.
 *
 *     same server     the ids stay; each is looked for there
 *     other server    an identity is found by its key, else made; a block
 *                     is made with the value that it has at the source by
 *                     then
 *
 *     worker_users_map     while the worker runs (step `users'), and again at
 *                          the switch for who came since
 *     worker_users_apply   at the switch, the worker stopped: values that the
 *                          agent wrote since, then the ids in the staged file
 *     worker_users_detach  behind the switch, before the target is started
 *
 * In the journal: ids of the kinds worker.NAME.identity and .block (old ->
 * new), worker.NAME.users-known (new -> old), worker.NAME.block-sum (old ->
 * SHA-256 of the value that was carried); rows in the scopes
 * worker/NAME/identities (identifier keys, each there before the identity is
 * made) and worker/NAME/blocks (ids that were made).
 */

/*
 * Bring every identity and block that db names to the target server, as far
 * as the journal has them not yet.  db is never written.  note: how many, and
 * what is worth knowing.
 *
 * Fails with ERR_DATA, naming table, row and id, when one is not at the
 * source server any more; and when the target's agent has a block of the
 * label of the users' blocks: Broca would then send a user's turn under that
 * block (409 on attach, which it reads as `already attached').
 */
int worker_users_map(struct run *, const struct conf_worker *, struct host *,
    const char *db, struct plan_note *, struct err *) MUST_CHECK;

/*
 * Give a block at the target the value that the source has now, where that
 * changed, and then every row of db its new ids, all in one transaction.
 * Nothing in db is changed when a row is unmapped (ERR_DATA).  A row that has
 * its new ids is left as it is.
 */
int worker_users_apply(struct run *, const struct conf_worker *,
    struct host *, const char *db, struct err *) MUST_CHECK;

/*
 * Take users' blocks that a killed turn left attached off the agent that the
 * target will use and, on the same server, off the source's.  It writes to
 * the server that the source uses, so it is for after the switch; the workers
 * must be stopped, since a turn under way has its block attached.  db is the
 * target's sanctum.db, its ids already applied.
 */
int worker_users_detach(struct run *, const struct conf_worker *,
    struct host *, const char *db, struct err *) MUST_CHECK;

/*
 * The same for the agent that the source uses, when the source is to go on:
 * db is its own.
 */
int worker_users_detach_source(struct run *, const struct conf_worker *,
    struct host *, const char *db, struct err *) MUST_CHECK;

/*
 * The source's id of what was mapped to this id of the target's; *old NULL:
 * nothing was.  The caller frees it.
 */
int worker_users_old(struct run *, const struct conf_worker *,
    const char *id, char **old, struct err *) MUST_CHECK;

/*
 * The target's id of one of the source's; *now NULL: it was not mapped, and
 * stays what it is.  The caller frees it.
 */
int worker_users_new(struct run *, const struct conf_worker *, bool block,
    const char *id, char **now, struct err *) MUST_CHECK;

/*
 * The step: act maps what the staged sanctum.db names; undo removes what was
 * made and no other agent has.
 */
extern const struct step_kind worker_users_kind;

#endif /* !FLOW_WORKER_USERS_H */
