#ifndef FLOW_PLAN_H
#define FLOW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;
struct run;

/*
 * A job is a list of steps, and this runs any such list through the journal.
 *
 * A step can look whether the world already is as it would leave it (probe),
 * make it so (act), and take that back (undo).  For each step, in order:
 *
 *     probe says done         record that; nothing is touched
 *     else                    write `begun` to the journal and sync it,
 *                             act,
 *                             write `done` with the act's figures
 *
 * A program that is killed anywhere between is run again: the steps before
 * are found done, and the one it was in is probed and acted on once more.  So
 * an act must be able to meet its own half-done work; one that cannot be
 * repeated (an import creates an agent) leaves the run's mark at the peer,
 * where its probe finds it.
 */

enum plan_found {
	PLAN_DONE,	/* nothing to do */
	PLAN_TODO,
	PLAN_WAITS	/* cannot be told before an earlier step is done */
};

/*
 * What a probe or an act says of itself.  plan_say makes its line printable,
 * since names come from outside; whoever writes to diff does so itself
 * (core/diff.h does).  Never a secret.
 */
struct plan_note {
	char glyph;		/* '+' adds, '~' changes, '-' removes */
	struct buf summary;	/* one line */
	struct buf diff;	/* unified diff, or indented lines; may be "" */
};

struct step {
	const char *name;	/* stable, the key in the journal */
	const struct step_kind *kind;
	const void *subject;	/* a section of the job file */
	const void *unit;	/* what fails alone (flow/units.h), or NULL */
};

struct step_kind {
	const char *word;	/* last part of the step's name */

	/*
	 * Fill note with what act would do, and *found.  Changes nothing but
	 * the journal.  A probe that cannot look yet says PLAN_WAITS.
	 */
	int (*probe)(struct run *, const struct step *, struct plan_note *,
	    enum plan_found *, struct err *);

	/* Do it, or finish what an earlier act began.  note: figures. */
	int (*act)(struct run *, const struct step *, struct plan_note *,
	    struct err *);

	/*
	 * Take back whatever act may have done, wholly or in part; what is
	 * not there any more is a success.  NULL: there is nothing outside
	 * the journal to take back.
	 */
	int (*undo)(struct run *, const struct step *, struct plan_note *,
	    struct err *);

	/*
	 * ERR_PARTIAL of undo is that something stays which hinders no other
	 * step: those before it are taken back all the same, and the step is
	 * not, so that the same call meets it again.
	 */
	bool may_leave;
};

struct plan {
	struct step *steps;
	size_t n_steps;
	/*
	 * How many of them only read the source; those behind are the switch
	 * (flow/switch.h).
	 */
	size_t n_early;
	/* How many of these, the first, make the host a node (flow/node.h). */
	size_t n_node;
	/* The unit of the steps that are added next. */
	const void *unit;
};

/*
 * Add a step "GROUP.SUBJECT_NAME.WORD", such as "agent.sage.import".
 * subject must outlive the plan.
 */
void plan_add(struct plan *, const char *group, const char *subject_name,
    const struct step_kind *, const void *subject);
/* The same for a step of the switch; all others are added before. */
void plan_add_late(struct plan *, const char *group,
    const char *subject_name, const struct step_kind *, const void *subject);
void plan_clear(struct plan *);

/* What happened to one step, for whoever prints it. */
enum plan_event_type {
	PLAN_EVENT_FOUND,	/* plan_look: after its probe */
	PLAN_EVENT_BEGIN,	/* plan_apply, plan_cancel: before the act */
	PLAN_EVENT_END		/* after it, or found done already */
};

struct plan_event {
	enum plan_event_type type;
	const char *step;
	enum plan_found found;
	bool acted;			/* END: act or undo ran */
	const struct plan_note *note;	/* NULL with BEGIN */
	uint64_t took_ms;		/* END */
};

struct plan_watch {
	void (*event)(void *ctx, const struct plan_event *);
	void *ctx;
};

/* Probe every step.  *todo counts those that are not done. */
int plan_look(struct run *, const struct plan *, const struct plan_watch *,
    size_t *todo, struct err *) MUST_CHECK;
/* The same for the steps from number first up to but not with end. */
int plan_look_part(struct run *, const struct plan *, size_t first,
    size_t end, const struct plan_watch *, size_t *todo, struct err *)
    MUST_CHECK;

/*
 * Bring every step about, in order; stops at the first that fails, with the
 * step's name in err.  *acted counts the steps that had to act.
 */
int plan_apply(struct run *, const struct plan *, const struct plan_watch *,
    size_t *acted, struct err *) MUST_CHECK;

/*
 * The same for the steps from number first up to but not with end.  *at is
 * the step that failed, or end.
 */
int plan_apply_part(struct run *, const struct plan *, size_t first,
    size_t end, const struct plan_watch *, size_t *acted, size_t *at,
    struct err *) MUST_CHECK;

/* Whether there is a step that plan_cancel would undo, by the journal. */
int plan_begun(struct run *, const struct plan *, bool *out, struct err *)
    MUST_CHECK;

/* Undo, in reverse order, every step that the journal says was begun. */
int plan_cancel(struct run *, const struct plan *, const struct plan_watch *,
    size_t *undone, struct err *) MUST_CHECK;
int plan_cancel_part(struct run *, const struct plan *, size_t first,
    size_t end, const struct plan_watch *, size_t *undone, struct err *)
    MUST_CHECK;

/* One line of a note: replaces the summary, sets the glyph. */
void plan_say(struct plan_note *, char glyph, const char *fmt, ...)
    PRINTF(3, 4);

#endif /* !FLOW_PLAN_H */
