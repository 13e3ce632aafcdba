#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/edge.h"
#include "flow/edge_schedule.h"
#include "flow/host_file.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define CRON_FILE "/etc/cron.d/sanctumctl-certbot"

/* At odd minutes: the authority asks not to come at full hours. */
static const char cron_text[] =
    "# Written by sanctumctl: this host has no timer of certbot's own.\n"
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    "17 3,15 * * * root certbot -q renew\n";

static const struct fs_meta cron_meta = {
	.mode = 0644, .uid = (uid_t)-1, .gid = (gid_t)-1
};

static const char *const timers[] = {
	"certbot.timer", "snap.certbot.renew.timer"
};

#define N_TIMERS (sizeof(timers) / sizeof(timers[0]))

/* What the host has to renew with. */
struct scheduler {
	struct host *host;
	const char *timer;	/* one that there is; NULL: none */
	bool enabled;		/* and it runs */
	bool cron;		/* the package's file is there, no systemd */
};

static int
systemctl_says(struct host *host, const char *verb, const char *unit,
    bool *out, struct err *err)
{
	const char *const argv[] = { "systemctl", verb, "--quiet", unit,
	    NULL };
	int status, rc = command_ask(host, argv, &status, NULL, err);

	*out = rc == 0 && status == 0;
	return rc;
}

/* At once, and at boot. */
static int
turn(struct host *host, const char *verb, const char *unit, struct err *err)
{
	const char *const argv[] = { "systemctl", verb, "--now", unit, NULL };

	return command_must(host, argv, NULL, 0, err);
}

/* The first timer that the host knows, an enabled one before others. */
static int
find_timer(struct scheduler *s, struct err *err)
{
	bool there, enabled, active = false;

	for (size_t i = 0; i < N_TIMERS && !s->enabled; i++) {
		if (systemctl_says(s->host, "cat", timers[i], &there, err)
		    != 0)
			return -1;
		if (!there)
			continue;
		if (systemctl_says(s->host, "is-enabled", timers[i],
		    &enabled, err) != 0 || systemctl_says(s->host,
		    "is-active", timers[i], &active, err) != 0)
			return -1;
		if (!s->timer || (enabled && active))
			s->timer = timers[i];
		s->enabled = enabled && active;
	}
	return 0;
}

static int
find(struct scheduler *s, struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	static const char *const paths[] = {
		"/run/systemd/system", "/etc/cron.d/certbot"
	};
	struct fs_meta metas[2];

	*s = (struct scheduler){ 0 };
	if (run_host(run, edge->host, &s->host, err) != 0 ||
	    host_stat_all(s->host, paths, 2, metas, err) != 0)
		return -1;
	if (metas[0].type == FS_DIR)
		return find_timer(s, err);
	s->cron = metas[1].type == FS_FILE;
	return 0;
}

static int
read_cron(struct host_file *file, struct run *run,
    const struct conf_edge *edge, char **key, struct err *err)
{
	*key = run_key("edge", edge->host->name, "renewal_cron");
	return host_file_read(file, run, edge->host, *key, CRON_FILE, err);
}

int
edge_schedule_look(struct run *run, const struct conf_edge *edge,
    bool *ready, struct buf *shown, struct err *err)
{
	struct host_file file;
	struct scheduler s;
	char *key;
	int rc;

	if (find(&s, run, edge, err) != 0)
		return -1;
	*ready = s.enabled || s.cron;
	if (s.timer)
		buf_printf(shown, "%s%s", s.timer,
		    s.enabled ? "" : " (not enabled)");
	else if (s.cron)
		buf_str(shown, "/etc/cron.d/certbot");
	if (s.timer || s.cron)
		return 0;
	rc = read_cron(&file, run, edge, &key, err);
	*ready = rc == 0 && host_file_is(&file, cron_text,
	    strlen(cron_text), &cron_meta);
	buf_printf(shown, "%s%s", CRON_FILE, *ready ? "" : " (not there)");
	host_file_clear(&file);
	free(key);
	return rc;
}

static int
enable(struct run *run, const struct conf_edge *edge,
    const struct scheduler *s, struct err *err)
{
	char *key = run_key("edge", edge->host->name, "timer");
	int rc;

	rc = journal_put(run->journal, key, s->timer, err);
	if (rc == 0)
		rc = turn(s->host, "enable", s->timer, err);
	free(key);
	return rc;
}

int
edge_schedule_put(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct host_file file;
	struct scheduler s;
	char *key;
	int rc;

	if (find(&s, run, edge, err) != 0)
		return -1;
	if (s.enabled || s.cron)
		return 0;
	if (s.timer)
		return enable(run, edge, &s, err);
	rc = read_cron(&file, run, edge, &key, err);
	if (rc == 0)
		rc = host_mkdirs(s.host, "/etc/cron.d", 0755, err);
	if (rc == 0)
		rc = host_file_set(&file, run, cron_text, strlen(cron_text),
		    &cron_meta, err);
	host_file_clear(&file);
	free(key);
	return rc;
}

static int
disable(struct run *run, const struct conf_edge *edge, struct err *err)
{
	char *key = run_key("edge", edge->host->name, "timer");
	char *timer = NULL;
	struct host *host;
	int rc;

	rc = journal_get(run->journal, key, &timer, err);
	if (rc == 0 && timer && *timer) {
		rc = run_host(run, edge->host, &host, err);
		if (rc == 0)
			rc = turn(host, "disable", timer, err);
		if (rc == 0)
			rc = journal_put(run->journal, key, "", err);
	}
	free(timer);
	free(key);
	return rc;
}

int
edge_schedule_undo(struct run *run, const struct conf_edge *edge,
    struct err *err)
{
	struct host_file file;
	bool edited;
	char *key;
	int rc;

	if (disable(run, edge, err) != 0)
		return -1;
	rc = read_cron(&file, run, edge, &key, err);
	if (rc == 0)
		rc = host_file_undo(&file, run, &edited, err);
	host_file_clear(&file);
	free(key);
	return rc;
}
