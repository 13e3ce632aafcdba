#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/command.h"
#include "flow/compose_service.h"
#include "flow/postgres_part.h"
#include "flow/run.h"
#include "io/host.h"

#define LINE_MAX_BYTES 4096
#define OLDEST 130000	/* DROP DATABASE ... WITH (FORCE) */

/* Without a URI: as the images of Letta and of PostgreSQL are used. */
#define INSIDE_URI "postgresql://letta@/letta"

static int
parse_uri(struct postgres *pg, const struct conf_secret *of, const char *key,
    struct pg_uri *out, struct err *err)
{
	const struct secret *given = run_secret(pg->run, of);
	int rc;

	if (!of->ref && pg->inside)
		return pg_uri_parse(INSIDE_URI, strlen(INSIDE_URI), out, err);
	if (!given)
		return err_set(err, ERR_USAGE, "`%s' of [letta %s] %s", key,
		    pg->letta->name, of->ref ? "was not fetched" :
		    "is not given");
	rc = pg_uri_parse(secret_bytes(given), secret_len(given), out, err);
	return rc == 0 ? 0 : err_ctx(err, "`%s' of [letta %s]", key,
	    pg->letta->name);
}

/* By a socket without a password: as the account that has the name. */
static int
find_account(struct postgres *pg, const struct pg_uri *uri, char **out,
    struct err *err)
{
	const char *const argv[] = { "id", "-u", "--", uri->user, NULL };
	int status;

	if (pg->inside || !uri->user || !uri->is_socket || uri->password)
		return 0;
	if (command_ask(pg->host, argv, &status, NULL, err) != 0)
		return -1;
	if (status == 0)
		*out = mem_strdup(uri->user);
	return 0;
}

static void
set_where(struct postgres *pg)
{
	struct buf text = BUF_INIT(LINE_MAX_BYTES);

	buf_printf(&text, "%s:", host_name(pg->host));
	if (pg->inside)
		buf_printf(&text, "%s:%s", pg->letta->compose,
		    pg->letta->compose_database);
	else
		pg_uri_place(&pg->uri, &text);
	buf_char(&text, '/');
	str_printable(&text, pg->uri.database, strlen(pg->uri.database));
	pg->where = buf_take(&text);
}

/* By its labels: its project may have another name than its directory. */
static int
find_container(struct postgres *pg, struct err *err)
{
	struct compose_service cs;
	int rc;

	if (!pg->inside)
		return 0;
	rc = compose_service_open_database(&cs, pg->host, pg->letta, err);
	if (rc == 0)
		pg->container = mem_strdup(cs.container);
	compose_service_close(&cs);
	return rc;
}

static int
open_it(struct postgres *pg, struct err *err)
{
	const struct conf_letta *letta = pg->letta;

	if (run_host(pg->run, letta->host, &pg->host, err) != 0 ||
	    parse_uri(pg, &letta->database, "database", &pg->uri, err) != 0 ||
	    (letta->database_admin.ref && parse_uri(pg,
	    &letta->database_admin, "database_admin", &pg->admin, err) != 0))
		return -1;
	set_where(pg);
	if (find_container(pg, err) != 0 ||
	    find_account(pg, &pg->uri, &pg->account, err) != 0 ||
	    find_account(pg, &pg->admin, &pg->admin_account, err) != 0)
		return -1;
	return postgres_find(pg, err);
}

int
postgres_open(struct postgres **out, struct run *run,
    const struct conf_letta *letta, struct err *err)
{
	struct postgres *pg = mem_zero(1, sizeof(*pg));

	*out = NULL;
	pg->run = run;
	pg->letta = letta;
	pg->inside = letta->compose && letta->compose_database;
	if (open_it(pg, err) != 0) {
		postgres_close(pg);
		return -1;
	}
	*out = pg;
	return 0;
}

void
postgres_close(struct postgres *pg)
{
	if (!pg)
		return;
	pg_uri_clear(&pg->uri);
	pg_uri_clear(&pg->admin);
	free(pg->account);
	free(pg->admin_account);
	free(pg->container);
	free(pg->bin);
	free(pg->where);
	free(pg);
}

const char *
postgres_database(const struct postgres *pg)
{
	return pg->uri.database;
}

const char *
postgres_where(const struct postgres *pg)
{
	return pg->where;
}

void
postgres_uri(const struct postgres *pg, const char *db, struct buf *out)
{
	pg_uri_write(&pg->uri, db, out);
}

/* A number that a SELECT of one row gives. */
static int
ask_number(struct postgres *pg, bool admin, const char *sql, uint64_t *out,
    struct err *err)
{
	struct buf said = BUF_INIT(LINE_MAX_BYTES);
	char number[32];
	int rc;

	rc = admin ? postgres_admin_ask(pg, NULL, sql, &said, err) :
	    postgres_ask(pg, NULL, sql, &said, err);
	(void)snprintf(number, sizeof(number), "%.*s",
	    (int)strcspn(buf_cstr(&said), "\n"), buf_cstr(&said));
	if (rc == 0 && !str_u64(number, UINT64_MAX, out))
		rc = err_set(err, ERR_DATA, "%s: a number was asked for, and "
		    "not said", pg->where);
	buf_clear(&said);
	return rc;
}

int
postgres_size(struct postgres *pg, uint64_t *out, struct err *err)
{
	*out = 0;
	return ask_number(pg, false,
	    "SELECT pg_database_size(current_database())", out, err);
}

int
postgres_oid(struct postgres *pg, const char *name, uint64_t *out,
    struct err *err)
{
	struct buf sql = BUF_INIT(LINE_MAX_BYTES);
	int rc;

