#ifndef FLOW_WORKER_QUEUE_BACK_H
#define FLOW_WORKER_QUEUE_BACK_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_worker;
struct err;
struct host;
struct plan_note;
struct run;

/*
 * A reverse: what the target's queue took in since the switch goes back into
 * the source's sanctum.db, which has stood still since.
 *
 *     worker_queue_hold(.., WORKER_REVERSE, ..)    at the target, which is
 *                                                  then stopped
 *     worker_queue_judge(.., WORKER_REVERSE, ..)   there
 *     worker_queue_back                            into the source's
 *     worker_queue_thaw(.., WORKER_MOVE, ..)       at the source: nothing is
 *                                                  left to do after a back
 *
 * Brought back, all of it in one transaction:
 *
 *     new users, profiles, messages and rows of the queue, with the ids that
 *     they have.  Ids are free, since the source has made none: one that is
 *     there with another content is ERR_STALE, and nothing is changed
 *     of rows that the source has: status, attempts, time; the answer and
 *     `processed' of their messages; name and activity of users and profiles
 *     rows that the target's operator deleted are `flushed': to wait again is
 *     the one thing that must not happen to them
 *     identities and blocks of new users: made at the source's server, the
 *     block with the value that it has at the target's; with one server for
 *     both they stay what they are
 *
 * A row that was held by us waits again, at the source; one that is unclear
 * there, or was so when the worker moved, or that somebody else holds, is
 * held there too.
 *
 * Not brought back: the agent's messages and memory, which are the servers';
 * values of blocks of users that the source knew; columns that are not
 * Broca's; a message that neither is new nor has a row in the queue that is
 * open, or changed since; trees and spools.
 */

/*
 * What the copy that the target starts with ends with, for worker_queue_back:
 * into the journal, in the place of an earlier one.  worker_queue_judge does
 * it (WORKER_MOVE).
 */
int worker_queue_mark(struct run *, const struct conf_worker *, struct host *,
    const char *db, struct err *) MUST_CHECK;

/*
 * Bring back, from the target's database from_db into the source's, to_db.
 * Both workers are stopped; only to_db is written.  fresh false:
 * no new row, the state of known ones alone, without which the source would
 * answer what the target has answered.
 *
 * Again after a kill: what is there is passed over.  note: how many rows.
 *
 * Fails with ERR_STALE when the source ran since, ERR_FAILED when a row of
 * the target is in processing (judge first), ERR_MISSING when a new user's
 * identity or block is not at the target's server, ERR_DATA when more than
 * 64 MiB of rows came; the source's database is then as it was.
 */
int worker_queue_back(struct run *, const struct conf_worker *,
    struct host *from, const char *from_db, struct host *to,
    const char *to_db, bool fresh, struct plan_note *, struct err *)
    MUST_CHECK;

/*
 * The id at the source's server of an identity, or a block, of the target's.
 * Made there if need be, once, whatever is killed.  (worker_queue_users.c)
 */
int worker_queue_identity_back(struct run *, const struct conf_worker *,
    const char *id, char **out, struct err *) MUST_CHECK;
int worker_queue_block_back(struct run *, const struct conf_worker *,
    const char *id, char **out, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_QUEUE_BACK_H */
