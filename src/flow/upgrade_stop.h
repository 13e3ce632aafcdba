#ifndef FLOW_UPGRADE_STOP_H
#define FLOW_UPGRADE_STOP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"

struct err;
struct postgres;

/*
 * The step that stops the old server: for upgrade_stop*.c, and for `database',
 * which asks once more whether it holds.
 *
 *     upgrade_stop.c         the step
 *     upgrade_stop_quiet.c   until nobody has written between backup and stop
 *     upgrade_stop_wait.c    the service told, and its end or start awaited
 */
struct upgrade_stop {
	struct upgrade up;
	struct upgrade_service service;
	struct postgres *pg;
	struct buf who;		/* that has written, as words */
};

#define UPGRADE_STOP_WHO_MAX 600

/* What its manager says may be some time old: ask it again. */
int upgrade_stop_look(struct upgrade_stop *, struct err *) MUST_CHECK;

/*
 * Rounds of backup and stop until the bundles are the last state.  It is off
 * then.  ERR_AGAIN names who writes again and again; it runs then.
 */
int upgrade_stop_quietly(struct upgrade_stop *, struct err *) MUST_CHECK;

/*
 * With the server off: whether its database is what it was by the census of
 * then, and the rows of each agent are those of its bundle; who: what is not.
 */
int upgrade_stop_holds(struct upgrade_stop *, bool *out, struct err *)
    MUST_CHECK;

/* Have the journal know how it was, before it is told anything. */
int upgrade_stop_note(const struct upgrade_stop *, struct err *) MUST_CHECK;

/* Off, and gone; and the same of one that a killed run has told so. */
int upgrade_stop_off(struct upgrade_stop *, struct err *) MUST_CHECK;
int upgrade_stop_off_again(struct upgrade_stop *, struct err *) MUST_CHECK;

/* As it was before this job, and it answers; the journal forgets that. */
int upgrade_stop_on(struct upgrade_stop *, struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_STOP_H */
