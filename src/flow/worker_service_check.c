#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/node.h"
#include "flow/run.h"
#include "flow/supervisor_kind.h"
#include "flow/worker_service.h"
#include "io/host.h"

#define ASK_MS 30000

/* What a host must have for a kind, and what is to be done about it. */
static const struct {
	const char *program, *test, *cure;
} needs[] = {
	[SUPERVISOR_NONE] = { NULL, NULL, NULL },
	[SUPERVISOR_CRON] = { "command -v crontab",
	    "command -v crontab",
	    "no cron: install it there" },
	[SUPERVISOR_SYSTEMD] = { "command -v systemctl",
	    "[ -d /run/systemd/system ]",
	    "systemd is not its first process" },
	[SUPERVISOR_SUPERVISORD] = { "command -v supervisord",
	    "command -v supervisorctl && { "
	    "[ -d /etc/supervisor/conf.d ] || [ -d /etc/supervisord.d ] || "
	    "[ -d /etc/supervisor.d ]; }",
	    "no supervisord: install the package supervisor there" },
	[SUPERVISOR_PM2] = { "command -v pm2",
	    "command -v pm2",
	    "no pm2: install it there" },
	[SUPERVISOR_SCREEN] = { "command -v screen",
	    "command -v screen",
	    "no screen: install it there" },
};

static int
ask(struct host *to, const char *test, bool *out, struct err *err)
{
	const char *const argv[] = { "sh", "-c", test, NULL };
	const struct proc_spec spec = { .argv = argv, .timeout_ms = ASK_MS };
	struct proc_result result;
	int rc;

	proc_result_init(&result, 4096);
	rc = host_ask(to, &spec, &result, err);
	*out = rc == 0 && result.status == 0;
	proc_result_clear(&result);
	return rc;
}

/* brings: apt will install it, unless it is there and not as it must be. */
static int
need(const struct conf_worker *worker, struct host *to,
    enum supervisor_kind kind, bool brings, struct err *err)
{
	bool there = true, program = true;

	if (needs[kind].test && ask(to, needs[kind].test, &there, err) != 0)
		return -1;
	if (!there && brings && ask(to, needs[kind].program, &program, err)
	    != 0)
		return -1;
	if (there || !program)
		return 0;
	return err_set(err, ERR_MISSING, "%s would be started there by %s, "
	    "and %s has %s, or choose another one with `supervisor' in "
	    "[worker %s]; nothing was stopped", worker->name,
	    supervisor_word(kind), worker->to_host->name, needs[kind].cure,
	    worker->name);
}

/* Each kind of the source once. */
static int
need_as_found(const struct conf_worker *worker, struct host *to,
    const struct supervisors *source, struct err *err)
{
	bool asked[SUPERVISOR_SCREEN + 1] = { [SUPERVISOR_SCREEN] = true };
	enum supervisor_kind kind;

	for (size_t i = 0; i < source->n; i++) {
		kind = source->list[i].kind;
		if (!asked[kind] && need(worker, to, kind, false,
		    err) != 0)
			return -1;
		asked[kind] = true;
	}
	return 0;
}

/* root alone may write units and programs of the system. */
static int
need_root(const struct conf_worker *worker, struct host *to, struct err *err)
{
	if (worker->supervisor == CONF_SUPERVISOR_CRON ||
	    host_facts(to)->uid == 0)
		return 0;
	return err_set(err, ERR_AUTH, "[worker %s]: units and programs of "
	    "the system are root's to install on %s; let [host %s] have "
	    "`user = root', or take `supervisor = cron'", worker->name,
	    worker->to_host->name, worker->to_host->name);
}

int
worker_service_check(struct run *run, const struct conf_worker *worker,
    const struct supervisors *source, bool later, struct err *err)
{
	bool comes = later && node_installs(run->conf, worker->to_host);
	struct host *to;

	if (worker->supervisor == CONF_SUPERVISOR_NONE)
		return 0;
	if (run_host(run, worker->to_host, &to, err) != 0)
		return -1;
	if (worker->supervisor == CONF_SUPERVISOR_AUTO)
		return need_as_found(worker, to, source, err);
	if (need_root(worker, to, err) != 0)
		return -1;
	switch (worker->supervisor) {
	case CONF_SUPERVISOR_SYSTEMD:
		return need(worker, to, SUPERVISOR_SYSTEMD, false, err);
	case CONF_SUPERVISOR_CRON:
		if (need(worker, to, SUPERVISOR_CRON, comes, err) != 0)
			return -1;
		return need(worker, to, SUPERVISOR_SCREEN, comes, err);
	case CONF_SUPERVISOR_SUPERVISORD:
		return need(worker, to, SUPERVISOR_SUPERVISORD, comes, err);
	default:
		return 0;
	}
}
