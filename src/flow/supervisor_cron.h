#ifndef FLOW_SUPERVISOR_CRON_H
#define FLOW_SUPERVISOR_CRON_H

#include "base/attr.h"

struct buf;
struct err;
struct host;
struct supervisor;
struct supervisor_goal;

/* For supervisor_cron*.c alone. */

struct supervisor_cron_edit {
	const char *mark;
	char *line;
	char *settings;
};

/* "crontab of USER"; the caller frees it. */
char *supervisor_cron_where(const char *user);

/*
 * A user's crontab, without the lines that Debian's crontab(1) puts in
 * front; empty when there is none.  The caller wipes it.
 */
int supervisor_cron_read(struct host *, const char *user, struct buf *out,
    struct err *) MUST_CHECK;

/* Line and settings of s as they are to be for the goal, for a user. */
void supervisor_cron_moved(const struct supervisor *,
    const struct supervisor_goal *, struct supervisor_cron_edit *);
void supervisor_cron_edit_clear(struct supervisor_cron_edit *);

/*
 * Make the directories that the line writes to: a shell whose redirection
 * fails starts nothing.  What it names outside the worker and is not there
 * is a warning.
 */
int supervisor_cron_prepare(struct host *,
    const struct supervisor_cron_edit *, const struct supervisor_goal *,
    struct err *) MUST_CHECK;

int supervisor_cron_start(struct host *, const struct supervisor *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_SUPERVISOR_CRON_H */
