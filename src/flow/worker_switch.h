#ifndef FLOW_WORKER_SWITCH_H
#define FLOW_WORKER_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "flow/worker_queue.h"

struct conf_worker;
struct err;
struct host;
struct run;
struct step_kind;
struct supervisor;

/*
 * The switch of a worker: from here on the source is not only read.
 *
 *     freeze    what starts it is turned off, its queue held, its processes
 *               ended and seen to be gone                worker_freeze.c
 *     final     what changed since the first pass, the queue judged, ids
 *               mapped: all in staging                   worker_final.c
 *     install   staging and target change places         worker_install.c
 *     fence     the source's programs cannot be started  worker_fence.c
 *     start     on the target, and a row seen to move    worker_start.c
 *
 * Until the target is started the source can be brought back as it was, in
 * seconds, and is, by whatever ends the switch: a failure, a signal, or
 * max_freeze (flow/switch.h). After a kill the next run goes on; or, when
 * the worker stood longer than max_freeze by then, brings the source back
 * first and freezes it anew.
 */
extern const struct step_kind worker_freeze_kind;
extern const struct step_kind worker_final_kind;
extern const struct step_kind worker_fence_kind;
extern const struct step_kind worker_start_kind;

/*
 * Whether this job stops and starts the worker itself.  With `supervisor =
 * none' somebody else does, and the switch asks for it to be stopped.
 */
bool worker_supervised(const struct conf_worker *);

/*
 * Whether something that starts workers (flow/supervisor.h) is about this
 * tree: its own, or the directory of them all.  Screen sessions and what is
 * not known of start nothing.
 */
bool worker_starts_tree(const struct supervisor *, const char *tree);

/*
 * Bring a running worker's queue to rest: what waits is held, what it works on
 * is waited for, as long as stop_wait says (a row that has been in processing
 * for longer is not: nobody works on it).  *busy: a row is in processing
 * still.  db: the worker's, at host.
 */
int worker_drain(struct run *, const struct conf_worker *, enum worker_way,
    struct host *, const char *db, bool *busy, struct err *) MUST_CHECK;

/*
 * Milliseconds that the worker has been standing: from the first signal to
 * it until now; 0 when it was not running.
 */
int worker_stood_ms(struct run *, const struct conf_worker *, int64_t *,
    struct err *) MUST_CHECK;

/*
 * Write such an instant to the journal: "stood-from", "started"; 0 clears it.
 */
int worker_put_instant(struct run *, const struct conf_worker *,
    const char *what, int64_t ms, struct err *) MUST_CHECK;

/*
 * ERR_AGAIN when that is more than max_freeze.  Asked wherever the switch has
 * done something that may have taken long.
 */
int worker_freeze_check(struct run *, const struct conf_worker *,
    struct err *) MUST_CHECK;

/*
 * Note that this process stops the worker, and ask whether it has: when a
 * killed one did, going on is the shortest way once the target is in place.
 */
int worker_note_stopper(struct run *, const struct conf_worker *,
    struct err *) MUST_CHECK;
int worker_is_stopper(struct run *, const struct conf_worker *, bool *,
    struct err *) MUST_CHECK;

/* What the plan expects the worker to stand, in milliseconds. */
int worker_freeze_predict(struct run *, const struct conf_worker *,
    uint64_t *ms, struct err *) MUST_CHECK;

/* How long the last freeze took, and how long it was expected to. */
struct worker_freeze_figures {
	int64_t predicted_ms;	/* 0: not planned yet; so the next */
	int64_t stood_ms;	/* the last one, from signal to start */
	int64_t standing_ms;	/* this one, until now; 0: it does not stand */
};

int worker_freeze_figures(struct run *, const struct conf_worker *,
    struct worker_freeze_figures *, struct err *) MUST_CHECK;

/* Write down that the freeze is over; *stood_ms: how long it was. */
int worker_note_stood(struct run *, const struct conf_worker *,
    int64_t *stood_ms, struct err *) MUST_CHECK;

/*
 * A reverse of this worker was begun and has not ended: the target's queue is
 * held and may be at the source already, so that there is no way but back.
 */
int worker_reversing(struct run *, const struct conf_worker *, bool *,
    struct err *) MUST_CHECK;

/*
 * When the target was started, in milliseconds since 1970; from then on only
 * `reverse' leads back.  0: it was not.
 */
int worker_started(struct run *, const struct conf_worker *, int64_t *,
    struct err *) MUST_CHECK;

/*
 * Where the sums of the pages of the first pass's sanctum.db are kept, of the
 * source's snapshot and of the target's copy (io/db_pages.h); the caller
 * frees it.
 */
char *worker_sums_path(const struct run *, const struct conf_worker *,
    bool target);

int worker_sums_remove(struct run *, const struct conf_worker *,
    struct err *) MUST_CHECK;

/*
 * Drop what `reverse' needs, which is what was at the target before.  The
 * source's directory stays, fenced.
 */
int worker_complete(struct run *, const struct conf_worker *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_WORKER_SWITCH_H */
