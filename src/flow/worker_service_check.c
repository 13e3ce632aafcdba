#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "core/env_lint.h"
#include "flow/command.h"
#include "flow/node.h"
#include "flow/run.h"
#include "flow/supervisor_kind.h"
#include "flow/worker_service.h"
#include "io/host.h"

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
	int status, rc = command_ask(to, argv, &status, NULL, err);

	*out = rc == 0 && status == 0;
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

/* Names no value: the row has none. */
static int
refuse_row(void *ctx, const struct env_lint_row *row, struct err *err)
{
	const char *path = ctx;

	if (row->verdicts[ENV_SH] != ENV_FAILS)
		return 0;
	return err_set(err, ERR_DATA, "%s:%zu: %s: the shell that is to start "
	    "SMCP on the target cannot read it: %s; `sanctumctl worker env "
	    "lint' says more", path, row->line, row->key,
	    row->whys[ENV_SH] ? row->whys[ENV_SH] : "not an assignment");
}

/* What it was started by at the source may have read it in another way. */
static int
check_smcp_env(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	char *path = mem_printf("%s/smcp/.env", worker->from_path);
	char *shown = mem_printf("%s:%s", worker->from_host->name, path);
	struct buf text = BUF_INIT(DOTENV_MAX_BYTES);
	struct env_lint_result result;
	struct host *from;
	int rc = run_host(run, worker->from_host, &from, err);

	if (rc == 0 && host_read(from, path, &text, NULL, err) != 0) {
		rc = err->kind == ERR_MISSING ? 0 : -1;
		if (rc == 0)
			err_clear(err);
	} else if (rc == 0)
		rc = env_lint(buf_cstr(&text), text.len, refuse_row, shown,
		    &result, err);
	buf_wipe(&text);
	free(shown);
	free(path);
	return rc;
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
	if (need_root(worker, to, err) != 0 ||
	    (conf_worker_has(worker, "smcp") &&
	    check_smcp_env(run, worker, err) != 0))
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
