#ifndef FLOW_WORKER_STOP_H
#define FLOW_WORKER_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct buf;
struct conf_worker;
struct err;
struct host;

/*
 * The processes of a worker, and their end.
 *
 * A process is the worker's own when it is a Python that runs main.py or
 * smcp.py (worker_live_script) and that file, its working directory, program
 * or an open file lies below that tree; and so is a shell that runs a script
 * and has started one of these, since it may start another. A pid file says
 * nothing: Broca removes it when the signal comes, not when it ends, and a
 * copied one names anybody.
 *
 * Somebody else with a file below a tree (an editor of main.py, sqlite3) is
 * not touched; nor is process 1, whose end is that of its whole container.
 */
struct worker_process {
	pid_t pid;
	uint64_t start;
	bool wrapper;		/* the shell */
	const char *tree;	/* of the job file's list */
};

struct worker_processes {
	struct worker_process *list;
	size_t n;
};

/*
 * Those that live below DIR/TREE on a host, shells first.  trees ends with
 * NULL and outlives the list.
 */
int worker_processes(struct host *, const char *dir,
    const char *const *trees, struct worker_processes *, struct err *)
    MUST_CHECK;
void worker_processes_clear(struct worker_processes *);

/* "pid 12 (broca), pid 34 (smcp)", appended. */
void worker_processes_show(const struct worker_processes *, struct buf *);

/*
 * ERR_STALE when there are any: with `supervisor = none' somebody else ends
 * them.
 */
int worker_refuse_running(const struct worker_processes *,
    const struct conf_worker *, const struct host *, const char *dir,
    struct err *) MUST_CHECK;

/*
 * Wait until each of trees whose name is in ran ("broca smcp") has a process
 * below DIR, wait_ms at most.  *missing: the first that has none by then, or
 * NULL.
 */
#define WORKER_LIVE_MS 30000	/* for what was started */
int worker_await(struct host *, const char *dir, const char *const *trees,
    const char *ran, uint64_t wait_ms, const char **missing, struct err *)
    MUST_CHECK;

/* Whether one of them, no shell, is of that tree. */
bool worker_process_of(const struct worker_processes *, const char *tree);

/*
 * End them: TERM; TERM again, since Broca's first one may leave a process that
 * never exits and holds the database's lock; KILL, which is safe for the file.
 * busy: a message is being worked on, so Broca is given what its own waits may
 * take (15 s and 55 s more); else 10 s and 5 s.  A process that appears
 * meanwhile is ended, too.
 *
 * *killed counts those that had to be.  Succeeds when two last looks, a moment
 * apart, have found none: a start script may have been under way.
 * ERR_STALE: something starts them again and again; its words say what is
 * alive.
 */
int worker_stop(struct host *, const char *dir, const char *const *trees,
    bool busy, size_t *killed, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_STOP_H */
