#ifndef REMOTE_SERVE_H
#define REMOTE_SERVE_H

#include "base/attr.h"

struct err;
struct wire_pipe;

/*
 * The far end of the conversation that io/host_pipe.h describes: do what the
 * frames of a pipe ask for, on this machine, until the pipe ends.
 *
 * Returns 0 when the other end closed between two requests.  Fails when the
 * pipe does, or when what comes is not the protocol.
 */
int serve_run(const struct wire_pipe *, struct err *) MUST_CHECK;

#endif /* !REMOTE_SERVE_H */
