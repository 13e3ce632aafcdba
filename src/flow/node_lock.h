#ifndef FLOW_NODE_LOCK_H
#define FLOW_NODE_LOCK_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct run;

/*
 * One job at a time changes a node.  The journal's lock keeps a job from
 * itself; two jobs, or two operators, meet here: at a file on the node.
 *
 *     take      before the first change
 *     drop      at the end, whatever it was
 *
 * It is made under another name and given its own only where there is none,
 * in one instant, so it is whole or not there:
 *
 *     {"host":"desk","job":"node1","mark":"0123456789ab","pid":4711,
 *      "since":"2026-01-02T03:04:05Z","run":"..."}
 *
 * A lock with this job's mark is that of a run that was killed, since the
 * journal lets in one at a time, and is taken over.  Whether another job's
 * holder lives cannot be told from here, so it is never broken: it is gone
 * when that job was run again, or the machine was (/run is in memory), or
 * somebody has removed the file.
 */
#define NODE_LOCK_PATH "/run/sanctumctl.lock"

struct node_lock {
	bool held;
};

/*
 * Of a job of kind greenfield, the host of its edge; of an upgrade, that of
 * its servers; others have no node, and nothing is done.  ERR_LOCKED: another
 * job has it; says which, who runs it, since when, and what to do.
 */
int node_lock_take(struct node_lock *, struct run *, struct err *)
    MUST_CHECK;

/*
 * Give it back, if it is this process's still.  What cannot be done is a
 * warning: the next run of the job has it all the same.  No signal stops it.
 */
void node_lock_drop(struct node_lock *, struct run *);

#endif /* !FLOW_NODE_LOCK_H */
