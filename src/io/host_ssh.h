#ifndef IO_HOST_SSH_H
#define IO_HOST_SSH_H

#include "base/attr.h"

struct err;
struct host_pipe;
struct host_spec;
struct ssh_limits;

/*
 * A host over SSH: log in, see that sanctumctl-remote is there, start it, and
 * talk to it (io/host_pipe.h).  host_pipe's close ends the connection.
 *
 * sanctumctl-remote lies in ~/.cache/sanctumctl/remote-SHA256 there, named by
 * the digest of its bytes.  When it is not there, or does not start, our own
 * copy is sent: under a temporary name, renamed once its size is right.  Our
 * copy is $SANCTUMCTL_REMOTE, or sanctumctl-remote beside the running
 * program, or PKGLIBEXECDIR/sanctumctl-remote.  When the machine there is of
 * another kind, or we have no copy, the one in its PATH is used, if it speaks
 * our protocol.
 *
 * limits may be NULL.  Failures as host_open says.
 */
int host_ssh_open(const struct host_spec *, const struct ssh_limits *limits,
    struct host_pipe **out, struct err *) MUST_CHECK;

#endif /* !IO_HOST_SSH_H */
