#include "base/base.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/stop.h"
#include "io/proc.h"
#include "io/proc_spawn.h"

#define GRACE_MS 2000		/* between SIGTERM and SIGKILL */
#define LINGER_MS 500		/* for pipes that outlive the program */
#define BLIND_MS 10		/* turn of the loop where there is no pidfd */
#define FOREVER_MS (UINT64_C(10) * 365 * 86400 * 1000)

/* Descriptors of the loop, as they stand in the poll table. */
enum { IN, OUT, ERR, CHILD, N_FDS };

struct run {
	const struct proc_spec *spec;
	struct proc_result *result;
	pid_t pid;		/* 0: none to reap */
	int fds[N_FDS];		/* ours; -1 when closed */
	size_t sent;		/* bytes of input */
	bool ended;		/* it is not reaped yet */
};

void
proc_result_init(struct proc_result *result, size_t max_bytes)
{
	*result = (struct proc_result) { .status = -1 };
	buf_init(&result->out, max_bytes);
	buf_init(&result->err_out, max_bytes);
}

void
proc_result_clear(struct proc_result *result)
{
	buf_clear(&result->out);
	buf_clear(&result->err_out);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static int
start(struct run *run, struct err *err)
{
	const struct proc_spawn spawn = { .argv = run->spec->argv,
		.env = run->spec->env, .err_fd = -1 };
	struct proc_child child;

	if (proc_spawn(&spawn, &child, err) != 0)
		return -1;
	run->pid = child.pid;
	run->fds[CHILD] = (int)syscall(SYS_pidfd_open, run->pid, 0);
	run->fds[IN] = child.in;
	run->fds[OUT] = child.out;
	run->fds[ERR] = child.err;
	return 0;
}

static void
feed(struct run *run)
{
	const struct proc_spec *spec = run->spec;
	ssize_t put;

	if (run->sent < spec->input_len) {
		put = write(run->fds[IN], spec->input + run->sent,
		    spec->input_len - run->sent);
		if (put > 0)
			run->sent += (size_t)put;
		else if (put < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			run->sent = spec->input_len;	/* EPIPE */
	}
	if (run->sent == spec->input_len)
		close_fd(&run->fds[IN]);
}

static void
drain(int *fd, struct buf *to)
{
	char block[16 * 1024];
	ssize_t got;
	size_t room;

	got = read(*fd, block, sizeof(block));
	if (got > 0) {
		/* Up to the last byte that fits; the rest turns it full. */
		room = to->full ? 0 : to->max - to->len;
		if (room > (size_t)got)
			room = (size_t)got;
		if (room > 0)
			buf_add(to, block, room);
		if ((size_t)got > room)
			buf_add(to, block + room, (size_t)got - room);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_fd(fd);
	}
	/* What a program says may be a key (`cmd:` references). */
	secret_wipe(block, sizeof(block));
}

/* Note the end of the program, but keep it as the owner of its group id. */
static void
look_ended(struct run *run)
{
	siginfo_t info = { .si_pid = 0 };

	if (run->ended)
		return;
	if (waitid(P_PID, (id_t)run->pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) != 0)
		run->ended = errno == ECHILD;
	else
		run->ended = info.si_pid == run->pid;
}

/* One turn: wait at most max_ms for something, and take what is there. */
static void
turn(struct run *run, int max_ms)
{
	struct pollfd polls[N_FDS];

	if (max_ms > STOP_SLICE_MS)
		max_ms = STOP_SLICE_MS;
	if (run->fds[CHILD] < 0 && !run->ended && max_ms > BLIND_MS)
		max_ms = BLIND_MS;
	for (int i = 0; i < N_FDS; i++)
		polls[i] = (struct pollfd) {
			.fd = run->fds[i],
			.events = i == IN ? POLLOUT : POLLIN,
		};
	if (run->ended)		/* its pidfd would be readable for ever */
		polls[CHILD].fd = -1;
	if (poll(polls, N_FDS, max_ms) > 0) {
		if (polls[IN].revents != 0)
			feed(run);
		if (polls[OUT].revents != 0)
			drain(&run->fds[OUT], &run->result->out);
		if (polls[ERR].revents != 0)
			drain(&run->fds[ERR], &run->result->err_out);
	}
	look_ended(run);
}

static bool
all_over(const struct run *run)
{
	return run->ended && run->fds[OUT] < 0 && run->fds[ERR] < 0;
}

/* End the whole group; it has its time to say a last word. */
static void
end_group(struct run *run)
{
	uint64_t deadline = clock_ms() + GRACE_MS;
	int left = GRACE_MS;

	(void)kill(-run->pid, SIGTERM);
	while (!all_over(run) && left > 0) {
		turn(run, left);
		left = clock_left_ms(deadline);
	}
	/* Not reaped yet: the number is still this group's. */
	(void)kill(-run->pid, SIGKILL);
}

/* Turn until the program has ended and its pipes are read. */
static int
attend(struct run *run, struct err *err)
{
	uint64_t max_ms = run->spec->timeout_ms, deadline, linger = 0;
	int left;

	if (max_ms > FOREVER_MS)
		max_ms = FOREVER_MS;
	deadline = clock_ms() + max_ms;
	while (!all_over(run)) {
		left = clock_left_ms(deadline);
		if (run->ended) {
			if (linger == 0)
				linger = clock_ms() + LINGER_MS;
			left = clock_left_ms(linger);
			if (left == 0)
				return 0;
		} else if (stop_check(err) != 0) {
			return err_ctx(err, "%s", run->spec->argv[0]);
		} else if (left == 0) {
			(void)err_set(err, ERR_FAILED, "%s: had not ended "
			    "after %" PRIu64 " ms and was stopped",
			    run->spec->argv[0], run->spec->timeout_ms);
			return err_transient(err);
		}
		turn(run, left);
	}
	return 0;
}

static int
reap(struct run *run, struct err *err)
{
	int status;
	pid_t got;

	do
		got = waitpid(run->pid, &status, 0);
	while (got < 0 && errno == EINTR);
	run->pid = 0;
	if (got < 0)
		return err_sys(err, ERR_FAILED, "%s: wait for its end",
		    run->spec->argv[0]);
	if (WIFSIGNALED(status))
		run->result->status = 128 + WTERMSIG(status);
	else
		run->result->status = WEXITSTATUS(status);
	return 0;
}

int
proc_run(const struct proc_spec *spec, struct proc_result *result,
    struct err *err)
{
	struct run run = {
		.spec = spec,
		.result = result,
		.fds = { -1, -1, -1, -1 },
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct err later = ERR_INIT;
	int rc = -1;

	result->status = -1;
	(void)sigemptyset(&ignore.sa_mask);
	(void)sigaction(SIGPIPE, &ignore, &old);
	if (stop_check(err) != 0)
		(void)err_ctx(err, "%s", spec->argv[0]);
	else if (start(&run, err) == 0)
		rc = attend(&run, err);
	if (rc != 0 && run.pid != 0)
		end_group(&run);
	if (run.pid != 0 && reap(&run, rc == 0 ? err : &later) != 0)
		rc = -1;
	for (int i = 0; i < N_FDS; i++)
		close_fd(&run.fds[i]);
	(void)sigaction(SIGPIPE, &old, NULL);
	return rc;
}
