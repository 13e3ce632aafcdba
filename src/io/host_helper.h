#ifndef IO_HOST_HELPER_H
#define IO_HOST_HELPER_H

#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct host_pipe;
struct wire_pipe;

/*
 * See that sanctumctl-remote is on a machine where commands can be run, start
 * it, and begin the conversation (io/host_pipe.h).
 *
 * sanctumctl-remote lies in ~/.cache/sanctumctl/remote-SHA256 there, named by
 * the digest of its bytes.  One command starts it, or tells what is there
 * instead: so a host that has it costs one command.  When it is not there, or
 * does not start, our own copy is sent: under a temporary name, renamed once
 * its size is right.  Our copy is $SANCTUMCTL_REMOTE, or sanctumctl-remote
 * beside the running program, or PKGLIBEXECDIR/sanctumctl-remote.  When the
 * machine there is of another kind, or we have no copy, the one in its PATH
 * is used, if it speaks our protocol.
 */

/* How commands of the login shell there are run; a transport fills it. */
struct host_helper_shell {
	void *ctx;
	/* The pipe is the command's stdin and stdout. */
	int (*open)(void *ctx, const char *command, struct wire_pipe *,
	    struct err *);
	/*
	 * Run it to its end: as ssh_call of io/ssh.h.  A command that ends
	 * without reading its input is a success: status tells.
	 */
	int (*call)(void *ctx, const char *command, const struct buf *input,
	    uint64_t timeout_ms, struct buf *out, int *status, struct err *);
};

/* hello_ms: from the command to the helper's first frame. */
int host_helper_start(const struct host_helper_shell *, uint64_t hello_ms,
    struct host_pipe **out, struct err *) MUST_CHECK;

#endif /* !IO_HOST_HELPER_H */
