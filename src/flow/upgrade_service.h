#ifndef FLOW_UPGRADE_SERVICE_H
#define FLOW_UPGRADE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "core/conf.h"

struct err;
struct host;
struct upgrade;

/*
 * What keeps the server running that an upgrade replaces.  Somebody else has
 * set it up, so its files are only read, but for what keeps it from starting:
 *
 *     systemd      unit SERVICE.service: disabled; one that is not enabled by
 *                  itself stays as it is
 *     supervisord  [program:SERVICE] in one of its files: its lines become
 *                  comments with the job's mark
 *     cron         /etc/cron.d/sanctumctl-SERVICE, of a node that a job of
 *                  ours has made: a second name, which cron does not read
 *     compose      a service of its file, by the engine (compose_service.h)
 *
 * A service of the new server that has the same name is put beside all this
 * and taken away again (flow/service.h) before any of it is taken back.
 *
 *     struct upgrade_service service;
 *
 *     upgrade_service_find(&service, up, err)
 *     upgrade_service_off(&service, err)       each may be repeated
 *     upgrade_service_on(&service, enabled, err)
 *     upgrade_service_clear(&service);
 */
struct upgrade_service_ops;

struct upgrade_service {
	const struct upgrade_service_ops *ops;
	const struct conf_letta *letta;
	const struct upgrade *up;	/* the caller's; outlives it */
	struct host *host;	/* belongs to the run */
	const char *mark;	/* likewise */
	const char *name;
	char *where;		/* path of what it starts by */
	bool enabled;		/* it starts at boot */
	bool active;
	/*
	 * Why it cannot be kept from starting and brought back after, with
	 * what to do; NULL when it can.  For who looks before the first step:
	 * taking back asks nobody.
	 */
	const char *unfit;
	pid_t pid;		/* of its first process; 0: it has none by
				 * which it is known */
};

/*
 * Find it, by what the host has; once `stop' has told it something, with that
 * manager alone (UPGRADE_STOP_MANAGER).  clear it in any case.  ERR_MISSING:
 * there is none of that name; names what was looked for.
 */
int upgrade_service_find(struct upgrade_service *, const struct upgrade *,
    struct err *) MUST_CHECK;
void upgrade_service_clear(struct upgrade_service *);

/* "systemd", "supervisord", "cron", "compose". */
const char *upgrade_service_word(const struct upgrade_service *);

/* Whether that process is the service's, or was started by one of it. */
int upgrade_service_owns(const struct upgrade_service *, pid_t, bool *out,
    struct err *) MUST_CHECK;

/* It is to end and not to start any more, at boot neither. */
int upgrade_service_off(struct upgrade_service *, struct err *) MUST_CHECK;

/* As it was before: at boot, too, if it was so; and running now. */
int upgrade_service_on(struct upgrade_service *, bool enabled, struct err *)
    MUST_CHECK;

/*
 * The command that shows its last lines, "" when there is none; the caller
 * frees it.  The lines are for nobody else: a server that wants a password
 * says it there as it starts.
 */
char *upgrade_service_log(const struct upgrade_service *);

/* One kind; for upgrade_service*.c alone. */
struct upgrade_service_ops {
	const char *word;
	/* *there: there is one; fills the rest of the struct then. */
	int (*look)(struct upgrade_service *, bool *there, struct err *);
	int (*owns)(const struct upgrade_service *, pid_t, bool *out,
	    struct err *);
	int (*off)(struct upgrade_service *, struct err *);
	int (*on)(struct upgrade_service *, bool enabled, struct err *);
	/* The command line that shows its last lines; none: argv[0] NULL. */
	void (*words)(const struct upgrade_service *, const char *argv[8]);
};

extern const struct upgrade_service_ops upgrade_service_systemd,
    upgrade_service_supervisord, upgrade_service_cron,
    upgrade_service_compose;

#endif /* !FLOW_UPGRADE_SERVICE_H */
