#include "base/base.h"

#include <fcntl.h>
#include <poll.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/dial.h"
#include "io/wire_fd.h"

#define PIPE_BYTES (1024 * 1024)
#define FOREVER_MS (UINT64_C(3600) * 1000)

static int
wait_for(const struct wire_fd *w, int fd, short events, uint64_t deadline_ms,
    struct err *err)
{
	uint64_t wait_ms = w->silence_ms ? w->silence_ms : FOREVER_MS;
	bool ends = w->silence_ms != 0;
	short got;
	int ready;

	if (deadline_ms && (uint64_t)clock_left_ms(deadline_ms) < wait_ms) {
		wait_ms = (uint64_t)clock_left_ms(deadline_ms);
		ends = true;
	}
	do {
		ready = dial_wait(fd, events, &got, wait_ms, err);
	} while (ready == 0 && !ends);
	if (ready == 0)
		return err_set(err, ERR_UNREACHABLE,
		    "no answer in time");
	return ready < 0 ? -1 : 0;
}

static ptrdiff_t
fd_read(void *ctx, void *data, size_t size, uint64_t deadline_ms,
    struct err *err)
{
	const struct wire_fd *w = ctx;
	ssize_t n;

	for (;;) {
		n = read(w->in, data, size);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(err, ERR_UNREACHABLE, "read");
		if (wait_for(w, w->in, POLLIN, deadline_ms, err) != 0)
			return -1;
	}
}

static int
fd_write(void *ctx, const void *data, size_t len, uint64_t deadline_ms,
    struct err *err)
{
	const struct wire_fd *w = ctx;
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(w->out, p, len);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return err_sys(err, ERR_UNREACHABLE, "write");
		} else if (wait_for(w, w->out, POLLOUT, deadline_ms,
		    err) != 0) {
			return -1;
		}
	}
	return 0;
}

static bool
fd_readable(void *ctx)
{
	const struct wire_fd *w = ctx;
	struct pollfd p = { .fd = w->in, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

void
wire_fd_init(struct wire_fd *w, int in, int out, uint64_t silence_ms,
    struct wire_pipe *pipe)
{
	w->in = in;
	w->out = out;
	w->silence_ms = silence_ms;
	/* Pipes of sshd: fewer switches between it and us; may be refused. */
	(void)fcntl(in, F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(out, F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
	(void)fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
	*pipe = (struct wire_pipe) {
		.ctx = w,
		.read = fd_read,
		.write = fd_write,
		.readable = fd_readable,
	};
}
