#include "base/base.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "flow/backup.h"
#include "flow/backup_jobs.h"

#define GRACE_MS 5000	/* for a child to end by itself */

/* What a child sends first, before its text. */
struct answer {
	bool failed, fatal, transient;
	enum err_kind kind;
};

struct child {
	pid_t pid;		/* 0: free */
	int fd;
	size_t number;
	struct buf text;
};

struct jobs {
	const struct backup_work *work;
	size_t *queue, n_queue, next;	/* numbers; those tried again last */
	bool *tried;
	unsigned int limit, running;
	struct child children[BACKUP_JOBS_MAX];
};

static void
send_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

static NORETURN void
be_child(const struct jobs *jobs, size_t number, int fd, pid_t parent)
{
	struct buf out = BUF_INIT(BACKUP_ANSWER_MAX);
	struct answer answer = { 0 };
	struct err err = ERR_INIT;
	int rc = -1;

	/* A parent that is killed takes us along; it may be gone by now. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	log_set_level(LOG_LEVEL_WARN);
	rc = jobs->work->work(jobs->work->ctx, number, &out, &answer.fatal,
	    &err);
	if (rc == 0)
		rc = buf_check(&out, "answer of a child", &err);
	answer.failed = rc != 0;
	answer.transient = err.transient;
	answer.kind = err.kind;
	send_all(fd, &answer, sizeof(answer));
	if (rc == 0)
		send_all(fd, buf_cstr(&out), out.len);
	else
		send_all(fd, err.text, strlen(err.text));
	_exit(0);
}

static struct child *
free_place(struct jobs *jobs)
{
	for (size_t i = 0; i < BACKUP_JOBS_MAX; i++) {
		if (jobs->children[i].pid == 0)
			return &jobs->children[i];
	}
	return NULL;
}

static int
start(struct jobs *jobs, struct err *err)
{
	struct child *child = free_place(jobs);
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(err, ERR_FAILED, "pipe");
	child->number = jobs->queue[jobs->next++];
	buf_init(&child->text, sizeof(struct answer) + BACKUP_ANSWER_MAX);
	(void)fflush(NULL);
	child->pid = fork();
	if (child->pid == 0) {
		(void)close(ends[0]);
		be_child(jobs, child->number, ends[1], parent);
	}
	(void)close(ends[1]);
	child->fd = ends[0];
	if (child->pid < 0) {
		child->pid = 0;
		(void)err_sys(err, ERR_FAILED, "fork");
		(void)close(ends[0]);
		return -1;
	}
	jobs->running++;
	return 0;
}

static int
reap(struct jobs *jobs, struct child *child)
{
	int status = 0;

	(void)close(child->fd);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->pid = 0;
	jobs->running--;
	return status;
}

/* What a child that has ended was able to say. */
static bool
take_answer(struct child *child, int status, struct answer *answer,
    struct err *failed)
{
	char reason[ERR_TEXT_MAX];

	if (child->text.len < sizeof(*answer)) {
		*answer = (struct answer){ .failed = true };
		if (WIFSIGNALED(status))
			(void)err_set(failed, ERR_FAILED, "the process that "
			    "read it was ended by signal %d (%s)",
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			(void)err_set(failed, ERR_FAILED, "the process that "
			    "read it ended with %d and said nothing",
			    WEXITSTATUS(status));
		return false;
	}
	memcpy(answer, child->text.data, sizeof(*answer));
	buf_drop(&child->text, sizeof(*answer));
	if (!answer->failed)
		return true;
	(void)snprintf(reason, sizeof(reason), "%s", buf_cstr(&child->text));
	(void)err_set(failed, answer->kind, "%s", reason);
	failed->transient = answer->transient;
	return false;
}

static int
finish(struct jobs *jobs, struct child *child, struct err *err)
{
	struct err failed = ERR_INIT;
	struct answer answer;
	size_t number = child->number;
	int status = reap(jobs, child), rc;

	if (take_answer(child, status, &answer, &failed))
		rc = jobs->work->done(jobs->work->ctx, number, &child->text,
		    NULL, err);
	else if (answer.fatal) {
		*err = failed;
		rc = -1;
	} else if (failed.transient && !jobs->tried[number]) {
		log_info("%s; it is tried again at the end", failed.text);
		jobs->tried[number] = true;
		jobs->queue[jobs->n_queue++] = number;
		jobs->limit = jobs->limit > 1 ? jobs->limit / 2 : 1;
		rc = 0;
	} else
		rc = jobs->work->done(jobs->work->ctx, number, NULL, &failed,
		    err);
	buf_clear(&child->text);
	return rc;
}

static int
read_from(struct jobs *jobs, struct child *child, struct err *err)
{
	char piece[4096];
	ssize_t n = read(child->fd, piece, sizeof(piece));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n > 0) {
		buf_add(&child->text, piece, (size_t)n);
		return 0;
	}
	return finish(jobs, child, err);
}

static int
wait_some(struct jobs *jobs, struct err *err)
{
	struct pollfd fds[BACKUP_JOBS_MAX];
	struct child *of[BACKUP_JOBS_MAX];
	nfds_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < BACKUP_JOBS_MAX; i++) {
		if (jobs->children[i].pid == 0)
			continue;
		of[n] = &jobs->children[i];
		fds[n++] = (struct pollfd){ .fd = jobs->children[i].fd,
		    .events = POLLIN };
	}
	if (poll(fds, n, STOP_SLICE_MS) <= 0)
		return 0;
	for (nfds_t i = 0; i < n && rc == 0; i++) {
		if (fds[i].revents)
			rc = read_from(jobs, of[i], err);
	}
	return rc;
}

/* They are asked, and then made, to end. */
static void
end_all(struct jobs *jobs)
{
	uint64_t end_ms = clock_ms() + GRACE_MS;
	struct child *child;
	pid_t ended;

	for (size_t i = 0; i < BACKUP_JOBS_MAX; i++) {
		if (jobs->children[i].pid > 0)
			(void)kill(jobs->children[i].pid, SIGTERM);
	}
	for (size_t i = 0; i < BACKUP_JOBS_MAX; i++) {
		child = &jobs->children[i];
		if (child->pid == 0)
			continue;
		for (;;) {
			ended = waitpid(child->pid, NULL, WNOHANG);
			if (ended != 0 || clock_left_ms(end_ms) == 0)
				break;
			clock_sleep_ms(10);
		}
		if (ended == 0) {
			(void)kill(child->pid, SIGKILL);
			(void)waitpid(child->pid, NULL, 0);
		}
		(void)close(child->fd);
		child->pid = 0;
		buf_clear(&child->text);
	}
}

int
backup_jobs(const struct backup_work *work, size_t n, unsigned int limit,
    struct err *err)
{
	struct jobs jobs = { .work = work, .n_queue = n, .limit = limit };
	int rc = 0;

	jobs.queue = mem_zero(2 * n + 1, sizeof(*jobs.queue));
	jobs.tried = mem_zero(n + 1, sizeof(*jobs.tried));
	for (size_t i = 0; i < n; i++)
		jobs.queue[i] = i;
	while (rc == 0 && (jobs.next < jobs.n_queue || jobs.running > 0)) {
		rc = stop_check(err);
		while (rc == 0 && jobs.next < jobs.n_queue &&
		    jobs.running < jobs.limit)
			rc = start(&jobs, err);
		if (rc == 0)
			rc = wait_some(&jobs, err);
	}
	end_all(&jobs);
	free(jobs.queue);
	free(jobs.tried);
	return rc;
}
