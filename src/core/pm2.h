#ifndef CORE_PM2_H
#define CORE_PM2_H

#include <stddef.h>

#include "base/attr.h"

struct err;

/*
 * The apps of a dump.pm2, which `pm2 resurrect' starts: an array of objects,
 * each with the whole environment of its app, secrets too.  Only read, and
 * not compared with a run of pm2.
 */
struct pm2_app {
	const char *name;
	const char *cwd;	/* pm_cwd; "" if not given, so the next */
	const char *script;	/* pm_exec_path */
	const char *status;	/* "online", "stopped" */
};

/*
 * Call each for every app; strings live until it returns.  Entries that are
 * no apps are passed over.  Fails with ERR_DATA for what is no JSON array.
 */
int pm2_read(const char *text, size_t len,
    void (*each)(void *ctx, const struct pm2_app *), void *ctx,
    struct err *) MUST_CHECK;

#endif /* !CORE_PM2_H */
