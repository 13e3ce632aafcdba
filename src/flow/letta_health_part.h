#ifndef FLOW_LETTA_HEALTH_PART_H
#define FLOW_LETTA_HEALTH_PART_H

#include "base/attr.h"

struct conf_letta;
struct conf_upgrade;
struct doctor;
struct err;
struct host;
struct letta_health;
struct letta_health_options;
struct run;

/* For letta_health*.c alone. */

struct health_look {
	struct doctor *d;
	const struct letta_health_options *options;
	const struct conf_upgrade *upgrade;	/* of the job, or NULL */
	struct run *run;			/* without a journal, or NULL */
};

/* What its host shows of a server; letta NULL: it has no section. */
int letta_health_host(const struct health_look *, struct host *,
    const char *name, const struct conf_letta *, const struct letta_health *,
    struct err *) MUST_CHECK;

/* The `database' of a section on a host, by psql, read-only. */
int letta_health_database(const struct health_look *,
    const struct conf_letta *, const struct letta_health *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_LETTA_HEALTH_PART_H */
