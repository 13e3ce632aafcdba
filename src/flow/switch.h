#ifndef FLOW_SWITCH_H
#define FLOW_SWITCH_H

#include <stddef.h>

#include "base/attr.h"

struct err;
struct plan;
struct plan_watch;
struct run;
struct units;

/*
 * Running a plan whose end is a switch: up to plan.n_early its steps only
 * read the source, and from there on a worker stands still.
 *
 * Whatever ends a worker's switch before its target was started (a failure,
 * a signal, max_freeze) is followed at once by taking back what the switch
 * did, so that the source works as before; err says both. When even that
 * fails (the line is cut), err says that it stands, and what to do.  A kill
 * leaves it to the next run, which goes on.  A reverse that was begun is ended
 * first: all but reverse and cancel are ERR_STALE until then.
 */

/*
 * All steps, or with early_only those before the switch.  *acted counts the
 * steps that had to act.  A unit that fails, or has failed already, is left
 * and the others go on (flow/units.h); that is a success here.
 */
int switch_apply(struct run *, const struct plan *, struct units *,
    bool early_only, const struct plan_watch *, size_t *acted, struct err *)
    MUST_CHECK;

/*
 * For what failed before switch_apply: a worker that a killed run has left in
 * its switch is taken back, too, since the switch will not go on.  err says
 * both; always fails.
 */
int switch_rescue(struct run *, const struct plan *,
    const struct plan_watch *, struct err *) MUST_CHECK;

/*
 * Go back: targets are stopped, what they have queued and answered since is
 * brought back (unless run->discard), sources work as before.  The trees stay
 * staged, so that `switch' can follow.  ERR_STALE after `complete'.
 */
int switch_reverse(struct run *, const struct plan *,
    const struct plan_watch *, size_t *undone, struct err *) MUST_CHECK;

/*
 * Drop what reverse needs, for every worker.  ERR_STALE when one is not
 * switched, ERR_USAGE when there is none.
 */
int switch_complete(struct run *, struct err *) MUST_CHECK;

/* ERR_STALE when that was done: there is no way back. */
int switch_refuse_completed(struct run *, struct err *) MUST_CHECK;

#endif /* !FLOW_SWITCH_H */
