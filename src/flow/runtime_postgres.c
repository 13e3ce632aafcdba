#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/pg_uri.h"
#include "flow/command.h"
#include "flow/run.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/runtime_postgres.h"
#include "flow/service.h"
#include "io/host.h"

#define OWN "own"
#define PSQL_OWN RUNTIME_OPT "/postgres/pgsql/bin/psql"
#define ROLE "letta"
#define DATABASE "letta"
#define SQL_MAX 4096

/* psql as its superuser. */
struct psql {
	char port[16];
	const char *argv[14];
	struct runtime_call call;
};

static void
psql_init(struct psql *psql, const struct runtime_pg *pg, const char *db,
    const char *sql, bool asks)
{
	const char *const own[] = { PSQL_OWN, "-XAtq", "-v",
	    "ON_ERROR_STOP=1", "-h", RUNTIME_PG_HOME, "-p", psql->port, "-U",
	    RUNTIME_PG_ACCOUNT, "-d", db ? db : "postgres", NULL };
	const char *const theirs[] = { "psql", "-XAtq", "-v",
	    "ON_ERROR_STOP=1", "-d", db ? db : "postgres", NULL };

	(void)snprintf(psql->port, sizeof(psql->port), "%d",
	    RUNTIME_PG_PORT);
	if (pg->own)
		memcpy(psql->argv, own, sizeof(own));
	else
		memcpy(psql->argv, theirs, sizeof(theirs));
	psql->call = (struct runtime_call){ .what = "psql",
	    .argv = psql->argv,
	    .account = pg->own ? RUNTIME_PG_ACCOUNT : "postgres",
	    .input = sql, .input_len = strlen(sql), .asks = asks };
}

int
runtime_pg_sql(const struct runtime *rt, const struct runtime_pg *pg,
    const char *db, const char *sql, bool asks, struct buf *text,
    struct err *err)
{
	struct psql psql;

	psql_init(&psql, pg, db, sql, asks);
	return runtime_do(rt->host, &psql.call, text, err);
}

/* One answer of one row; a failure is "". */
static void
ask(const struct runtime *rt, const struct runtime_pg *pg, const char *db,
    const char *sql, char *out, size_t size)
{
	struct psql psql;

	psql_init(&psql, pg, db, sql, true);
	runtime_line(rt->host, &psql.call, out, size);
}

/* Of "postgresql-16-pgvector - ...\npostgresql-17-pgvector ..." the last. */
static void
newest(const char *text, struct runtime_pg *pg)
{
	uint64_t best = 0, n;
	char number[16];
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (sscanf(text, "postgresql-%15[0-9]-pgvector", number) != 1 ||
		    !str_u64(number, 1000, &n) || n <= best)
			continue;
		best = n;
		(void)snprintf(pg->package, sizeof(pg->package),
		    "postgresql-%s-pgvector", number);
	}
}

static int
look_in_apt(const struct runtime *rt, struct runtime_pg *pg, struct err *err)
{
	static const char *const argv[] = { "apt-cache", "search",
	    "--names-only", "^postgresql-[0-9]+-pgvector$", NULL };
	struct buf said = BUF_INIT(COMMAND_TEXT_MAX);
	int status, rc = command_ask(rt->host, argv, &status, &said, err);

	/* No apt: ours. */
	if (rc == 0 && status == 0)
		newest(buf_cstr(&said), pg);
	buf_clear(&said);
	return rc;
}

int
runtime_pg_find(const struct runtime *rt, struct runtime_pg *pg,
    struct err *err)
{
	char *kind = NULL;
	int rc;

	*pg = (struct runtime_pg){ .own = true, .port = RUNTIME_PG_PORT };
	rc = runtime_get(rt, "database.kind", &kind, err);
	if (rc != 0)
		return -1;
	if (!kind)
		rc = look_in_apt(rt, pg, err);
	else if (!str_eq(kind, OWN))
		(void)snprintf(pg->package, sizeof(pg->package), "%s", kind);
	free(kind);
	if (rc == 0 && pg->package[0] != '\0') {
		pg->own = false;
		pg->port = 0;
	}
	return rc;
}

