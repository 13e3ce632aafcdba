#include "base/base.h"

#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/stop.h"
#include "base/str.h"
#include "flow/account.h"
#include "flow/command.h"
#include "flow/service_manager.h"
#include "io/host.h"

#define STOP_MS 70000		/* until SIGKILL, where we are the manager */
#define POLL_MS 200

/* systemd */

static int
systemctl(const struct service_unit *unit, const char *verb, struct err *err)
{
	const char *const argv[] = { "systemctl", "-q", verb, unit->name,
	    NULL };
	int rc = command_must(unit->host, argv, NULL, 0, err);

	fault_point("service_systemctl");
	return rc == 0 ? 0 : err_ctx(err, "%s", verb);
}

static int
systemd_reload(const struct service_unit *unit, struct err *err)
{
	static const char *const argv[] = { "systemctl", "daemon-reload",
	    NULL };

	return command_must(unit->host, argv, NULL, 0, err);
}

static int
systemd_enable(const struct service_unit *unit, bool on, struct err *err)
{
	return systemctl(unit, on ? "enable" : "disable", err);
}

/* A question: its exit code is the answer. */
static int
systemctl_says(const struct service_unit *unit, const char *verb, bool *out,
    struct err *err)
{
	const char *const argv[] = { "systemctl", "-q", verb, unit->name,
	    NULL };
	int status;

	if (command_ask(unit->host, argv, &status, NULL, err) != 0)
		return -1;
	*out = status == 0;
	return 0;
}

static int
systemd_is_enabled(const struct service_unit *unit, bool *out,
    struct err *err)
{
	return systemctl_says(unit, "is-enabled", out, err);
}

/* One that systemd is about to start again is not there yet. */
static int
systemd_is_active(const struct service_unit *unit, bool *out,
    struct err *err)
{
	return systemctl_says(unit, "is-active", out, err);
}

static int
forget_failure(const struct service_unit *unit, struct err *err)
{
	const char *const argv[] = { "systemctl", "-q", "reset-failed",
	    unit->name, NULL };
	int status;

	return command_run(unit->host, argv, NULL, 0, &status, NULL, NULL,
	    err);
}

/* One that has failed too often would be refused. */
static int
systemd_start(const struct service_unit *unit, struct err *err)
{
	if (forget_failure(unit, err) != 0)
		return -1;
	return systemctl(unit, "restart", err);
}

static int
systemd_stop(const struct service_unit *unit, struct err *err)
{
	bool active;

	if (systemd_is_active(unit, &active, err) != 0)
		return -1;
	/* Also one that waits to be started; a failed one stays listed. */
	if (systemctl(unit, "stop", err) == 0)
		return forget_failure(unit, err);
	if (active)
		return -1;
	err_clear(err);
	return 0;
}

static void
systemd_words(const struct service_unit *unit, const char *argv[8])
{
	const char *const words[] = { "journalctl", "-q", "-n", "8", "-o",
	    "cat", "-u", unit->name };

	memcpy(argv, words, sizeof(words));
}

const struct service_ops service_ops_systemd = {
	.reload = systemd_reload,
	.enable = systemd_enable,
	.is_enabled = systemd_is_enabled,
	.is_active = systemd_is_active,
	.start = systemd_start,
	.stop = systemd_stop,
	.words = systemd_words,
};

/* supervisord: its file is all that there is to be enabled. */

