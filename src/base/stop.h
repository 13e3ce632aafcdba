#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>

#include "base/attr.h"

struct err;

/*
 * Signals that ask us to stop, turned into an ordinary failure.  main calls
 * stop_catch once; every loop that may last asks stop_check once a turn and
 * goes home through its own clean-up.
 *
 *     stop_catch();
 *     while (...) {
 *             if (stop_check(err) != 0)
 *                     goto out;
 *             ...
 *     }
 *
 * System calls that wait return EINTR when the signal comes (no SA_RESTART).
 * One that comes just before such a wait does not cut it short, so waits are
 * made in slices of STOP_SLICE_MS.
 */
#define STOP_SLICE_MS 200

/*
 * Catch SIGINT, SIGTERM and SIGHUP, ignore SIGPIPE and SIGXFSZ (a write then
 * fails, and says so).  A SIGHUP that we were started to ignore (nohup(1))
 * stays ignored.
 */
void stop_catch(void);

/*
 * Between these two a signal is kept and not told, for a clean-up that must
 * be made: a few requests with deadlines of their own.  A second signal within
 * it ends the hold.  They do not nest.
 */
void stop_hold(void);
void stop_release(void);

/* Whether one of them has come. */
bool stop_asked(void);

/* ERR_INTERRUPTED, "interrupted by SIGINT", when one has come; else 0. */
int stop_check(struct err *) MUST_CHECK;

#endif /* !BASE_STOP_H */
