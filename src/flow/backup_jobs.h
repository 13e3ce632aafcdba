#ifndef FLOW_BACKUP_JOBS_H
#define FLOW_BACKUP_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * n pieces of work, so many at a time, each in a child process of its own: one
 * that dies is one that failed.  The children end with this process, however
 * it ends, and print warnings alone.
 *
 * No library that keeps threads or connections may be in use at the call: what
 * is open here is open in the child, too, and is not to be touched there.
 */
struct backup_work {
	/*
	 * In the child: do number i; what is added to out comes to `done'.
	 * *fatal: its failure is that of all, such as a disk that is full.
	 */
	int (*work)(void *ctx, size_t i, struct buf *out, bool *fatal,
	    struct err *);
	/* Here: failed is NULL, or why. */
	int (*done)(void *ctx, size_t i, const struct buf *out,
	    const struct err *failed, struct err *);
	void *ctx;
};
#define BACKUP_ANSWER_MAX 65536	/* bytes of out */

/*
 * A failure that may pass (struct err, transient) is tried once more at the
 * end, and from then on half as many are at work.  Fails with ERR_INTERRUPTED,
 * with what was fatal, or what `done' says; no child is left then.
 */
int backup_jobs(const struct backup_work *, size_t n, unsigned int jobs,
    struct err *) MUST_CHECK;

#endif /* !FLOW_BACKUP_JOBS_H */
