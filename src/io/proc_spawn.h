#ifndef IO_PROC_SPAWN_H
#define IO_PROC_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct err;

/*
 * Start a program of this machine and leave it running.  io/proc.h runs one
 * to its end; this is for one that we talk to.
 *
 *     proc_spawn(&spawn, &child, err)
 *     ... child.in, child.out ...
 *     proc_child_end(&child, 2000);
 *
 * argv[0] is looked up in PATH, whose empty or relative parts are passed
 * over.  The program gets default signal dispositions, a process group of its
 * own, and no descriptor but 0, 1 and 2.
 */
struct proc_spawn {
	const char *const *argv;	/* NULL-ended */
	const char *const *env;		/* "NAME=value" over ours, or NULL */
	int err_fd;		/* its stderr, stays the caller's; -1: a pipe */
	/*
	 * In a session of its own: it and what it starts have no terminal to
	 * ask on.  It gets SIGTERM when we die.
	 */
	bool alone;
};

struct proc_child {
	pid_t pid;		/* 0: none */
	int in;			/* its stdin; ours to write, or -1 */
	int out;
	int err;		/* -1 when err_fd was given */
};

/*
 * Fails with ERR_MISSING when argv[0] is not found, ERR_FAILED; messages name
 * argv[0] alone.  The descriptors are non-blocking and close on exec.
 */
int proc_spawn(const struct proc_spawn *, struct proc_child *, struct err *)
    MUST_CHECK;

/*
 * Wait for its end until deadline_ms (clock_ms): its exit code (128 + signal)
 * in *status, and true; false when it runs on.
 */
bool proc_child_ended(struct proc_child *, uint64_t deadline_ms,
    int *status);

/*
 * Close the descriptors, and wait until it has ended: after grace_ms its
 * group gets SIGTERM, and SIGKILL after as long again.
 */
void proc_child_end(struct proc_child *, uint64_t grace_ms);

#endif /* !IO_PROC_SPAWN_H */
