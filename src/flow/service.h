#ifndef FLOW_SERVICE_H
#define FLOW_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct conf_host;
struct err;
struct host;
struct plan_note;
struct run;
struct template_value;

/*
 * A program that this job keeps running on a host: as a unit of systemd, a
 * program of supervisord, or, where there is neither, a line in /etc/cron.d
 * that starts it each minute in a screen session unless it runs.
 *
 *     const struct service_spec spec = { .on = letta->host,
 *         .key = "letta.node1.service", .name = "letta",
 *         .template = "letta", .values = values, .n_values = n,
 *         .account = "letta", .directory = "/var/lib/letta",
 *         .stamp = sum_of_environment };
 *     struct service *service;
 *
 *     service_open(run, &spec, &service, err)
 *     probe:  service_look(service, run, note, &ready, err)
 *     act:    service_up(service, run, &acted, err)
 *     undo:   service_down(service, run, &edited, err)
 *     service_close(service);
 *
 * Its files are filled from the templates below, one set a manager:
 *
 *     systemd      systemd/TEMPLATE.service.in
 *                  -> /etc/systemd/system/NAME.service
 *     supervisord  supervisord/TEMPLATE.conf.in
 *                  -> /etc/supervisor/conf.d/sanctumctl-NAME.conf
 *     cron         cron/TEMPLATE.cron.in -> /etc/cron.d/sanctumctl-NAME
 *                  cron/TEMPLATE.sh.in   -> DIRECTORY/start-NAME.sh
 *
 * and put there by flow/host_file.h, so that what was there comes back.  Of
 * the values each template takes those that it names; `name', `account' and
 * `directory' are added here.
 */
enum service_manager {
	SERVICE_SYSTEMD,	/* it is PID 1: /run/systemd/system is there */
	SERVICE_SUPERVISORD,	/* supervisorctl is answered */
	SERVICE_CRON		/* else: node.HOST.packages brings cron and
				 * screen */
};

const char *service_manager_word(enum service_manager);

/* What the host has. */
int service_manager_find(struct host *, enum service_manager *out,
    struct err *) MUST_CHECK;

/* All of it is the caller's, and outlives the service. */
struct service_spec {
	const struct conf_host *on;
	const char *key;	/* of the journal: facts are KEY.*; the step's
				 * name does */
	const char *name;	/* [A-Za-z0-9@._-]+ */
	const char *template;	/* file name without its end */
	const struct template_value *values;
	size_t n_values;
	const char *account;	/* who runs it; must be there by service_up */
	const char *directory;	/* absolute; where it works: a process of it
				 * is one that has its cwd at or below */
	/*
	 * What else it must be started again for: text that changes with the
	 * environment file, the version.  A digest, never the secret itself.
	 * NULL: nothing.
	 */
	const char *stamp;
	/*
	 * It is to be gone before long: systemd is not told to start it at
	 * boot.  The others start whatever they have a file of.
	 */
	bool transient;
	/*
	 * service_down moves a file that somebody has edited aside
	 * (host_file_undo_aside): what was there before must run again, and
	 * this one must not.
	 */
	bool aside;
};

struct service;

/* Find the manager, fill the templates, read what is on the host. */
int service_open(struct run *, const struct service_spec *,
    struct service **out, struct err *) MUST_CHECK;
void service_close(struct service *);

enum service_manager service_manager_of(const struct service *);
const char *service_name(const struct service *);

/*
 * A probe: *ready when every file is as it must be, it starts at boot (unless
 * it is transient), it runs, and what runs was started with these files and
 * this stamp.  The note gets the diff and a line of what would be done; it may
 * be NULL.
 */
int service_look(struct service *, struct run *, struct plan_note *,
    bool *ready, struct err *) MUST_CHECK;

/*
 * Make it so: files, daemon-reload, enable, start; restart when it runs with
 * another text or stamp.  *acted is false when nothing had to be done.  That
 * the manager has taken it is not that it answers: the caller waits for that.
 * ERR_FAILED when it cannot be started or has ended at once, with the last
 * lines that it said.
 */
int service_up(struct service *, struct run *, bool *acted, struct err *)
    MUST_CHECK;

/*
 * Stop it, not at boot any more, its files as they were before this job; one
 * that ran before runs again as it was.  *edited: a file was changed by
 * somebody since and stays, the service stopped; with spec->aside it is
 * service_aside then.
 */
int service_down(struct service *, struct run *, bool *edited, struct err *)
    MUST_CHECK;

/* Where the last such file is by now; NULL: there was none. */
const char *service_aside(const struct service *);

/* Does it run?  As its manager says; cron: a process in its directory. */
int service_active(struct service *, bool *out, struct err *) MUST_CHECK;

/*
 * The last lines that it has said, printable, for an error's text; "" when
 * they cannot be read.  Secrets are the caller's business: our services log
 * none.  The caller frees it.
 */
char *service_words(struct service *);

/*
 * A service of the distribution (redis-server, postgresql): enabled and
 * started unless it runs; *acted says so.  node.HOST.packages leaves what it
 * installs stopped (nobody shall be able to reach a server with the package's
 * settings), so whoever needs one calls this after it has written its own.
 * ERR_MISSING: there is no such service.
 */
int service_ensure(struct host *, const char *name, bool *acted,
    struct err *) MUST_CHECK;

#endif /* !FLOW_SERVICE_H */
