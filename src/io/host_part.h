#ifndef IO_HOST_PART_H
#define IO_HOST_PART_H

#include "io/host.h"
#include "io/host_ops.h"

/* What the files of host share. */

struct host {
	char *name;
	const struct host_ops *ops;
	void *state;
};

/*
 * The absolute path that "~/..." stands for there; the caller frees it.
 * NULL with ERR_USAGE for a path that is relative.
 */
char *host_full_path(const struct host *, const char *path, struct err *);

/*
 * End of a call on one path, which is freed.  The error names host and path
 * once: io/fs and its kin have the path in theirs, mostly in front.
 */
int host_done(const struct host *, char *full, int rc, struct err *);

#endif /* !IO_HOST_PART_H */
