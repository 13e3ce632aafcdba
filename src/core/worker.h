#ifndef CORE_WORKER_H
#define CORE_WORKER_H

#include <stdbool.h>

/*
 * What a worker is made of: one agent's directory on a host, with a tree per
 * program (broca, smcp, otto), start scripts beside them, and `.env` files.
 *
 *     ~/sanctum/agents/sage/
 *         start-sage-broca.sh
 *         broca/   main.py .env sanctum.db run/otto_bridge/ plugins/ ...
 *         smcp/    smcp.py .env plugins/ ...
 *
 * This module knows which of it is carried, which is rewritten and which is
 * left behind.  Facts from Broca 1b368f9 and SMCP 895f188, read and run.
 */

/* Where Broca keeps its queue, below the worker's directory. */
#define WORKER_DB "broca/sanctum.db"

/*
 * The program of a tree that somebody starts, below that tree; NULL for a
 * tree that is part of another one's program.
 */
const char *worker_entry(const char *tree);

/*
 * What stands before the name of such a program at a source that must not be
 * started any more (flow/worker_fence.c).
 */
#define WORKER_FENCED ".sanctumctl-fenced-"

/*
 * Patterns (struct tree_rules) of what is never carried: virtual
 * environments and caches (made anew there by hand), pid and lock files (a
 * copied pid blocks the start), logs, old copies of .env (stale secrets),
 * login sessions, .git unless git, the .env files, which are
 * written anew, and sanctum.db with its journals, which is snapshotted.
 * broca/run/otto_bridge is state and is carried.
 */
const char *const *worker_exclude(bool git);

/*
 * A directory that holds this file is a virtual environment, whatever its
 * name, and is not carried.
 */
#define WORKER_VENV_MARK "pyvenv.cfg"

/*
 * Whether one of these patterns is about this path by itself, as io/tree.h
 * matches them; a path below one that is left is not carried either.
 */
bool worker_leaves(const char *path, bool git);

/*
 * Whether path, below a worker's directory, is a start script: NAME.sh beside
 * the trees, start*.sh right in one.  They may name the agent, so that they
 * are written anew with the .env files, and not copied.
 */
bool worker_is_script(const char *path);

#endif /* !CORE_WORKER_H */
