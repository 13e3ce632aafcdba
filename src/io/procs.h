#ifndef IO_PROCS_H
#define IO_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Processes of this machine, by /proc.
 *
 * A process is named by its pid and the instant it started: a pid alone may
 * be another program's by the time it is used.  Of another user's process
 * only root is told the program, working directory and open files: for
 * anybody else it is not below any directory, and its strings are "".
 *
 * What is seen comes from other programs: str_printable before it is shown,
 * and argv may hold a secret of theirs.
 */

/* Why a process is below a directory. */
#define PROCS_CWD 1u	/* its working directory is */
#define PROCS_EXE 2u	/* its program is */
#define PROCS_FD 4u	/* a file that it holds open is */
#define PROCS_SCRIPT 8u	/* a .py file among its first words is */

struct procs_info {
	pid_t pid;
	pid_t ppid;
	uint64_t start;		/* clock ticks since boot: proc(5), stat 22 */
	uid_t uid;		/* effective */
	char state;		/* 'R', 'S', ... */
	const char *exe;	/* "" when it cannot be read */
	const char *cwd;	/* likewise; both without " (deleted)" */
	const char *argv;	/* NUL after each word; at most 64 KiB */
	size_t argv_len;
	unsigned int why;	/* PROCS_* when a directory was asked for */
};

typedef int procs_each(void *ctx, const struct procs_info *, struct err *);

/*
 * Call each for every process, in order of pid; with dir (absolute), for
 * those alone that are below it.  dir need not exist (any more).  The working
 * directory is compared by device and inode too, so that a tree is found
 * under the name that another mount namespace or a symlink gives it; after a
 * rename, ask with the new name.  Kernel threads, zombies and we ourselves
 * are passed over.  What each returns, unless 0, ends the list.
 */
int procs_list(const char *dir, procs_each *, void *ctx, struct err *)
    MUST_CHECK;

/*
 * The pids of the processes that hold the file open: " (held open by pid 12
 * python3, 34 sqlite3)" appended to out, nothing when none is seen.
 */
void procs_holders(const char *path, struct buf *out);

/*
 * What the environment that a process was started with says of names (ended
 * by NULL): "NAME=value" and a NUL each, in the order of the environment,
 * appended to out, which the caller wipes.  ERR_MISSING: the process is gone.
 * ERR_FAILED: it is not ours to look at.
 */
int procs_env(pid_t, uint64_t start, const char *const *names,
    struct buf *out, struct err *) MUST_CHECK;

/*
 * Send a signal to that very process (through a pidfd, so never to another
 * one of that pid); 0 only asks.  *there: it was there to take it; a zombie
 * is not.  ERR_FAILED: we may not send it one.
 */
int procs_signal(pid_t, uint64_t start, int sig, bool *there, struct err *)
    MUST_CHECK;

#endif /* !IO_PROCS_H */
