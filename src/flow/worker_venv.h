#ifndef FLOW_WORKER_VENV_H
#define FLOW_WORKER_VENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "core/freeze.h"

struct conf_worker;
struct err;
struct host;

/*
 * The virtual environments below a worker's trees at the source.  What is in
 * them is asked of their own python; one that does not run is read by the
 * names of its .dist-info directories.
 */
#define WORKER_VENVS_MAX 16

/* A file in one that we made: what was installed, as pip was given it. */
#define WORKER_VENV_LIST "sanctumctl-freeze.txt"

struct worker_venv {
	char *path;		/* below the worker's directory: "broca/venv" */
	char version[32];	/* "3.11.2", or "" */
	bool runs;		/* its python does */
	struct buf kept;	/* lines for pip */
	struct buf left;	/* names of what cannot be installed so */
	struct freeze_count count;
};

struct worker_venvs {
	struct worker_venv list[WORKER_VENVS_MAX];
	size_t n;
};

/* To be cleared in any case. */
int worker_venvs_read(struct host *from, const struct conf_worker *,
    struct worker_venvs *, struct err *) MUST_CHECK;
void worker_venvs_clear(struct worker_venvs *);

/*
 * The environment that trees without one of their own run by: the nearest
 * beside or above them, which no tree holds and so nothing carries.  *out is
 * NULL when there is none, or the target has one of this path; the caller
 * frees it.
 */
int worker_venvs_outside(struct host *from, struct host *to,
    const struct conf_worker *, const struct worker_venvs *, char **out,
    struct err *) MUST_CHECK;

/* One without python and packages is a ruin: there is nothing to make anew. */
bool worker_venv_is_ruin(const struct worker_venv *);

#endif /* !FLOW_WORKER_VENV_H */
