#ifndef FLOW_WORKER_USERS_DB_H
#define FLOW_WORKER_USERS_DB_H

#include <stddef.h>

#include "base/attr.h"

struct err;
struct host;

/* The table letta_users of a sanctum.db: its rows, and their new ids. */

struct worker_user {
	char *row;		/* letta_users.id */
	char *identity;		/* NULL: the row has none */
	char *block;
};

struct worker_users {
	struct worker_user *list;	/* by row */
	size_t n;
};

#define WORKER_USERS_MAX 1000000

/* Read them; nothing is written.  Clear after a failure, too. */
int worker_users_load(struct host *, const char *db, struct worker_users *,
    struct err *) MUST_CHECK;
void worker_users_clear(struct worker_users *);

/* An old id and its new one, both not NULL. */
struct worker_users_pair {
	const char *from, *to;
};

struct worker_users_pairs {
	struct worker_users_pair *list;
	size_t n;
};

/*
 * Replace ids, all or none.  A row whose id is the `from' of no pair is left
 * as it is: the caller has seen to it that there is none such.
 */
int worker_users_replace(struct host *, const char *db,
    const struct worker_users_pairs *identities,
    const struct worker_users_pairs *blocks, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_USERS_DB_H */
