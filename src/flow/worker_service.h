#ifndef FLOW_WORKER_SERVICE_H
#define FLOW_WORKER_SERVICE_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_worker;
struct err;
struct host;
struct run;
struct supervisors;

/*
 * What starts a worker at its target.  With `supervisor = auto' that is what
 * starts it at the source; with `systemd', `cron' or `supervisord' it is ours,
 * filled from templates:
 *
 *     systemd      broca@NAME.service, smcp@NAME.service: files of their own,
 *                  no instances of one template, since a hardened unit names
 *                  the directories that it may see
 *     supervisord  programs broca-NAME, smcp-NAME
 *     cron         a line of the account's crontab, which each minute starts
 *                  DIR/.sanctumctl-start-TREE.sh, and that a screen session
 *
 * They are given to supervisor_install as if they had been found, so that they
 * bear the job's mark and freeze, reverse and cancel meet them as any other.
 */
bool worker_service_is_ours(const struct conf_worker *);

/*
 * Those of the trees broca and smcp, as far as their programs are at dir
 * (absolute, on the target); none when dir is not there.  A failure leaves
 * *out empty.  *home, the caller's to free, is that of the account that owns
 * dir, or NULL when there is none.
 *
 * The Python is that of the nearest virtual environment: in the tree, in dir,
 * in the two directories above; else the host's.
 */
int worker_service_list(const struct conf *, const struct conf_worker *,
    struct host *to, const char *dir, struct supervisors *out, char **home,
    struct err *) MUST_CHECK;

/* Before supervisor_install: what it starts that is a file of ours. */
int worker_service_prepare(const struct conf *, const struct conf_worker *,
    struct host *to, const char *dir, struct err *) MUST_CHECK;

/*
 * Can the target do it?  source is what starts the worker where it is.  Asked
 * before anything stands: ERR_MISSING names what the target lacks.
 *
 * later  what node.HOST.packages installs is not looked for
 */
int worker_service_check(struct run *, const struct conf_worker *,
    const struct supervisors *source, bool later, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_SERVICE_H */
