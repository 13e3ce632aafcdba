#ifndef FLOW_WORKER_QUEUE_H
#define FLOW_WORKER_QUEUE_H

#include <stdint.h>

#include "base/attr.h"
#include "core/queue_verdict.h"

struct conf_worker;
struct err;
struct host;
struct plan_note;
struct run;

/*
 * The queue of a worker that moves: no row is lost, none is answered twice.
 *
 *     hold      at the freeze: what waits gets the status `held', which the
 *               worker passes over; again when it has ended
 *     judge     on the staged copy: rows that may have been sent already
 *     release   on the staged copy: what waits waits again, but for rows
 *               that stay unclear
 *     thaw      at the source, when the move does not happen: all that was
 *               held waits again
 *
 * A reverse goes the same way from the target: hold and judge there
 * (WORKER_REVERSE), then worker_queue_back (flow/worker_queue_back.h).
 *
 * In the journal, rows by the id of the queue's row: worker/NAME/held, what
 * is held by us, there before it is done; worker/NAME/judged, the results.
 * Those of a reverse have -reverse behind their names.
 */
enum worker_way {
	WORKER_MOVE,	/* from_host: held there, judged in the staging */
	WORKER_REVERSE	/* to_host: held and judged in its place */
};

struct worker_queue_counts {
	uint64_t pending, held, processing;
	uint64_t retried;	/* of pending and held: attempts over 0 */
	uint64_t other;		/* completed, failed, flushed, ... */
};

/*
 * Count, and see that the tables are Broca's: ERR_DATA names the columns
 * that are missing.
 */
int worker_queue_counts(struct host *, const char *db,
    struct worker_queue_counts *, struct err *) MUST_CHECK;

/*
 * Rows that have been in processing for less than so many seconds.  An older
 * one is what a worker left that was ended: Broca takes it up again at its
 * next start alone.
 */
int worker_queue_working(struct host *, const char *db, unsigned int seconds,
    uint64_t *n, struct err *) MUST_CHECK;

/*
 * Until no row waits: pending -> held.  What somebody else holds already
 * stays his, since the journal names ours.  The worker may be running; a row
 * that it takes at the same moment is in processing then.
 */
int worker_queue_hold(struct run *, const struct conf_worker *,
    enum worker_way, struct host *, const char *db, struct err *) MUST_CHECK;

/* Ours wait again, but those that were judged unclear.  Times are kept. */
int worker_queue_release(struct run *, const struct conf_worker *,
    enum worker_way, struct host *, const char *db, struct err *) MUST_CHECK;

/* All of ours wait again, as before; forgets them, and what was judged. */
int worker_queue_thaw(struct run *, const struct conf_worker *,
    enum worker_way, struct host *, const char *db, struct err *) MUST_CHECK;

/*
 * Forget what was held and judged, where the database that it was in does
 * not count any more.
 */
int worker_queue_forget(struct run *, const struct conf_worker *,
    enum worker_way, struct err *) MUST_CHECK;

/*
 * Rows in processing, and those that wait and may have been sent before
 * (queue_maybe_sent), are asked of the agent's messages:
 *
 *     answered    completed, with the last text of that turn.  Whether the
 *                 user has got it is not known, and is said
 *     unanswered  pending
 *     unclear     held, and listed
 *
 * A server that gives no answer, or an agent that is not there, make rows
 * unclear and are no failure.  Every worker that uses the agent's queue must
 * be stopped.  It comes before worker_users_apply: the rows' identities are
 * those of the server that is asked.
 *
 * The results are in the journal before db changes; judging again finds what
 * was unclear then, and the rest done.  note: how many, and the rows.
 */
int worker_queue_judge(struct run *, const struct conf_worker *,
    enum worker_way, struct host *, const char *db, struct plan_note *,
    struct err *) MUST_CHECK;

/* One result, for a report; strings live until each returns. */
struct worker_queue_result {
	int64_t id;		/* of the row */
	enum queue_verdict verdict;
	const char *message;	/* id of its message */
	const char *user;	/* "telegram 7 (ada)", printable */
	const char *why;	/* QUEUE_UNCLEAR: why it is held; else "" */
};

int worker_queue_results(struct run *, const struct conf_worker *,
    enum worker_way, int (*each)(void *ctx,
    const struct worker_queue_result *, struct err *), void *ctx,
    struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_QUEUE_H */
