#ifndef FLOW_UNITS_H
#define FLOW_UNITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct plan;
struct plan_watch;
struct run;
struct step;

/*
 * What of a job fails alone.  A unit is an agent with the workers that name
 * it, or a worker whose agent the job does not move.  When a step of one
 * fails, its other steps are left, and the job goes on with the other units;
 * the next run of the same command takes it up again.
 *
 * Steps without a unit (the node's) end the job, as do a signal, a worker
 * that stands and could not be started again, and a journal that cannot be
 * written: the failure is written there before anything else is done.  With
 * one unit alone there is nothing to go on with, so each failure ends the
 * job, with its own exit code.
 *
 * In the journal failed.LABEL is the last failure of a unit, "" after it was
 * well:
 *
 *     {"kind":"unreachable","step":"agent.sage.import","text":"..."}
 */
struct unit {
	const void *subject;	/* the section of the job file */
	char *label;		/* "agent.sage", "worker.sage" */
	char *step;		/* that failed; NULL: none did */
	struct err why;
};

struct units {
	struct unit *list;	/* in the order of the plan */
	size_t n;
};

void units_init(struct units *, const struct plan *);
void units_clear(struct units *);

/* Whether the step is one of a unit that has failed. */
bool units_skips(const struct units *, const struct step *);

/* Whether the job goes on after this failure of that step. */
bool units_goes_on(const struct units *, const struct step *,
    const struct err *);

/*
 * Take a failure of a step after which the job goes on: it is in the journal
 * then, and err is clear.  -1, err being the failure still, when it is not
 * such a one.
 */
int units_take(struct units *, struct run *, const struct step *,
    struct err *) MUST_CHECK;

/*
 * plan_look, step by step, going on past a unit that fails.  *todo counts
 * steps of the others.
 */
int units_look(struct units *, struct run *, const struct plan *,
    const struct plan_watch *, size_t *todo, struct err *) MUST_CHECK;

/*
 * At the end: the journal forgets failures of the units that are well.  Fails
 * when one is not, naming each: ERR_PARTIAL, or the kind that all of them
 * have when none is well.
 */
int units_conclude(struct units *, struct run *, struct err *) MUST_CHECK;

/* The last failure of each unit by the journal, for who contacts nobody. */
struct unit_failure {
	const char *label, *step, *kind, *text;
};

int units_each_failure(struct run *, const struct plan *,
    void (*each)(void *ctx, const struct unit_failure *), void *ctx,
    struct err *) MUST_CHECK;

#endif /* !FLOW_UNITS_H */
