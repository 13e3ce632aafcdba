#include "base/base.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/proc.h"

#define GRACE_MS 2000		/* between SIGTERM and SIGKILL */
#define LINGER_MS 500		/* for pipes that outlive the program */
#define BLIND_MS 10		/* turn of the loop where there is no pidfd */
#define FOREVER_MS (UINT64_C(10) * 365 * 86400 * 1000)

/* Descriptors of the loop, as they stand in the poll table. */
enum { IN, OUT, ERR, CHILD, N_FDS };

struct run {
	const struct proc_spec *spec;
	struct proc_result *result;
	char *file;		/* what is executed */
	char **env;
	pid_t pid;		/* 0: none to reap */
	int fds[N_FDS];		/* ours; -1 when closed */
	size_t sent;		/* bytes of input */
	bool started;		/* the program itself, not only our fork */
	bool ended;		/* likewise; it is not reaped yet */
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

/* The file that name stands for in PATH; NULL with err. */
static char *
look_up(const char *name, struct err *err)
{
	const char *path = getenv("PATH");
	char *file;
	struct stat st;
	bool seen = false;
	size_t len;

	if (strchr(name, '/'))
		return mem_strdup(name);
	if (!path)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (; *path != '\0'; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		if (*path != '/' || len > PATH_MAX)
			continue;
		file = mem_printf("%.*s/%s", (int)len, path, name);
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
			if (access(file, X_OK) == 0)
				return file;
			seen = true;
		}
		free(file);
	}
	(void)err_set(err, seen ? ERR_FAILED : ERR_MISSING, "%s: %s", name,
	    seen ? "found in PATH, but we may not execute it" :
	    "no such program in PATH");
	return NULL;
}

/* Our environment with more put over it; the array alone is to be freed. */
static char **
merge_env(const char *const *more)
{
	size_t n = 0, n_more = 0, at;
	char **env;

	while (environ && environ[n])
		n++;
	while (more && more[n_more])
		n_more++;
	env = mem_zero(n + n_more + 1, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		env[i] = environ[i];
	for (size_t i = 0; i < n_more; i++) {
		size_t len = strcspn(more[i], "=") + 1;

		for (at = 0; at < n; at++)
			if (strncmp(env[at], more[i], len) == 0)
				break;
		/* execve(2) changes none of them: the cast is safe. */
		env[at] = (char *)(uintptr_t)more[i];
		if (at == n)
			n++;
	}
	return env;
}

/* A pipe whose ends are above 2, so that dup2 cannot run over one. */
static int
make_pipe(int ends[2])
{
	int up;

	ends[0] = -1;
	ends[1] = -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (ends[i] > STDERR_FILENO)
			continue;
		up = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (up < 0)
			return -1;
		(void)close(ends[i]);
		ends[i] = up;
	}
	return 0;
}

/* In the child: only what is safe after fork.  Tells errno on fail_fd. */
static void NORETURN
become(const struct run *run, const int std[3], int fail_fd)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int cause;

	(void)setpgid(0, 0);
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);

	if (dup2(std[0], 0) >= 0 && dup2(std[1], 1) >= 0 &&
	    dup2(std[2], 2) >= 0 &&
	    (fail_fd == 3 || dup3(fail_fd, 3, O_CLOEXEC) == 3)) {
		fail_fd = 3;
		if (close_range(4, ~0U, 0) != 0)
			for (int i = 4; i < (int)sysconf(_SC_OPEN_MAX); i++)
				(void)close(i);
		/* execve(2) changes none of argv: the cast is safe. */
		(void)execve(run->file,
		    (char *const *)(uintptr_t)run->spec->argv, run->env);
	}
	cause = errno;
	(void)!write(fail_fd, &cause, sizeof(cause));
	_exit(127);
}

/* Whether the program started: what it wrote about its exec, if anything. */
static int
exec_answer(const struct run *run, int fd, struct err *err)
{
	const char *name = run->spec->argv[0];
	struct stat st;
	ssize_t got;
	int cause;

	do
		got = read(fd, &cause, sizeof(cause));
	while (got < 0 && errno == EINTR);
	if (got != sizeof(cause))
		return 0;
	if (cause == ENOENT && stat(run->file, &st) == 0)
		return err_set(err, ERR_MISSING, "%s: is there, but the "
		    "interpreter or loader that it names is not", name);
	errno = cause;
	return err_sys(err, cause == ENOENT || cause == ENOTDIR ?
	    ERR_MISSING : ERR_FAILED, "%s: execute", name);
}

static int
start(struct run *run, struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errs[2] = { -1, -1 };
	int fail[2] = { -1, -1 }, rc = -1;

	if (make_pipe(in) != 0 || make_pipe(out) != 0 ||
	    make_pipe(errs) != 0 || make_pipe(fail) != 0) {
		(void)err_sys(err, ERR_FAILED, "%s: pipe",
		    run->spec->argv[0]);
		goto out;
	}
	run->pid = fork();
	if (run->pid < 0) {
		run->pid = 0;
		(void)err_sys(err, ERR_FAILED, "%s: fork",
		    run->spec->argv[0]);
		goto out;
	}
	if (run->pid == 0)
		become(run, (int[3]) { in[0], out[1], errs[1] }, fail[1]);

	/* Both sides do it: whichever runs first. */
	(void)setpgid(run->pid, run->pid);
	close_fd(&fail[1]);
	if (exec_answer(run, fail[0], err) != 0)
		goto out;
	run->started = true;
	run->fds[CHILD] = (int)syscall(SYS_pidfd_open, run->pid, 0);
	run->fds[IN] = in[1];
	run->fds[OUT] = out[0];
	run->fds[ERR] = errs[0];
	in[1] = out[0] = errs[0] = -1;
	for (int i = IN; i <= ERR; i++)
		(void)fcntl(run->fds[i], F_SETFL, O_NONBLOCK);
	rc = 0;
out:
	for (int i = 0; i < 2; i++) {
		close_fd(&in[i]);
		close_fd(&out[i]);
		close_fd(&errs[i]);
		close_fd(&fail[i]);
	}
	return rc;
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
	run.file = look_up(spec->argv[0], err);
	if (!run.file)
		goto out;
	run.env = merge_env(spec->env);
	if (stop_check(err) != 0) {
		(void)err_ctx(err, "%s", spec->argv[0]);
		goto out;
	}
	if (start(&run, err) == 0)
		rc = attend(&run, err);
	if (rc != 0 && run.started)
		end_group(&run);
	if (run.pid != 0 && reap(&run, rc == 0 ? err : &later) != 0)
		rc = -1;
out:
	for (int i = 0; i < N_FDS; i++)
		close_fd(&run.fds[i]);
	free(run.env);
	free(run.file);
	(void)sigaction(SIGPIPE, &old, NULL);
	return rc;
}
