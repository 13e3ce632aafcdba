#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/postgres_part.h"

#define SQL_MAX (256 * 1024)
#define NAMES "sanctumctl"	/* in the name of each database of ours */

/*
 * Each SELECT gives statements, quoted by the server itself.  Columns that not
 * every version has are looked for in the row as JSON.
 */
#define OURS "FROM pg_database d WHERE d.datname = current_database()"
#define NAME "'" POSTGRES_NAME "'"

static const char create_sql[] =
    "SELECT 'CREATE DATABASE ' || " NAME " || ' OWNER ' || "
    "quote_ident(pg_get_userbyid(d.datdba)) || ' TEMPLATE template0 "
    "ENCODING ' || quote_literal(pg_encoding_to_char(d.encoding)) || "
    "' LC_COLLATE ' || quote_literal(d.datcollate) || ' LC_CTYPE ' || "
    "quote_literal(d.datctype) || CASE to_jsonb(d)->>'datlocprovider' "
    "WHEN 'i' THEN ' LOCALE_PROVIDER icu ICU_LOCALE ' || quote_literal("
    "coalesce(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale')) "
    "WHEN 'b' THEN ' LOCALE_PROVIDER builtin BUILTIN_LOCALE ' || "
    "quote_literal(to_jsonb(d)->>'datlocale') "
    "WHEN 'c' THEN ' LOCALE_PROVIDER libc' ELSE '' END || "
    "CASE t.spcname WHEN 'pg_default' THEN '' ELSE ' TABLESPACE ' || "
    "quote_ident(t.spcname) END || CASE d.datconnlimit WHEN -1 THEN '' "
    "ELSE ' CONNECTION LIMIT ' || d.datconnlimit END || ';' "
    "FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace "
    "WHERE d.datname = current_database();\n";

static const char grant_sql[] =
    "SELECT 'REVOKE ALL ON DATABASE ' || " NAME " || ' FROM PUBLIC, ' || "
    "quote_ident(pg_get_userbyid(d.datdba)) || ';' " OURS
    " AND d.datacl IS NOT NULL;\n"
    "SELECT 'GRANT ' || a.privilege_type || ' ON DATABASE ' || " NAME
    " || ' TO ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
    "quote_ident(pg_get_userbyid(a.grantee)) END || CASE WHEN "
    "a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END || ';' "
    "FROM pg_database d, aclexplode(d.datacl) a "
    "WHERE d.datname = current_database();\n";

/*
 * FROM CURRENT stores a list as somebody typed it, so each of its names is
 * written anew, as a literal; all else is one value.
 */
#define LIST "(SELECT string_agg(quote_literal(CASE WHEN m[1] LIKE " \
    "'\"%' THEN replace(substr(m[1], 2, length(m[1]) - 2), '\"\"', '\"') " \
    "WHEN v.name LIKE '%_libraries' THEN m[1] ELSE lower(m[1]) END), ', ' " \
    "ORDER BY n) FROM regexp_matches(v.value, " \
    "'(\"(?:[^\"]|\"\")*\"|[^\",\\s][^,\\s]*)', 'g') WITH ORDINALITY l(m, n))"

static const char setting_sql[] =
    "SELECT CASE s.setrole WHEN 0 THEN 'ALTER DATABASE ' || " NAME
    " ELSE 'ALTER ROLE ' || quote_ident(pg_get_userbyid(s.setrole)) || "
    "' IN DATABASE ' || " NAME " END || ' SET ' || quote_ident(v.name) || "
    "' TO ' || CASE WHEN v.value IN ('', '\"\"') THEN '''''' WHEN v.name IN "
    "('search_path', 'temp_tablespaces', 'local_preload_libraries', "
    "'session_preload_libraries') THEN coalesce(" LIST ", quote_literal("
    "v.value)) ELSE quote_literal(v.value) END || ';' FROM "
    "pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, "
    "unnest(s.setconfig) c, LATERAL (SELECT split_part(c, '=', 1) AS name, "
    "substr(c, strpos(c, '=') + 1) AS value) v "
    "WHERE d.datname = current_database() ORDER BY s.setrole;\n";

static const char comment_sql[] =
    "SELECT 'COMMENT ON DATABASE ' || " NAME " || ' IS ' || "
    "quote_literal(shobj_description(d.oid, 'pg_database')) || ';' " OURS
    " AND shobj_description(d.oid, 'pg_database') IS NOT NULL;\n";

int
postgres_properties(struct postgres *pg, struct buf *sql, struct err *err)
{
	struct buf ask = BUF_INIT(SQL_MAX);
	int rc;

	buf_printf(&ask, "%s%s%s%s", create_sql, grant_sql, setting_sql,
	    comment_sql);
	rc = postgres_ask(pg, NULL, buf_cstr(&ask), sql, err);
	buf_clear(&ask);
	if (rc == 0 && !str_starts(buf_cstr(sql), "CREATE DATABASE "))
		rc = err_set(err, ERR_DATA, "%s: does not say how the "
		    "database was made", pg->where);
	return rc;
}

/* Behind a quote: where what is quoted ends, which two of them do not. */
static const char *
quoted_end(const char *at)
{
	const char quote = *at++;

	for (; *at; at++) {
		if (*at == quote && *++at != quote)
			break;
	}
	return at;
}

/* With a name in the place of POSTGRES_NAME, which a literal may have, too. */
static void
put_named(struct buf *out, const char *sql, const char *name)
{
	const char *end;

	for (; *sql; sql = end) {
		end = *sql == '"' || *sql == '\'' ? quoted_end(sql) : sql + 1;
		if (str_starts(sql, POSTGRES_NAME) &&
		    end == sql + strlen(POSTGRES_NAME))
			postgres_put_name(out, name);
		else
			buf_add(out, sql, (size_t)(end - sql));
	}
}

