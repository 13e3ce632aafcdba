#include "base/base.h"

#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/worker.h"
#include "flow/worker_live.h"
#include "flow/worker_stop.h"
#include "io/host.h"

#define POLL_MS 100

/* What a start script that was begun before takes until its worker is seen. */
#define SETTLE_MS 250

/* How often a worker may be back after its end before we call it restarted. */
#define ROUNDS 3

/* One look at a host: every process that is a worker's, or may be. */
struct seen {
	pid_t pid;
	pid_t ppid;
	uint64_t start;
	bool entry;		/* runs main.py or smcp.py */
	bool shell;		/* runs a script */
	const char *tree;
};

struct look {
	struct seen *list;
	size_t n;
	const char *tree;	/* whose directory is asked about */
};

static bool
is_shell(const char *word)
{
	static const char *const shells[] = { "sh", "bash", "dash", NULL };

	for (size_t i = 0; shells[i]; i++) {
		if (str_eq(str_base(word), shells[i]))
			return true;
	}
	return false;
}

/* The n-th word of a command line, or NULL. */
static const char *
word_of(const struct procs_info *info, size_t n)
{
	const char *at = info->argv, *end = info->argv + info->argv_len;

	for (; n > 0 && at < end; n--)
		at += strnlen(at, (size_t)(end - at)) + 1;
	return at < end && memchr(at, '\0', (size_t)(end - at)) ? at : NULL;
}

static struct seen *
find_seen(const struct look *look, pid_t pid)
{
	/* They come in order: one that is new is behind the last. */
	if (look->n > 0 && look->list[look->n - 1].pid < pid && !look->tree)
		return NULL;
	for (size_t i = 0; i < look->n; i++) {
		if (look->list[i].pid == pid)
			return &look->list[i];
	}
	return NULL;
}

static int
note_process(void *ctx, const struct procs_info *info, struct err *err)
{
	struct look *look = ctx;
	const char *first = word_of(info, 0), *second = word_of(info, 1);
	struct seen *seen = find_seen(look, info->pid);

	(void)err;
	if (!seen) {
		look->list = mem_grow(look->list, look->n + 1,
		    sizeof(*look->list));
		seen = &look->list[look->n++];
		*seen = (struct seen){ .pid = info->pid };
	}
	seen->ppid = info->ppid;
	seen->start = info->start;
	seen->shell = first && is_shell(first) && second && second[0] != '-';
	if (look->tree && worker_live_script(info)) {
		seen->entry = true;
		seen->tree = look->tree;
	}
	return 0;
}

/* The shells above an entry program belong to it. */
static void
claim_parents(struct look *look)
{
	struct seen *parent;
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < look->n; i++) {
			if (!look->list[i].tree)
				continue;
			parent = find_seen(look, look->list[i].ppid);
			if (!parent || parent->tree || !parent->shell ||
			    parent->pid == 1)
				continue;
			parent->tree = look->list[i].tree;
			more = true;
		}
	}
}

static void
take(struct worker_processes *out, const struct look *look, bool wrapper)
{
	const struct seen *seen;

	for (size_t i = 0; i < look->n; i++) {
		seen = &look->list[i];
		if (!seen->tree || seen->entry == wrapper)
			continue;
		out->list = mem_grow(out->list, out->n + 1,
		    sizeof(*out->list));
		out->list[out->n++] = (struct worker_process){
			.pid = seen->pid, .start = seen->start,
			.wrapper = wrapper, .tree = seen->tree,
		};
	}
}

int
worker_processes(struct host *host, const char *dir,
    const char *const *trees, struct worker_processes *out, struct err *err)
{
	struct look look = { 0 };
	char *path;
	int rc;

	*out = (struct worker_processes){ 0 };
	rc = host_processes(host, NULL, note_process, &look, err);
	for (; rc == 0 && *trees; trees++) {
		path = worker_path(dir, *trees);
		look.tree = *trees;
		rc = host_processes(host, path, note_process, &look, err);
		free(path);
	}
	if (rc == 0) {
		claim_parents(&look);
		take(out, &look, true);
		take(out, &look, false);
	}
	free(look.list);
	return rc;
}

void
worker_processes_clear(struct worker_processes *processes)
{
	free(processes->list);
	*processes = (struct worker_processes){ 0 };
}

void
worker_processes_show(const struct worker_processes *processes,
    struct buf *out)
{
	for (size_t i = 0; i < processes->n; i++)
		buf_printf(out, "%spid %ld (%s)", i ? ", " : "",
		    (long)processes->list[i].pid, processes->list[i].tree);
}