	*out = 0;
	buf_str(&sql, "SELECT coalesce(max(oid::bigint), 0) FROM pg_database "
	    "WHERE datname = ");
	postgres_put_literal(&sql, name ? name : pg->uri.database);
	rc = ask_number(pg, true, buf_cstr(&sql), out, err);
	buf_clear(&sql);
	return rc;
}

/* What the role of admin is; the fields of one line. */
enum { SUPER, CREATEDB, MEMBER, VECTOR, ROLE, OWNER, N_RIGHTS };

static int
ask_rights(struct postgres *pg, char *fields[static N_RIGHTS],
    struct buf *said, struct err *err)
{
	struct buf sql = BUF_INIT(2 * LINE_MAX_BYTES);
	char *at;
	int rc;

	buf_str(&sql, "SELECT r.rolsuper, r.rolcreatedb, coalesce("
	    "pg_has_role(r.oid, d.datdba, 'MEMBER'), true), coalesce("
	    "(SELECT CASE WHEN to_jsonb(v)->>'trusted' = 'true' OR NOT "
	    "v.superuser THEN 'all' ELSE 'super' END FROM "
	    "pg_available_extension_versions v JOIN pg_available_extensions "
	    "e ON e.name = v.name AND e.default_version = v.version WHERE "
	    "v.name = 'vector'), 'none'), quote_ident(r.rolname), coalesce("
	    "quote_ident(pg_get_userbyid(d.datdba)), '') FROM pg_roles r "
	    "LEFT JOIN pg_database d ON d.datname = ");
	postgres_put_literal(&sql, pg->uri.database);
	buf_str(&sql, " WHERE r.rolname = current_user");
	rc = postgres_admin_ask(pg, NULL, buf_cstr(&sql), said, err);
	buf_clear(&sql);
	at = said->data;
	for (size_t i = 0; rc == 0 && i < N_RIGHTS; i++) {
		fields[i] = at ? strsep(&at, "\t\n") : NULL;
		if (!fields[i])
			rc = err_set(err, ERR_DATA, "%s: does not say which "
			    "rights we have", pg->where);
	}
	return rc;
}

static int
judge_rights(const struct postgres *pg, char *const f[static N_RIGHTS],
    struct err *err)
{
	bool super = str_eq(f[SUPER], "t");

	if (str_eq(f[VECTOR], "none"))
		return err_set(err, ERR_FAILED, "%s: its PostgreSQL has no "
		    "pgvector; install the package postgresql-%u-pgvector "
		    "there; nothing was changed", pg->where,
		    pg->version / 10000);
	if (super)
		return 0;
	if (!str_eq(f[CREATEDB], "t"))
		return err_set(err, ERR_FAILED, "%s: role %s may not make "
		    "databases; as a superuser there, run `ALTER ROLE %s "
		    "CREATEDB', or give `database_admin' in [letta %s]; "
		    "nothing was changed", pg->where, f[ROLE], f[ROLE],
		    pg->letta->name);
	if (!str_eq(f[MEMBER], "t"))
		return err_set(err, ERR_FAILED, "%s: role %s may not drop "
		    "the database of %s; as a superuser there, run `GRANT "
		    "%s TO %s'; nothing was changed", pg->where, f[ROLE],
		    f[OWNER], f[OWNER], f[ROLE]);
	if (!str_eq(f[VECTOR], "all"))
		return err_set(err, ERR_FAILED, "%s: role %s may not make "
		    "the extension vector, which this pgvector lets a "
		    "superuser do; give the URI of one as `database_admin' "
		    "in [letta %s]; nothing was changed", pg->where, f[ROLE],
		    pg->letta->name);
	return 0;
}

/* Both URIs must lead to one server, or we would drop a stranger's. */
static int
check_same_server(struct postgres *pg, struct err *err)
{
	static const char sql[] = "SELECT extract(epoch FROM "
	    "pg_postmaster_start_time())::text || ' ' || coalesce("
	    "inet_server_port()::text, '')";
	struct buf ours = BUF_INIT(LINE_MAX_BYTES);
	struct buf theirs = BUF_INIT(LINE_MAX_BYTES);
	size_t len;
	int rc;

	if (!pg->admin.user || pg->inside)
		return 0;
	rc = postgres_ask(pg, NULL, sql, &ours, err);
	if (rc == 0)
		rc = postgres_admin_ask(pg, NULL, sql, &theirs, err);
	/* By a socket there is no port. */
	len = strcspn(buf_cstr(&ours), " ");
	if (rc == 0 && strncmp(buf_cstr(&ours), buf_cstr(&theirs), len + 1) !=
	    0)
		rc = err_set(err, ERR_USAGE, "`database' and `database_admin' "
		    "of [letta %s] are not of one server: each was started "
		    "at another time; nothing was changed", pg->letta->name);
	buf_clear(&theirs);
	buf_clear(&ours);
	return rc;
}

int
postgres_check_rights(struct postgres *pg, struct err *err)
{
	struct buf said = BUF_INIT(LINE_MAX_BYTES);
	char *fields[N_RIGHTS];
	int rc;

	if (pg->version < OLDEST)
		return err_set(err, ERR_FAILED, "%s: PostgreSQL %u is too "
		    "old: %d is the oldest that this can rebuild a database "
		    "of; nothing was changed", pg->where,
		    pg->version / 10000, OLDEST / 10000);
	rc = ask_rights(pg, fields, &said, err);
	if (rc == 0)
		rc = judge_rights(pg, fields, err);
	buf_clear(&said);
	return rc == 0 ? check_same_server(pg, err) : -1;
}
