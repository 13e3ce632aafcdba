#include "base/base.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/stop.h"
#include "io/wire_fd.h"
#include "remote/serve.h"

/*
 * sanctumctl-remote: frames on stdin and stdout, nothing else.  stderr is
 * given up, since the program that started us may have joined it to stdout.
 * It ends with its input, and with sshd, which holds the other end: a program
 * that it runs for a peer who is gone is ended too (base/stop.h, io/proc.h).
 *
 * Only why it could not begin is said in plain text: the peer, who waits for
 * WIRE_MAGIC then, shows whatever comes instead.
 */
struct start {
	struct wire_fd fds;	/* first: the pipe's ctx is its address */
	int (*write)(void *ctx, const void *data, size_t len,
	    uint64_t deadline_ms, struct err *);
	bool begun;
};

static int
noted_write(void *ctx, const void *data, size_t len, uint64_t deadline_ms,
    struct err *err)
{
	struct start *start = ctx;

	start->begun = true;
	return start->write(ctx, data, len, deadline_ms, err);
}

int
main(void)
{
	struct err err = ERR_INIT;
	struct start start = { .begun = false };
	struct wire_pipe pipe;
	int null;

	(void)umask(077);
	stop_catch();
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		return 1;
	wire_fd_init(&start.fds, STDIN_FILENO, STDOUT_FILENO, 0, &pipe);
	start.write = pipe.write;
	pipe.write = noted_write;
	if (serve_run(&pipe, &err) == 0)
		return 0;
	if (!start.begun)
		(void)dprintf(STDOUT_FILENO, "%s\n", err.text);
	return err_exit(&err);
}
