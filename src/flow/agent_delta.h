#ifndef FLOW_AGENT_DELTA_H
#define FLOW_AGENT_DELTA_H

#include <stdbool.h>

#include "base/attr.h"

struct conf;
struct conf_agent;
struct err;
struct plan_note;
struct run;
struct step_kind;

/*
 * An agent whose worker is moved by the same job goes on talking after it was
 * read, until the worker stands.  Rows cannot be added to an agent by the API,
 * with their ids and dates, so what came since is brought by another import:
 *
 *     read .. compare   while the worker runs; compared with what was read
 *     worker: freeze    nothing of the worker's comes after
 *     worker: delta     the source's listings are read on from their cursors.
 *                       As a rule nothing is new, which takes a second or
 *                       two.  Else the copy, which nobody knows yet, is taken
 *                       away, the source read anew (a turn writes the system
 *                       row anew, too) and imported again while the worker
 *                       stands, once; max_freeze bounds that as well
 *     ... install, fence
 *     promote           only now, so that a copy with its name is whole
 *     worker: start
 *
 * When the freeze ends before the second import does, the next run makes that
 * one while the worker runs, and the rest to be caught up with is small.
 *
 * What is told by: ids of messages, and whole passages, blocks, identities.  An
 * older row that somebody edits at the source is not; `verify' finds it.
 *
 * In the journal agent.NAME.compared is what was compared last and found the
 * same: the sum and number of its rows, "" while there is no such copy.
 * agent.NAME.worked is "yes" once a `reverse' has left the agent behind with
 * what it said at the target: it is not touched any more.
 */

/* Whether that is so of this agent: a worker names it, a server has it. */
bool agent_delta_applies(const struct conf *, const struct conf_agent *);

/* Note that what is staged of the source was compared, and is the same. */
int agent_delta_note(struct run *, const struct conf_agent *, struct err *)
    MUST_CHECK;

/*
 * *compared: a comparison is noted; *same: and is of what is staged now.
 * *more: by how many messages there are more now.
 */
struct agent_delta_seen {
	bool compared, same;
	int64_t more;
};

int agent_delta_look(struct run *, const struct conf_agent *,
    struct agent_delta_seen *, struct err *) MUST_CHECK;

/* Whether it has worked at the target before a `reverse'. */
int agent_delta_worked(struct run *, const struct conf_agent *, bool *out,
    struct err *) MUST_CHECK;
int agent_delta_note_worked(struct run *, const struct conf_agent *,
    struct err *) MUST_CHECK;

/* The copy is gone: forget both. */
int agent_delta_forget(struct run *, const struct conf_agent *, struct err *)
    MUST_CHECK;

/*
 * Take the copy away, so that it can be imported again: secrets that a worker
 * has given it, then the agent; and read the source anew.  A block that
 * others of the job share by now stays, and what it has become is known still.
 * ERR_STALE when the copy has its name: somebody may have talked to it.
 */
int agent_delta_renew(struct run *, const struct conf_agent *, struct err *)
    MUST_CHECK;

/* The step: subject is the worker. */
extern const struct step_kind agent_delta_kind;

#endif /* !FLOW_AGENT_DELTA_H */
