#ifndef FLOW_WORKER_WHEREIS_H
#define FLOW_WORKER_WHEREIS_H

#include <stddef.h>

#include "base/attr.h"

struct err;
struct host;

/*
 * Everything on a host that holds an agent's id: .env files and their old
 * copies, start scripts, settings.json, units, crontabs, supervisord's and
 * pm2's files, names of directories, the installer's database, and processes
 * whose environment has it.  What is looked through is that of worker_find.h,
 * and /etc.
 *
 * A line is found and never shown: it may hold a secret.
 */
enum worker_holder_kind {
	HOLDER_ENV,		/* the effective kind of file */
	HOLDER_OLD_ENV,		/* .env.bak and the like */
	HOLDER_SCRIPT,
	HOLDER_SETTINGS,
	HOLDER_UNIT,
	HOLDER_CRONTAB,
	HOLDER_SUPERVISORD,
	HOLDER_PM2,
	HOLDER_DIRECTORY,
	HOLDER_CONTROL,		/* sanctum_ui.db of the installer */
	HOLDER_PROCESS
};

struct worker_holder {
	enum worker_holder_kind kind;
	const char *path;	/* or "crontab of ann", "pid 77" */
	size_t line;		/* 0: none */
};

/* ".env", "script", ...  */
const char *worker_holder_word(enum worker_holder_kind);

/*
 * What changes it: "worker env" (the job's step or the command), or what a
 * person has to do.
 */
const char *worker_holder_changed_by(enum worker_holder_kind);

/*
 * Call each, in no order; it must not call the host.  Fails with ERR_USAGE
 * when id is not of [A-Za-z0-9_-], or is shorter than 8.
 */
int worker_whereis(struct host *, const char *id,
    int (*each)(void *ctx, const struct worker_holder *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_WHEREIS_H */
