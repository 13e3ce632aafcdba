#include "base/base.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/proc_spawn.h"

#define TURN_MS 5

/* What a program is made of, until it runs. */
struct plan {
	const struct proc_spawn *spawn;
	char *file;		/* what is executed */
	char **env;
	int in[2], out[2], err[2], fail[2];
};

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

/* In the child: only what is safe after fork.  Tells errno on the pipe. */
static void NORETURN
become(const struct plan *plan)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	int err_fd = plan->err[1] >= 0 ? plan->err[1] : plan->spawn->err_fd;
	int fail_fd = plan->fail[1];
	sigset_t none;
	int cause;

	if (plan->spawn->alone) {
		(void)setsid();
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	} else {
		(void)setpgid(0, 0);
	}
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);

	if (dup2(plan->in[0], 0) >= 0 && dup2(plan->out[1], 1) >= 0 &&
	    dup2(err_fd, 2) >= 0 &&
	    (fail_fd == 3 || dup3(fail_fd, 3, O_CLOEXEC) == 3)) {
		fail_fd = 3;
		if (close_range(4, ~0U, 0) != 0)
			for (int i = 4; i < (int)sysconf(_SC_OPEN_MAX); i++)
				(void)close(i);
		/* execve(2) changes none of argv: the cast is safe. */
		(void)execve(plan->file,
		    (char *const *)(uintptr_t)plan->spawn->argv, plan->env);
	}
	cause = errno;
	(void)!write(fail_fd, &cause, sizeof(cause));
	_exit(127);
}

/* Whether the program started: what it wrote about its exec, if anything. */
static int
exec_answer(const struct plan *plan, struct err *err)
{
	const char *name = plan->spawn->argv[0];
	struct stat st;
	ssize_t got;
	int cause;

	do
		got = read(plan->fail[0], &cause, sizeof(cause));
	while (got < 0 && errno == EINTR);
	if (got != sizeof(cause))
		return 0;
	if (cause == ENOENT && stat(plan->file, &st) == 0)
		return err_set(err, ERR_MISSING, "%s: is there, but the "
		    "interpreter or loader that it names is not", name);
	errno = cause;
	return err_sys(err, cause == ENOENT || cause == ENOTDIR ?
	    ERR_MISSING : ERR_FAILED, "%s: execute", name);
}

static int
start(struct plan *plan, pid_t *pid, struct err *err)
{
	const char *name = plan->spawn->argv[0];

	if (make_pipe(plan->in) != 0 || make_pipe(plan->out) != 0 ||
	    (plan->spawn->err_fd < 0 && make_pipe(plan->err) != 0) ||
	    make_pipe(plan->fail) != 0)
		return err_sys(err, ERR_FAILED, "%s: pipe", name);
	*pid = fork();
	if (*pid < 0) {
		*pid = 0;
		return err_sys(err, ERR_FAILED, "%s: fork", name);
	}
	if (*pid == 0)
		become(plan);

	/* Both sides do it: whichever runs first. */
	if (!plan->spawn->alone)
		(void)setpgid(*pid, *pid);
	close_fd(&plan->fail[1]);
	return exec_answer(plan, err);
}

/* The end of a pipe is the caller's from now on. */
static int
hand_over(int *fd)
{
	int taken = *fd;

	if (taken >= 0)
		(void)fcntl(taken, F_SETFL, O_NONBLOCK);
	*fd = -1;
	return taken;
}

int
proc_spawn(const struct proc_spawn *spawn, struct proc_child *child,
    struct err *err)
{
	struct plan plan = { .spawn = spawn, .in = { -1, -1 },
		.out = { -1, -1 }, .err = { -1, -1 }, .fail = { -1, -1 } };
	pid_t pid = 0;
	int rc = -1;

	*child = (struct proc_child) { .in = -1, .out = -1, .err = -1 };
	plan.file = look_up(spawn->argv[0], err);
	if (!plan.file)
		return -1;
	plan.env = merge_env(spawn->env);
	rc = start(&plan, &pid, err);
	if (rc == 0) {
		child->pid = pid;
		child->in = hand_over(&plan.in[1]);
		child->out = hand_over(&plan.out[0]);
		child->err = hand_over(&plan.err[0]);
	} else if (pid > 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	for (int i = 0; i < 2; i++) {
		close_fd(&plan.in[i]);
		close_fd(&plan.out[i]);
		close_fd(&plan.err[i]);
		close_fd(&plan.fail[i]);
	}
	free(plan.env);
	free(plan.file);
	return rc;
}

bool
proc_child_ended(struct proc_child *child, uint64_t deadline_ms, int *status)
{
	int code = 0;
	pid_t got;

	for (;;) {
		got = waitpid(child->pid, &code, WNOHANG);
		if (got == child->pid || (got < 0 && errno != EINTR))
			break;
		if (clock_left_ms(deadline_ms) == 0)
			return false;
		clock_sleep_ms(TURN_MS);
	}
	child->pid = 0;
	*status = WIFSIGNALED(code) ? 128 + WTERMSIG(code) :
	    WEXITSTATUS(code);
	return true;
}

void
proc_child_end(struct proc_child *child, uint64_t grace_ms)
{
	const pid_t pid = child->pid;
	int status;

	close_fd(&child->in);
	close_fd(&child->out);
	close_fd(&child->err);
	if (pid <= 0 ||
	    proc_child_ended(child, clock_ms() + grace_ms, &status))
		return;
	/* Not reaped yet: the number is still this group's. */
	(void)kill(-pid, SIGTERM);
	if (proc_child_ended(child, clock_ms() + grace_ms, &status))
		return;
	(void)kill(-pid, SIGKILL);
	while (!proc_child_ended(child, clock_ms() + 1000, &status))
		;
}