int
worker_refuse_running(const struct worker_processes *processes,
    const struct conf_worker *worker, const struct host *host,
    const char *dir, struct err *err)
{
	struct buf text = BUF_INIT(512);

	if (processes->n == 0)
		return 0;
	worker_processes_show(processes, &text);
	(void)err_set(err, ERR_STALE, "%s:%s: runs (%s), and `supervisor = "
	    "none' in [worker %s] leaves it to you to stop it: do, then run "
	    "the same command again", host_name(host), dir, buf_cstr(&text),
	    worker->name);
	buf_clear(&text);
	return -1;
}

bool
worker_process_of(const struct worker_processes *processes, const char *tree)
{
	for (size_t i = 0; i < processes->n; i++) {
		if (str_eq(processes->list[i].tree, tree) &&
		    !processes->list[i].wrapper)
			return true;
	}
	return false;
}

int
worker_await(struct host *host, const char *dir, const char *const *trees,
    const char *ran, uint64_t wait_ms, const char **missing, struct err *err)
{
	const uint64_t deadline_ms = clock_ms() + wait_ms;
	struct worker_processes processes;

	for (;;) {
		*missing = NULL;
		if (stop_check(err) != 0 || worker_processes(host, dir, trees,
		    &processes, err) != 0)
			return -1;
		for (const char *const *tree = trees; *tree; tree++) {
			if (!*missing && strstr(ran, *tree) &&
			    !worker_process_of(&processes, *tree))
				*missing = *tree;
		}
		worker_processes_clear(&processes);
		if (!*missing || clock_left_ms(deadline_ms) == 0)
			return 0;
		clock_sleep_ms(POLL_MS);
	}
}

/* Send each a signal; *left counts those that were there to take it. */
static int
signal_all(struct host *host, const struct worker_processes *processes,
    int number, size_t *left, struct err *err)
{
	const struct worker_process *process;
	bool there;

	*left = 0;
	for (size_t i = 0; i < processes->n; i++) {
		process = &processes->list[i];
		if (host_signal(host, process->pid, process->start, number,
		    &there, err) != 0)
			return -1;
		*left += there;
	}
	return 0;
}

/* Until all have ended, or the time is over. */
static int
await_end(struct host *host, const struct worker_processes *processes,
    uint64_t wait_ms, size_t *left, struct err *err)
{
	const uint64_t deadline_ms = clock_ms() + wait_ms;

	for (;;) {
		if (stop_check(err) != 0 ||
		    signal_all(host, processes, 0, left, err) != 0)
			return -1;
		if (*left == 0 || clock_left_ms(deadline_ms) == 0)
			return 0;
		clock_sleep_ms(POLL_MS);
	}
}

static int
end_them(struct host *host, const struct worker_processes *processes,
    bool busy, size_t *killed, struct err *err)
{
	const uint64_t waits_ms[] = { busy ? 15000 : 10000,
		busy ? 55000 : 5000, 10000 };
	static const int signals[] = { SIGTERM, SIGTERM, SIGKILL };
	size_t left = processes->n;

	for (size_t i = 0; i < 3 && left > 0; i++) {
		if (signal_all(host, processes, signals[i], &left, err) != 0)
			return -1;
		if (signals[i] == SIGKILL && left > 0) {
			log_warn("%zu of the worker's processes took no "
			    "SIGTERM and got SIGKILL", left);
			*killed += left;
		}
		if (await_end(host, processes, waits_ms[i], &left, err) != 0)
			return -1;
	}
	return 0;
}

static int
refuse_living(const struct host *host, const char *dir,
    const struct worker_processes *processes, struct err *err)
{
	struct buf text = BUF_INIT(512);
	int rc;

	worker_processes_show(processes, &text);
	rc = err_set(err, ERR_STALE, "%s:%s: the worker was ended %d times "
	    "and lives again: %s; find what starts it and turn that off",
	    host_name(host), dir, ROUNDS, buf_cstr(&text));
	buf_clear(&text);
	return rc;
}

int
worker_stop(struct host *host, const char *dir, const char *const *trees,
    bool busy, size_t *killed, struct err *err)
{
	struct worker_processes processes;
	bool settled = false;
	int rc = 0;

	*killed = 0;
	for (int round = 0; rc == 0; round++) {
		rc = worker_processes(host, dir, trees, &processes, err);
		if (rc == 0 && processes.n == 0 && (round == 0 || settled))
			break;
		if (rc == 0 && processes.n == 0) {
			settled = true;
			round--;
			clock_sleep_ms(SETTLE_MS);
			continue;
		}
		settled = false;
		if (rc == 0 && round == ROUNDS)
			rc = refuse_living(host, dir, &processes, err);
		else if (rc == 0)
			rc = end_them(host, &processes, busy, killed, err);
		worker_processes_clear(&processes);
	}
	return rc;
}
