#ifndef FLOW_NODE_STEP_H
#define FLOW_NODE_STEP_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf;
struct conf_host;
struct err;
struct host;
struct run;
struct step_kind;

/*
 * Steps that are about a whole host, for flow/node.c alone.  Their subject is
 * the [host].
 *
 *     packages    node_packages.c   what apt must bring; it installs nothing
 *                                   that anybody can reach: no service is
 *                                   started until somebody has set it up
 *     logrotate   node_files.c      /etc/logrotate.d/sanctum
 *     backup      node_files.c      a timer, or a line of cron, that is off
 */
extern const struct step_kind node_packages_kind;
extern const struct step_kind node_logrotate_kind;
extern const struct step_kind node_backup_kind;

/* Which of them a job has on a host. */
bool node_has_packages(const struct conf *, const struct conf_host *);
bool node_has_logrotate(const struct conf *, const struct conf_host *);
bool node_has_backup(const struct conf *, const struct conf_host *);

/*
 * The packages that a job needs on a host (node_needs.c).  One is there when
 * dpkg has it installed, or when its program is found: a server from another
 * source is as good.
 */
struct node_package {
	const char *name;	/* "nginx"; or "postgresql-*-pgvector": the
				 * newest that apt knows, if it knows one */
	const char *program;	/* NULL: dpkg alone tells */
};

#define NODE_PACKAGES_MAX 24

/* The host is asked for its service manager; returns how many. */
int node_needs(struct run *, const struct conf_host *, struct host *,
    struct node_package out[NODE_PACKAGES_MAX], size_t *n, struct err *)
    MUST_CHECK;

/*
 * apt-get, which tells what it is doing in the log and waits a while for
 * another one's lock (node_apt.c).  names ends with NULL; patterns in it are
 * resolved.  ERR_AGAIN: the lock was held all the time.
 */
int node_apt_update(struct host *, struct err *) MUST_CHECK;
int node_apt_install(struct host *, const char *const *names, struct err *)
    MUST_CHECK;

/* The same the other way: their settings go, too; what they need stays. */
int node_apt_purge(struct host *, const char *const *names, struct err *)
    MUST_CHECK;

#endif /* !FLOW_NODE_STEP_H */
