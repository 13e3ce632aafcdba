#ifndef FLOW_WORKER_OWNER_H
#define FLOW_WORKER_OWNER_H

#include "base/attr.h"
#include "io/tree.h"

struct conf_worker;
struct err;
struct host;

/*
 * Who owns a worker's files on the target.  When we are root there, a user or
 * group of the source whose name the target has, too, keeps its files; all
 * others go to the owner of the directory that the worker is put into.  With
 * an `account' in the job file all are that one's.  When we are not root, all
 * is ours.
 */
struct worker_owner {
	struct tree_owner owner;
	struct tree_id *users, *groups;	/* what owner points to */
	bool compare;		/* owners can be what they should be */
};

/*
 * Asks both hosts for their users and groups (getent, else /etc/passwd and
 * /etc/group).  The directory of the worker's target must be there.  To be
 * cleared in any case.
 */
int worker_owner_find(struct host *from, struct host *to,
    const struct conf_worker *, struct worker_owner *, struct err *)
    MUST_CHECK;
void worker_owner_clear(struct worker_owner *);

#endif /* !FLOW_WORKER_OWNER_H */