static int
supervisorctl(const struct service_unit *unit, const char *verb,
    const char *harmless, struct err *err)
{
	const char *const argv[] = { "supervisorctl", verb, unit->name,
	    NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	struct buf shown = BUF_INIT(1024);
	int status, rc;

	rc = command_run(unit->host, argv, NULL, 0, &status, &said, NULL,
	    err);
	fault_point("service_supervisorctl");
	if (rc == 0 && (status != 0 || strstr(buf_cstr(&said), "ERROR")) &&
	    !strstr(buf_cstr(&said), harmless)) {
		str_printable(&shown, buf_cstr(&said),
		    said.len > 200 ? 200 : said.len);
		rc = err_set(err, ERR_FAILED, "%s: supervisorctl %s %s: %s",
		    host_name(unit->host), verb, unit->name,
		    buf_cstr(&shown));
	}
	buf_clear(&shown);
	buf_clear(&said);
	return rc;
}

static int
supervisord_reload(const struct service_unit *unit, struct err *err)
{
	return supervisorctl(unit, "update", "no such group", err);
}

static int
nothing(const struct service_unit *unit, bool on, struct err *err)
{
	(void)unit;
	(void)on;
	(void)err;
	return 0;
}

static int
always(const struct service_unit *unit, bool *out, struct err *err)
{
	(void)unit;
	(void)err;
	*out = true;
	return 0;
}

static int
supervisord_is_active(const struct service_unit *unit, bool *out,
    struct err *err)
{
	const char *const argv[] = { "supervisorctl", "status", unit->name,
	    NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc;

	rc = command_ask(unit->host, argv, &status, &said, err);
	*out = rc == 0 && (strstr(buf_cstr(&said), " RUNNING") ||
	    strstr(buf_cstr(&said), " STARTING"));
	buf_clear(&said);
	return rc;
}

static int
supervisord_stop(const struct service_unit *unit, struct err *err)
{
	return supervisorctl(unit, "stop", "no such", err);
}

static int
supervisord_start(const struct service_unit *unit, struct err *err)
{
	if (supervisorctl(unit, "stop", "not running", err) != 0)
		return -1;
	return supervisorctl(unit, "start", "already started", err);
}

static void
supervisord_words(const struct service_unit *unit, const char *argv[8])
{
	argv[0] = "supervisorctl";
	argv[1] = "tail";
	argv[2] = unit->name;
	argv[3] = "stderr";
}

const struct service_ops service_ops_supervisord = {
	.reload = supervisord_reload,
	.enable = nothing,
	.is_enabled = always,
	.is_active = supervisord_is_active,
	.start = supervisord_start,
	.stop = supervisord_stop,
	.words = supervisord_words,
};

/* cron and screen: what works in the directory is what runs. */

static int
cron_reload(const struct service_unit *unit, struct err *err)
{
	(void)unit;
	(void)err;
	return 0;
}

/* Of the account: an operator's shell that stands there is none of it. */
struct found {
	uid_t uid;
	pid_t pid[64];
	uint64_t start[64];
	size_t n;
};

static int
add_process(void *ctx, const struct procs_info *info, struct err *err)
{
	struct found *found = ctx;

	(void)err;
	if (info->uid == found->uid &&
	    found->n < sizeof(found->pid) / sizeof(*found->pid)) {
		found->pid[found->n] = info->pid;
		found->start[found->n++] = info->start;
	}
	return 0;
}

static int
find_processes(const struct service_unit *unit, struct found *found,
    struct err *err)
{
	struct account account;
	bool there;

	*found = (struct found){ .n = 0 };
	if (account_look(unit->host, unit->account, &account, &there, err)
	    != 0)
		return -1;
	if (!there)
		return 0;
	found->uid = account.uid;
	account_clear(&account);
	return host_processes(unit->host, unit->directory, add_process,
	    found, err);
}

static int
cron_is_active(const struct service_unit *unit, bool *out, struct err *err)
{
	struct found found;

	if (find_processes(unit, &found, err) != 0)
		return -1;
	*out = found.n > 0;
	return 0;
}

/* As the account, with what cron gives it. */
static int
cron_start(const struct service_unit *unit, struct err *err)
{
	const char *const argv[] = { "runuser", "-u", unit->account, "--",
	    "env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "SHELL=/bin/sh",
	    "sh", unit->script, NULL };
	int rc = command_must(unit->host, argv, NULL, 0, err);

	fault_point("service_script");
	return rc;
}

/* Its line would start it again, so its file goes first: service_down. */
static int
cron_stop(const struct service_unit *unit, struct err *err)
{
	const uint64_t kill_ms = clock_ms() + STOP_MS;
	struct found found;
	bool there, told = false;

	for (;;) {
		if (stop_check(err) != 0 ||
		    find_processes(unit, &found, err) != 0)
			return -1;
		if (found.n == 0)
			return 0;
		for (size_t i = 0; i < found.n; i++) {
			if (told && clock_left_ms(kill_ms) > 0)
				break;
			if (host_signal(unit->host, found.pid[i],
			    found.start[i], told ? SIGKILL : SIGTERM, &there,
			    err) != 0)
				return -1;
		}
		told = true;
		clock_sleep_ms(POLL_MS);
	}
}

static void
cron_words(const struct service_unit *unit, const char *argv[8])
{
	(void)unit;
	argv[0] = NULL;
}

const struct service_ops service_ops_cron = {
	.reload = cron_reload,
	.enable = nothing,
	.is_enabled = always,
	.is_active = cron_is_active,
	.start = cron_start,
	.stop = cron_stop,
	.words = cron_words,
};
