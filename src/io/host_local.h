#ifndef IO_HOST_LOCAL_H
#define IO_HOST_LOCAL_H

#include "base/attr.h"
#include "io/host_ops.h"

struct host_local;

/*
 * This machine: io/fs, io/proc, io/db and io/tree called directly.  The home
 * directory is $HOME: no name service is asked, because sanctumctl-remote is
 * linked statically.  Fails with ERR_FAILED when $HOME is not absolute.
 */
int host_local_open(struct host_local **out, struct err *) MUST_CHECK;

extern const struct host_ops host_local_ops;

#endif /* !IO_HOST_LOCAL_H */
