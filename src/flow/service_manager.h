#ifndef FLOW_SERVICE_MANAGER_H
#define FLOW_SERVICE_MANAGER_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct host;

/*
 * What systemd, supervisord and cron are told of one service of ours; for
 * service.c alone, whose header says what they are.  Each call may be
 * repeated: what is so already is no failure.
 */
struct service_unit {
	struct host *host;
	const char *name;	/* of the unit, program, screen session */
	const char *account;
	const char *directory;
	const char *script;	/* cron: what its line starts */
};

struct service_ops {
	/* After its files were written or removed. */
	int (*reload)(const struct service_unit *, struct err *);
	int (*enable)(const struct service_unit *, bool on, struct err *);
	int (*is_enabled)(const struct service_unit *, bool *, struct err *);
	int (*is_active)(const struct service_unit *, bool *, struct err *);
	int (*start)(const struct service_unit *, struct err *);
	int (*stop)(const struct service_unit *, struct err *);
	/* argv of a program that shows its last lines, NULL-ended. */
	void (*words)(const struct service_unit *, const char *argv[8]);
};

extern const struct service_ops service_ops_systemd,
    service_ops_supervisord, service_ops_cron;

#endif /* !FLOW_SERVICE_MANAGER_H */
