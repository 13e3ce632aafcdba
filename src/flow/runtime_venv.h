#ifndef FLOW_RUNTIME_VENV_H
#define FLOW_RUNTIME_VENV_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;
struct runtime;

/*
 * A virtual environment of a list with hashes (core/requirements.h), made
 * under another name beside its own and renamed when it is whole: what has
 * the name is complete, or not ours.
 *
 *     struct runtime_venv venv;
 *
 *     runtime_venv_letta(rt, &venv, err)      or runtime_venv_postgres
 *     runtime_venv_look(rt, &venv, &state, err)
 *     runtime_venv_make(rt, &venv, err)
 *     runtime_venv_clear(&venv)
 */
struct runtime_venv {
	char *dir;		/* absolute */
	char *word;		/* of facts, letta.NAME.WORD.* */
	char *list_path;	/* where the list lies here */
	struct buf list;
};

enum runtime_venv_state {
	RUNTIME_VENV_NONE,
	RUNTIME_VENV_WHOLE,	/* of this list */
	RUNTIME_VENV_OTHER,	/* of another list, made by this job */
	RUNTIME_VENV_FOREIGN	/* not made by this job, and not of this
				 * list */
};

/*
 * The list for the server's version: `requirements' of its section, else the
 * one that is installed with us.  It must pin letta to `version'.  Fails with
 * ERR_USAGE for a version that we have no list for: says how to make one.
 */
int runtime_venv_letta(const struct runtime *, struct runtime_venv *,
    struct err *) MUST_CHECK;
int runtime_venv_postgres(const struct runtime *, struct runtime_venv *,
    struct err *) MUST_CHECK;
void runtime_venv_clear(struct runtime_venv *);

int runtime_venv_look(const struct runtime *, const struct runtime_venv *,
    enum runtime_venv_state *, struct err *) MUST_CHECK;

/*
 * Make it: Python 3.11 or the host's python3 from 3.11 on, setuptools alone
 * first (what has no wheel is built with it, never with one that was fetched
 * unasked), then the list with --require-hashes and --no-deps, then `pip
 * check'.  Nothing is downloaded but what the hashes name.
 */
int runtime_venv_make(const struct runtime *, const struct runtime_venv *,
    struct err *) MUST_CHECK;

/* Take away what this job made: whole, or half. */
int runtime_venv_remove(const struct runtime *, const struct runtime_venv *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_RUNTIME_VENV_H */
