#ifndef FLOW_WORKER_USERS_WORK_H
#define FLOW_WORKER_USERS_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct conf_worker;
struct err;
struct jdoc;
struct run;
struct server;
struct worker_users;

/*
 * What the files of flow/worker_users.h share: one worker's users between two
 * servers.
 */
struct worker_users_work {
	struct run *run;
	const struct conf_worker *worker;
	bool same;			/* one server */
	struct server *from, *to;	/* to may be NULL: not up yet */
	char *identity_kind, *block_kind, *known_kind, *sum_kind;
	char *identity_scope, *block_scope;
	char *labels_key;
	struct jdoc *labels;		/* of the users' blocks, as a list */
	struct jdoc *made;		/* blocks of ours at the target, old ->
					 * new id; NULL: not listed yet */
	size_t identities_made, identities_found, blocks_made, kept;
	size_t without_identity, without_block;
};

/* Clear after a failure, too.  to is not opened while it cannot be asked. */
int worker_users_open(struct worker_users_work *, struct run *,
    const struct conf_worker *, struct err *) MUST_CHECK;
void worker_users_close(struct worker_users_work *);

/* The new id of an old or a new one; *to NULL: not mapped. */
int worker_users_known(struct worker_users_work *, const char *kind,
    const char *id, char **to, struct err *) MUST_CHECK;

/*
 * Look at what is not mapped yet and, unless look is true, map it.  look: the
 * counts say what would be made.
 */
int worker_users_bring(struct worker_users_work *, const struct worker_users *,
    bool look, struct err *) MUST_CHECK;

/* The target's identity of this key: its id, or NULL.  The caller frees it. */
int worker_users_find_identity(struct worker_users_work *, const char *key,
    char **id, struct err *) MUST_CHECK;

/*
 * Fill work->made: the blocks of this job at the target, by what they carry,
 * whatever became of the answers to their making.
 */
int worker_users_list_made(struct worker_users_work *, struct err *)
    MUST_CHECK;

/* Carry the values that the agent has changed since. */
int worker_users_refresh(struct worker_users_work *,
    const struct worker_users *, struct err *) MUST_CHECK;

/*
 * Remove what was made and no agent has; *n counts the requests.  What the
 * journal knows of a mapping holds until worker_users_forget.
 */
int worker_users_remove(struct worker_users_work *, size_t *n, struct err *)
    MUST_CHECK;

int worker_users_forget(struct worker_users_work *, struct err *) MUST_CHECK;

/*
 * The agent that will be used must have no block of the users' labels but
 * users' own, which are leftovers: they are named in leftovers (printable),
 * for worker_users_detach.  While the target's agent is not there yet, the
 * source's is looked at.
 */
int worker_users_check_labels(struct worker_users_work *,
    const struct worker_users *, struct buf *leftovers, struct err *)
    MUST_CHECK;

#endif /* !FLOW_WORKER_USERS_WORK_H */
