#ifndef IO_HOST_SSH_H
#define IO_HOST_SSH_H

#include "base/attr.h"

struct err;
struct host_pipe;
struct host_spec;
struct ssh_limits;

/*
 * A host over SSH by libssh2: log in, bring sanctumctl-remote up there
 * (io/host_helper.h), and talk to it (io/host_pipe.h).  host_pipe's close
 * ends the connection.
 *
 * limits may be NULL.  Failures as host_open says.
 */
int host_ssh_open(const struct host_spec *, const struct ssh_limits *limits,
    struct host_pipe **out, struct err *) MUST_CHECK;

#endif /* !IO_HOST_SSH_H */
