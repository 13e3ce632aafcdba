#ifndef IO_HOST_OPENSSH_H
#define IO_HOST_OPENSSH_H

#include "base/attr.h"

struct err;
struct host_pipe;
struct host_spec;
struct ssh_limits;

/*
 * A host over SSH by the system's ssh program (io/openssh.h has its command
 * line): bring sanctumctl-remote up there (io/host_helper.h), and talk to it
 * through ssh's stdin and stdout.  host_pipe's close ends the process; it has
 * no terminal, and dies with us.
 *
 * A login costs a process, so a host that has the helper is logged in to
 * once, and one that has it not three times.  A host that has gone silent is
 * noticed by ssh's own questions (ServerAliveInterval), also between calls.
 *
 * limits may be NULL.  Failures as host_open says, with ssh's own words;
 * ERR_MISSING when there is no ssh.
 */
int host_openssh_open(const struct host_spec *, const struct ssh_limits *,
    struct host_pipe **out, struct err *) MUST_CHECK;

#endif /* !IO_HOST_OPENSSH_H */