/* What psql takes for a command of its own is in no SQL of a database. */
static int
check_plain(const char *sql, struct err *err)
{
	for (; *sql; sql = *sql == '"' || *sql == '\'' ? quoted_end(sql) :
	    sql + 1) {
		if (*sql == '\\')
			return err_set(err, ERR_DATA, "a backslash is in the "
			    "SQL that makes it, outside of a literal; no "
			    "database was made");
	}
	return 0;
}

/*
 * A setting with a dot in its name is an application's own, which keeps its
 * secrets there.  The server quotes such a name, and every value.
 */
static void
put_shown(struct buf *out, const char *sql)
{
	const char *start = sql, *end;
	bool own = false;

	for (; *sql; sql = end) {
		end = sql + 1;
		if (*sql == ';')
			own = false;
		if (*sql == '"' || *sql == '\'')
			end = quoted_end(sql);
		if (*sql == '"' && sql - start >= 5 &&
		    strncmp(sql - 5, " SET ", 5) == 0)
			own = memchr(sql, '.', (size_t)(end - sql)) != NULL;
		if (*sql == '\'' && own)
			buf_str(out, "'***'");
		else
			buf_add(out, sql, (size_t)(end - sql));
	}
}

static int
check_ours(const char *name, struct err *err)
{
	if (strstr(name, NAMES))
		return 0;
	return err_set(err, ERR_USAGE, "a database that we make to drop it "
	    "again has `" NAMES "' in its name");
}

static void
put_drop(struct buf *out, const char *name)
{
	buf_str(out, "DROP DATABASE IF EXISTS ");
	postgres_put_name(out, name);
	buf_str(out, " WITH (FORCE);\n");
}

void
postgres_make_text(const char *properties, const char *name, bool vector,
    struct buf *out)
{
	struct buf sql = BUF_INIT(SQL_MAX);

	put_drop(out, name);
	put_named(&sql, properties, name);
	put_shown(out, buf_cstr(&sql));
	buf_clear(&sql);
	if (!vector)
		return;
	buf_str(out, "\\connect ");
	postgres_put_name(out, name);
	buf_str(out, "\nCREATE EXTENSION vector SCHEMA public;\n");
}

int
postgres_make(struct postgres *pg, const char *properties, const char *name,
    bool vector, struct err *err)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int rc;

	if (check_ours(name, err) != 0 || check_plain(properties, err) != 0)
		return -1;
	put_drop(&sql, name);
	put_named(&sql, properties, name);
	rc = postgres_admin_do(pg, NULL, buf_cstr(&sql), err);
	buf_clear(&sql);
	if (rc == 0 && vector)
		rc = postgres_admin_do(pg, name,
		    "CREATE EXTENSION vector SCHEMA public;\n", err);
	return rc == 0 ? 0 : err_ctx(err, "make the database %s", name);
}

/*
 * A rename waits five seconds for sessions and fails while there is one.  Those
 * of the server's own workers, which have no user, it ends itself.
 */
void
postgres_rename_text(const char *from, const char *to, struct buf *out)
{
	buf_str(out, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE usesysid IS NOT NULL AND datname = ");
	postgres_put_literal(out, from);
	buf_str(out, ";\nALTER DATABASE ");
	postgres_put_name(out, from);
	buf_str(out, " RENAME TO ");
	postgres_put_name(out, to);
	buf_str(out, ";\n");
}

int
postgres_rename(struct postgres *pg, const char *from, const char *to,
    struct err *err)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int rc;

	postgres_rename_text(from, to, &sql);
	rc = postgres_admin_do(pg, NULL, buf_cstr(&sql), err);
	buf_clear(&sql);
	return rc == 0 ? 0 : err_ctx(err, "rename the database %s to %s",
	    from, to);
}

void
postgres_drop_text(const char *name, struct buf *out)
{
	put_drop(out, name);
}

void
postgres_swap_text(const char *made, const char *old, struct buf *out)
{
	put_drop(out, old);
	postgres_rename_text(made, old, out);
}

/* Two calls: whoever is killed between them has the name free. */
int
postgres_swap(struct postgres *pg, const char *made, const char *old,
    struct err *err)
{
	struct buf drop = BUF_INIT(SQL_MAX);
	uint64_t there;
	int rc;

	put_drop(&drop, old);
	rc = postgres_oid(pg, made, &there, err);
	if (rc == 0 && there == 0)
		rc = err_set(err, ERR_STALE, "%s: the database %s, which "
		    "takes its place, is not there; nothing was dropped",
		    pg->where, made);
	if (rc == 0)
		rc = postgres_admin_do(pg, NULL, buf_cstr(&drop), err);
	if (rc == 0)
		rc = postgres_rename(pg, made, old, err);
	buf_clear(&drop);
	return rc;
}

int
postgres_scratch_make(struct postgres *pg, const char *name, struct err *err)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int rc;

	rc = postgres_properties(pg, &sql, err);
	if (rc == 0)
		rc = postgres_make(pg, buf_cstr(&sql), name, true, err);
	buf_clear(&sql);
	return rc;
}

int
postgres_scratch_drop(struct postgres *pg, const char *name, struct err *err)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int rc;

	if (check_ours(name, err) != 0)
		return -1;
	put_drop(&sql, name);
	rc = postgres_admin_do(pg, NULL, buf_cstr(&sql), err);
	buf_clear(&sql);
	return rc;
}
