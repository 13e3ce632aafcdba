#ifndef FLOW_REHEARSE_H
#define FLOW_REHEARSE_H

#include "base/attr.h"

struct err;
struct plan_watch;
struct run;
struct verdict;

/*
 * Move every agent of a job under its temporary name, compare, take all of it
 * back, and prove by listings of the target before and after that nothing
 * stayed and nothing was changed.  No agent ever gets its name.
 *
 * run has a journal of its own (rehearsal of struct run_options), so a
 * rehearsal neither meets nor disturbs the job itself.  One that was killed is
 * gone on with by the next: what it was to remove is in that journal, and so
 * is the listing from before the first write.
 *
 * The verdict has the checks of each agent, and "target as before".  Fails
 * with ERR_USAGE for a job that is not of kind agent; whatever else fails, what
 * was made is taken back first.
 */
int rehearse(struct run *, const struct plan_watch *, struct verdict *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_REHEARSE_H */
