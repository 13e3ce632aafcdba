#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/edge.h"
#include "flow/edge_schedule.h"
#include "flow/host_file.h"
#include "flow/run.h"
#include "io/host.h"
#include "io/journal.h"

#define COMMAND_MS 30000
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
systemctl(struct host *host, const char *verb, const char *option,
    const char *unit, bool ask, int *status, struct err *err)
{
	const char *argv[] = { "systemctl", verb, option, unit, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = COMMAND_MS };
	struct buf shown = BUF_INIT(4096);
	struct proc_result result;
	int rc;

	proc_result_init(&result, 65536);
	rc = ask ? host_ask(host, &spec, &result, err) :
	    host_run(host, &spec, &result, err);
	*status = rc == 0 ? result.status : -1;
	if (rc == 0 && !ask && result.status != 0) {
		edge_said(&shown, &result.err_out, 400);
		rc = err_set(err, ERR_FAILED, "%s: systemctl %s %s: %s",
		    host_name(host), verb, unit, buf_cstr(&shown));
	}
	buf_clear(&shown);
	proc_result_clear(&result);
	return rc;
}

/* The first timer that the host knows, an enabled one before others. */
static int
find_timer(struct scheduler *s, struct err *err)
{
	int exists, enabled, active, rc = 0;

	for (size_t i = 0; i < N_TIMERS && rc == 0 && !s->enabled; i++) {
		rc = systemctl(s->host, "cat", "--quiet", timers[i], true,
		    &exists, err);
		if (rc != 0 || exists != 0)
			continue;
		rc = systemctl(s->host, "is-enabled", "--quiet", timers[i],
		    true, &enabled, err);
		if (rc == 0)
			rc = systemctl(s->host, "is-active", "--quiet",
			    timers[i], true, &active, err);
		if (rc == 0 && (!s->timer || (enabled == 0 && active == 0))) {
			s->timer = timers[i];
			s->enabled = enabled == 0 && active == 0;
		}
	}
	return rc;
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
	int status, rc;

	rc = journal_put(run->journal, key, s->timer, err);
	if (rc == 0)
		rc = systemctl(s->host, "enable", "--now", s->timer, false,
		    &status, err);
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
	int status, rc;

	rc = journal_get(run->journal, key, &timer, err);
	if (rc == 0 && timer && *timer) {
		rc = run_host(run, edge->host, &host, err);
		if (rc == 0)
			rc = systemctl(host, "disable", "--now", timer,
			    false, &status, err);
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