int
runtime_pg_ready(const struct runtime *rt, const struct runtime_pg *pg,
    bool *out, struct err *err)
{
	struct fs_meta meta;
	char said[64];

	*out = false;
	if (host_stat(rt->host, RUNTIME_PG_ENV, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return 0;
	if (pg->own) {
		if (runtime_pg_own_up(rt, out, err) != 0)
			return -1;
		if (!*out)
			return 0;
	}
	ask(rt, pg, DATABASE, "SELECT count(*) FROM pg_extension e, "
	    "pg_database d, pg_roles r WHERE e.extname = 'vector' AND "
	    "d.datname = '" DATABASE "' AND r.oid = d.datdba AND "
	    "r.rolname = '" ROLE "'", said, sizeof(said));
	*out = str_eq(said, "1");
	return 0;
}

/* Whether a fact of this server is kept. */
static int
is_noted(const struct runtime *rt, const char *word, bool *out,
    struct err *err)
{
	char *value = NULL;
	int rc = runtime_get(rt, word, &value, err);

	*out = value != NULL;
	free(value);
	return rc;
}

/*
 * A role or a database of our name is ours when this job has made it, or when
 * its password lay on the host before this job: else somebody else works with
 * it, by a password that must not be changed.
 */
static int
check_theirs(const struct runtime *rt, const struct runtime_pg *pg,
    struct err *err)
{
	bool role, made, file;
	char there[16];

	if (is_noted(rt, "database.role", &role, err) != 0 ||
	    is_noted(rt, "database.made", &made, err) != 0 ||
	    runtime_env_was_there(rt, "database.env", &file, err) != 0)
		return -1;
	if (file || (role && made))
		return 0;
	ask(rt, pg, NULL, "SELECT (SELECT count(*) FROM pg_roles WHERE "
	    "rolname = '" ROLE "') || '.' || (SELECT count(*) FROM "
	    "pg_database WHERE datname = '" DATABASE "')", there,
	    sizeof(there));
	if (strlen(there) != 3)
		return err_set(err, ERR_FAILED, "%s: PostgreSQL does not say "
		    "which roles and databases it has", host_name(rt->host));
	if ((there[0] == '0' || role) && (there[2] == '0' || made))
		return 0;
	return err_set(err, ERR_STALE, "%s: its PostgreSQL has a %s "
	    ROLE " already, which this job has not made and leaves as it "
	    "is.  To use it, give its URI as `database' in [letta %s]",
	    host_name(rt->host), there[0] == '0' || role ? "database" :
	    "role", rt->letta->name);
}

/* The password out of its file, into SQL that is only on a pipe. */
static int
make_role(const struct runtime *rt, const struct runtime_pg *pg,
    struct err *err)
{
	struct runtime_env env = { 0 };
	struct buf password, sql;
	bool set = false;
	char there[16];
	int rc;

	buf_init_still(&password, DOTENV_MAX_BYTES);
	buf_init_still(&sql, SQL_MAX);
	ask(rt, pg, NULL, "SELECT count(*) FROM pg_roles WHERE rolname = '"
	    ROLE "'", there, sizeof(there));
	rc = runtime_env_read(&env, rt, RUNTIME_PG_ENV, err);
	if (rc == 0)
		rc = runtime_env_get(&env, "POSTGRES_PASSWORD", &password,
		    &set, err);
	if (rc == 0 && (!set || strpbrk(password.data, "'\\\n")))
		rc = err_set(err, ERR_DATA, "%s:" RUNTIME_PG_ENV ": its "
		    "POSTGRES_PASSWORD is none of ours", host_name(rt->host));
	buf_printf(&sql, "SET log_min_error_statement = panic;\n"
	    "SET log_statement = none;\n"
	    "SET password_encryption = 'scram-sha-256';\n"
	    "%s ROLE " ROLE " LOGIN PASSWORD '%s';\n",
	    str_eq(there, "0") ? "CREATE" : "ALTER", buf_cstr(&password));
	if (rc == 0 && str_eq(there, "0"))
		rc = runtime_put(rt, "database.role", ROLE, err);
	if (rc == 0)
		rc = runtime_pg_sql(rt, pg, NULL, buf_cstr(&sql), false, NULL,
		    err);
	buf_wipe(&sql);
	buf_wipe(&password);
	runtime_env_clear(&env);
	return rc;
}

static int
make_database(const struct runtime *rt, const struct runtime_pg *pg,
    struct err *err)
{
	char there[16];

	ask(rt, pg, NULL, "SELECT count(*) FROM pg_database WHERE datname = '"
	    DATABASE "'", there, sizeof(there));
	if (str_eq(there, "0") && (runtime_put(rt, "database.made", DATABASE,
	    err) != 0 || runtime_pg_sql(rt, pg, NULL,
	    "CREATE DATABASE " DATABASE " OWNER " ROLE " TEMPLATE template0 "
	    "ENCODING 'UTF8';\n", false, NULL, err) != 0))
		return -1;
	return runtime_pg_sql(rt, pg, DATABASE,
	    "CREATE EXTENSION IF NOT EXISTS vector;\n", false, NULL, err);
}

static int
start_theirs(const struct runtime *rt, const struct runtime_pg *pg,
    struct err *err)
{
	bool acted;

	if (service_ensure(rt->host, "postgresql", &acted, err) == 0)
		return 0;
	if (err->kind == ERR_MISSING)
		return err_ctx(err, "install %s, which brings PostgreSQL "
		    "with pgvector", pg->package);
	return -1;
}

/* Its port is what its configuration says. */
static int
note_port(const struct runtime *rt, struct runtime_pg *pg, struct err *err)
{
	char said[16];
	uint64_t port;

	if (!pg->own) {
		ask(rt, pg, NULL, "SHOW port", said, sizeof(said));
		if (!str_u64(said, 65535, &port))
			return err_set(err, ERR_FAILED, "%s: PostgreSQL does "
			    "not say its port; is %s installed and up?",
			    host_name(rt->host), pg->package);
		pg->port = (unsigned int)port;
	}
	(void)snprintf(said, sizeof(said), "%u", pg->port);
	return runtime_put(rt, "database.port", said, err);
}

int
runtime_pg_make(const struct runtime *rt, struct runtime_pg *pg,
    struct err *err)
{
	int rc;

	if (runtime_put(rt, "database.kind", pg->own ? OWN : pg->package,
	    err) != 0 || runtime_pg_env(rt, err) != 0)
		return -1;
	rc = pg->own ? runtime_pg_own_start(rt, err) :
	    start_theirs(rt, pg, err);
	if (rc == 0)
		rc = note_port(rt, pg, err);
	if (rc == 0)
		rc = check_theirs(rt, pg, err);
	if (rc == 0)
		rc = make_role(rt, pg, err);
	return rc == 0 ? make_database(rt, pg, err) : -1;
}

int
runtime_pg_agents(const struct runtime *rt, const struct runtime_pg *pg,
    uint64_t *out, struct err *err)
{
	char said[32];

	ask(rt, pg, DATABASE, "SELECT count(*) FROM pg_tables WHERE tablename "
	    "= 'agents'", said, sizeof(said));
	*out = 0;
	if (str_eq(said, "0"))
		return 0;
	ask(rt, pg, DATABASE, "SELECT count(*) FROM agents", said,
	    sizeof(said));
	if (str_u64(said, UINT64_MAX, out))
		return 0;
	return err_set(err, ERR_UNREACHABLE, "%s: PostgreSQL does not say "
	    "how many agents it holds", host_name(rt->host));
}

int
runtime_pg_others(const struct runtime *rt, const struct runtime_pg *pg,
    uint64_t *out, struct err *err)
{
	char said[32];

	ask(rt, pg, NULL, "SELECT count(*) FROM pg_database WHERE NOT "
	    "datistemplate AND datname NOT IN ('postgres', '" DATABASE "')",
	    said, sizeof(said));
	if (str_u64(said, UINT64_MAX, out))
		return 0;
	return err_set(err, ERR_UNREACHABLE, "%s: PostgreSQL does not say "
	    "which databases it holds", host_name(rt->host));
}

int
runtime_pg_remove(const struct runtime *rt, const struct runtime_pg *pg,
    struct err *err)
{
	bool made, role, edited;
	int rc = 0;

	if (is_noted(rt, "database.made", &made, err) != 0 ||
	    is_noted(rt, "database.role", &role, err) != 0)
		return -1;
	if (pg->own)
		rc = runtime_pg_own_remove(rt, err);
	else if (made)
		rc = runtime_pg_sql(rt, pg, NULL, "DROP DATABASE IF EXISTS "
		    DATABASE ";\n", false, NULL, err);
	if (rc == 0 && !pg->own && role)
		rc = runtime_pg_sql(rt, pg, NULL, "DROP ROLE IF EXISTS " ROLE
		    ";\n", false, NULL, err);
	if (rc == 0)
		rc = runtime_env_undo(rt, RUNTIME_PG_ENV, "database.env",
		    &edited, err);
	if (rc == 0)
		rc = runtime_put(rt, "database.made", "", err);
	if (rc == 0)
		rc = runtime_put(rt, "database.role", "", err);
	if (rc == 0)
		rc = runtime_put(rt, "schema.fits", "", err);
	return rc == 0 ? runtime_put(rt, "database.kind", "", err) : -1;
}

int
runtime_pg_env(const struct runtime *rt, struct err *err)
{
	struct runtime_env env = { 0 };
	struct buf password;
	bool set = false;
	int rc;

	buf_init_still(&password, DOTENV_MAX_BYTES);
	rc = runtime_env_read(&env, rt, RUNTIME_PG_ENV, err);
	if (rc == 0)
		rc = runtime_env_get(&env, "POSTGRES_PASSWORD", &password,
		    &set, err);
	if (rc == 0 && !set) {
		rc = runtime_draw(&password, err);
		if (rc == 0)
			rc = runtime_env_set(&env, "POSTGRES_PASSWORD",
			    buf_cstr(&password), err);
	}
	if (rc == 0)
		rc = runtime_env_set(&env, "POSTGRES_USER", ROLE, err);
	if (rc == 0)
		rc = runtime_env_set(&env, "POSTGRES_DB", DATABASE, err);
	if (rc == 0)
		rc = runtime_env_write(&env, rt, NULL, "database.env", err);
	buf_wipe(&password);
	runtime_env_clear(&env);
	return rc;
}

/* The password is of base64url, so nothing in it must be escaped. */
static int
put_ours(const struct runtime *rt, struct buf *out, bool *known,
    struct err *err)
{
	bool compose = rt->letta->runtime == CONF_RUNTIME_COMPOSE;
	struct runtime_env env = { 0 };
	struct buf password;
	char *port = NULL;
	int rc;

	buf_init_still(&password, DOTENV_MAX_BYTES);
	rc = runtime_env_read(&env, rt, RUNTIME_PG_ENV, err);
	if (rc == 0)
		rc = runtime_env_get(&env, "POSTGRES_PASSWORD", &password,
		    known, err);
	if (rc == 0 && !compose)
		rc = runtime_get(rt, "database.port", &port, err);
	*known = *known && (compose || port);
	if (rc == 0 && *known)
		buf_printf(out, "postgresql://" ROLE ":%s@%s:%s/" DATABASE
		    "?sslmode=disable", password.data,
		    compose ? "postgres" : "127.0.0.1",
		    compose ? "5432" : port);
	free(port);
	buf_wipe(&password);
	runtime_env_clear(&env);
	return rc;
}

int
runtime_database_uri(const struct runtime *rt, struct buf *out, bool *known,
    struct err *err)
{
	const struct secret *given = run_secret(rt->run,
	    &rt->letta->database);

	*known = false;
	if (!rt->letta->database.ref)
		return put_ours(rt, out, known, err);
	if (!given)
		return err_set(err, ERR_USAGE, "`database' of [letta %s] was "
		    "not fetched", rt->letta->name);
	/* Letta puts the driver there itself. */
	if (!pg_uri_plain(secret_bytes(given), out))
		return err_set(err, ERR_USAGE, "`database' of [letta %s] is "
		    "no postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
		    rt->letta->name);
	*known = true;
	return 0;
}
