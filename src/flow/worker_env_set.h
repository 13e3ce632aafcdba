#ifndef FLOW_WORKER_ENV_SET_H
#define FLOW_WORKER_ENV_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"

struct conf_worker;
struct err;
struct host;
struct plan_note;
struct run;

/*
 * The files of a worker that say which agent it serves, as they are at the
 * source and as they shall be: .env of its directory and of each tree, and the
 * start scripts (core/worker.h says which those are), which the copy leaves to
 * us.
 *
 *     struct env_set *set = env_set_new(worker);
 *
 *     env_set_make(set, run, id, &err)       read the source, edit in memory
 *     set->files[i].after
 *     env_set_free(set);
 *
 * In another directory a start script names that one: every path in it that is
 * the worker's directory or below (core/shpath.h).
 *
 * A .env above the worker's directory that Broca would find (it takes the
 * nearest one from main.py upward) is carried as broca/.env: at the target
 * nothing lies above.
 */
#define ENV_MAX (1024 * 1024)
#define ENV_FILES_MAX 64

struct env_file {
	char *path;		/* below the worker's directory */
	const char *tree;	/* it is of; NULL: beside them */
	bool script;
	mode_t mode;		/* at the source */
	struct buf before;
	struct buf after;
};

struct env_set {
	const struct conf_worker *worker;
	size_t n_files;
	size_t n_scripts;	/* of them */
	size_t changed;		/* keys, over all files */
	struct buf remarks;	/* indented lines for the plan; no value */
	struct env_file files[ENV_FILES_MAX];
};

struct env_set *env_set_new(const struct conf_worker *);
void env_set_free(struct env_set *);

/* The files below root of a host, unedited. */
int env_set_read(struct env_set *, struct host *, const char *root,
    struct err *) MUST_CHECK;

/* One more file, path below root, of a tree or none; none there is fine. */
int env_set_add(struct env_set *, struct host *, const char *root,
    const char *path, const char *tree, struct err *) MUST_CHECK;

/*
 * Those of the source, with their new texts for agent id.  Fails with
 * ERR_DATA, naming HOST:PATH:LINE, for what cannot be edited safely, for what
 * Broca would refuse (core/worker_env.h), for several agents in one tree of
 * code, and when no file tells the agent.
 */
int env_set_make(struct env_set *, struct run *, const char *id,
    struct err *) MUST_CHECK;

/* Append the differences of all files, and the remarks: nothing secret. */
int env_set_diff(const struct env_set *, struct plan_note *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_WORKER_ENV_SET_H */
