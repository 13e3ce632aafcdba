#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/pg_tally.h"
#include "flow/postgres_census.h"
#include "flow/postgres_part.h"

#define SQL_MAX (64 * 1024)
#define NAMES_MAX (1024 * 1024)
#define WORDS_SHOWN 6
#define SAID_MAX 64

/* One snapshot, and texts of dates and numbers that no setting changes. */
#define BEGIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n" \
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO';\n" \
    "SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex';\n" \
    "SET LOCAL extra_float_digits = 1; SET LOCAL statement_timeout = 0;\n"
#define END "COMMIT;\n"

/*
 * A digest of all rows, in any order.  No column of Letta's has this name.
 * Not by ::text: whoever owns a table can make a cast of its rows, which
 * would run a function of theirs.
 */
#define DIGEST "coalesce(sum(hashtextextended(concat(sanctumctl_row), " \
    "0::bigint)), 0)"

#define TABLES "('agents', 'messages', 'block', 'blocks_agents', " \
    "'archival_passages', 'agent_passages', 'source_passages', " \
    "'passages', 'tools', 'tools_agents', 'identities', " \
    "'identities_agents', 'archives', 'archives_agents', 'conversations')"

/* Each row of the SELECT is a SELECT of its own, which \gexec runs. */
static const char census_sql[] = BEGIN
    "SELECT format(CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE "
    "a.attrelid = c.oid AND a.attname = 'updated_at' AND NOT "
    "a.attisdropped) THEN 'SELECT %L, count(*), coalesce(max("
    "updated_at)::text, ''-'') FROM %I.%I' ELSE 'SELECT %L, count(*), "
    DIGEST " FROM %I.%I sanctumctl_row' END, c.relname, n.nspname, "
    "c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = "
    "c.relnamespace WHERE c.relkind IN ('r', 'p') AND "
    "n.nspname = 'public' AND c.relname IN " TABLES
    " ORDER BY c.relname \\gexec\n"
    "SELECT format('SELECT %L || coalesce(%I::text, ''-''), count(*), "
    "coalesce(max(updated_at)::text, ''-'') FROM %I.%I GROUP BY %I "
    "ORDER BY 1', c.relname || ' ', a.attname, n.nspname, c.relname, "
    "a.attname) FROM pg_class c JOIN pg_namespace n ON n.oid = "
    "c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND NOT "
    "a.attisdropped WHERE c.relkind IN ('r', 'p') AND "
    "n.nspname = 'public' AND c.relname IN ('messages', "
    "'archival_passages', 'agent_passages', 'passages') AND a.attname IN "
    "('agent_id', 'archive_id') ORDER BY c.relname, a.attname \\gexec\n"
    END;

int
postgres_census(struct postgres *pg, const char *db, struct buf *out,
    struct err *err)
{
	return postgres_ask(pg, db, census_sql, out, err);
}

/*
 * SELECTs of an agent's id, what it is, rows and digest: of the tables that
 * name the agent, and of those that a link of it names; then one of them all.
 * Numbers of transactions come again in a server whose disk was set back;
 * dates do not, so they are in the digest where there are any.
 */
#define WRITTEN(t) "count(*) AS n, sum(hashtextextended(concat_ws('' '', " \
    t "xmin%s), 0::bigint)) AS s"
#define DATE(t, table) "CASE WHEN EXISTS (SELECT FROM columns u WHERE " \
    "(u.relname, u.attname) = (" table ", 'updated_at')) THEN ', " t \
    "updated_at' ELSE '' END"
#define OWN "('messages', 'conversations', 'conversation_messages', " \
    "'archival_passages', 'agent_passages', 'passages', 'agents_tags', " \
    "'agent_environment_variables', 'blocks_agents', 'tools_agents', " \
    "'identities_agents', 'archives_agents', 'sources_agents')"
#define LINKED "('blocks_agents', 'block_id', 'block', 'id'), " \
    "('identities_agents', 'identity_id', 'identities', 'id'), " \
    "('archives_agents', 'archive_id', 'archives', 'id'), " \
    "('archives_agents', 'archive_id', 'archival_passages', 'archive_id')"

static const char agents_sql[] = BEGIN
    "WITH columns AS (SELECT n.nspname, c.relname, a.attname FROM "
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN "
    "pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped WHERE "
    "c.relkind IN ('r', 'p') AND n.nspname = 'public'), pieces AS ("
    "SELECT format('SELECT %I AS agent, %L AS what, " WRITTEN("")
    " FROM %I.%I GROUP BY 1', o.attname, o.relname, "
    DATE("", "o.relname") ", o.nspname, o.relname) AS piece FROM columns o "
    "WHERE (o.relname, o.attname) = ('agents', 'id') OR o.relname IN " OWN
    " AND o.attname = 'agent_id' "
    "UNION ALL SELECT format('SELECT l.agent_id, %L, " WRITTEN("t.")
    " FROM %I.%I l JOIN %I.%I t ON t.%I = l.%I GROUP BY 1', "
    "v.name || ' of ' || v.link, " DATE("t.", "v.name") ", l.nspname, "
    "l.relname, t.nspname, t.relname, t.attname, l.attname) FROM (VALUES "
    LINKED ") v(link, key, name, id) JOIN columns l ON (l.relname, "
    "l.attname) = (v.link, v.key) JOIN columns t ON (t.relname, t.attname) "
    "= (v.name, v.id)) SELECT format('SELECT agent, sum(n), "
    "sum(hashtextextended(concat_ws('' '', what, n, s), 0::bigint)) FROM "
    "(%s) pieces WHERE agent IS NOT NULL GROUP BY agent ORDER BY agent', "
    "string_agg(piece, ' UNION ALL ')) FROM pieces HAVING count(*) > 0 "
    "\\gexec\n" END;

int
postgres_agents(struct postgres *pg, const char *db, struct buf *out,
    struct err *err)
{
	return postgres_ask(pg, db, agents_sql, out, err);
}

int
postgres_check_tables(struct postgres *pg, struct err *err)
{
	struct buf said = BUF_INIT(SAID_MAX);
	int rc;

	rc = postgres_ask(pg, NULL, "SELECT count(*) FROM pg_class c "
	    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = "
	    "'public' AND c.relname IN ('agents', 'messages')", &said, err);
	if (rc == 0 && !str_eq(buf_cstr(&said), "2\n"))
		rc = err_set(err, ERR_DATA, "%s: public.agents and "
		    "public.messages are not there; tables of Letta's in "
		    "another schema are not upgraded.  Nothing was changed",
		    pg->where);
	buf_clear(&said);
	return rc;
}

/* What is no system's, and no session's own. */
#define THEIRS "n.nspname NOT IN ('pg_catalog', 'information_schema') AND " \
    "n.nspname !~ '^pg_(toast|temp)'"
#define STRING(x) #x
#define NUMBER(x) STRING(x)

/*
 * To plan a SELECT, the server folds the expressions of the table's indexes and
 * statistics, and thereby may call functions of its owner as us.
 */
#define FOLDED "EXISTS (SELECT FROM pg_roles r WHERE r.oid = c.relowner " \
    "AND NOT r.rolsuper AND r.rolname <> current_user) AND (EXISTS (SELECT " \
    "FROM pg_index i WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR " \
    "i.indpred IS NOT NULL)) OR EXISTS (SELECT FROM pg_statistic_ext e " \
    "WHERE e.stxrelid = c.oid))"

static const char rows_sql[] =
    "SELECT CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') OR NOT "
    "has_table_privilege(c.oid, 'SELECT') OR " FOLDED " THEN "
    "format('SELECT %L, ''?'', %L', w.name, '" POSTGRES_UNREAD ", ' || "
    "pg_relation_size(c.oid) || ' bytes') "
    "WHEN c.relkind = 'S' THEN format('SELECT %L, last_value, is_called "
    "FROM %I.%I', w.name, n.nspname, c.relname) "
    "WHEN pg_table_size(c.oid) > " NUMBER(POSTGRES_SUM_MAX) " THEN "
    "format('SELECT %L, count(*), %L FROM ONLY %I.%I', w.name, "
    "pg_relation_size(c.oid) || '" POSTGRES_MEASURED "', n.nspname, c.relname) "
    "ELSE format('SELECT %L, count(*), " DIGEST " FROM ONLY %I.%I "
    "sanctumctl_row', w.name, n.nspname, c.relname) END "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, "
    "LATERAL (SELECT quote_ident(current_database()) || '.' || translate("
    "n.nspname || '.' || c.relname, E'\\t\\n', '  ') AS name) w "
    "WHERE c.relkind IN ('r', 'm', 'S') AND c.relispopulated AND " THEIRS
    " ORDER BY w.name \\gexec\n";

static const char definitions_sql[] =
    "SELECT quote_ident(current_database()) || '" POSTGRES_DEFINED
    "', count(*), "
    "coalesce(sum(hashtextextended(x, 0::bigint)), 0) FROM ("
    "SELECT concat_ws(' ', n.nspname, c.relname, c.relkind, c.relowner, "
    "c.relacl) AS x FROM pg_class c JOIN pg_namespace n ON n.oid = "
    "c.relnamespace WHERE " THEIRS " UNION ALL "
    "SELECT concat_ws(' ', a.attrelid, a.attname, a.attnum, a.atttypid, "
    "a.atttypmod, a.attnotnull) FROM pg_attribute a JOIN pg_class c ON "
    "c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE " THEIRS " UNION ALL "
    "SELECT concat_ws(' ', n.nspname, p.proname, p.proowner, p.prosrc) "
    "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE "
    THEIRS " UNION ALL "
    "SELECT concat_ws(' ', o.conname, o.conrelid, "
    "pg_get_constraintdef(o.oid)) FROM pg_constraint o JOIN pg_namespace n "
    "ON n.oid = o.connamespace WHERE " THEIRS ") all_of_it;\n";

/* "t" when it lets us in, its name as in SQL, its name. */
static int
list_others(struct postgres *pg, struct buf *out, struct err *err)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int rc;

	buf_str(&sql, "SELECT has_database_privilege(oid, 'CONNECT') AND "
	    "datname !~ '[[:cntrl:]]', translate(quote_ident(datname), "
	    "E'\\t\\n', '  '), translate(datname, E'\\t\\n', '  ') FROM "
	    "pg_database WHERE datallowconn AND NOT datistemplate AND "
	    "datname !~ '^sanctumctl_[a-z]+_[0-9a-f]{12}$' AND datname <> ");
	postgres_put_literal(&sql, pg->uri.database);
	buf_str(&sql, " ORDER BY datname");
	rc = postgres_admin_ask(pg, NULL, buf_cstr(&sql), out, err);
	buf_clear(&sql);
	return rc;
}

static void
put_unread(struct buf *out, const char *quoted)
{
	buf_printf(out, "%s\t?\t" POSTGRES_UNREAD "\n", quoted);
}

/* What pg_hba.conf keeps us out of is known only by trying. */
static int
sum_one(struct postgres *pg, const char *quoted, const char *name,
    struct buf *out, struct err *err)
{
	struct buf sql = BUF_INIT(SQL_MAX);
	int rc;

	buf_printf(&sql, BEGIN "%s%s" END, rows_sql, definitions_sql);
	rc = postgres_sql(pg, name, true, true, buf_cstr(&sql), out, err);
	buf_clear(&sql);
	if (rc != 0 && err->kind == ERR_AUTH) {
		err_clear(err);
		put_unread(out, quoted);
		return 0;
	}
	return rc == 0 ? 0 : err_ctx(err, "look at the database %s", name);
}

int
postgres_others(struct postgres *pg, struct buf *out, struct err *err)
{
	struct buf names = BUF_INIT(NAMES_MAX);
	char *rest, *line, *lets, *quoted;
	int rc;

	rc = list_others(pg, &names, err);
	rest = names.data;
	while (rc == 0 && rest && (line = strsep(&rest, "\n")) != NULL) {
		lets = strsep(&line, "\t");
		quoted = strsep(&line, "\t");
		if (!line)
			continue;
		if (str_eq(lets, "t"))
			rc = sum_one(pg, quoted, line, out, err);
		else
			put_unread(out, quoted);
	}
	buf_clear(&names);
	return rc;
}

/* Words of what moved, a few. */
struct words {
	struct buf *out;
	size_t n;
};

static void
add_words(void *ctx, enum pg_tally_moved moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is)
{
	const struct pg_tally_line *line = is ? is : was;
	struct words *words = ctx;
	struct buf *out = words->out;

	if (!out || words->n++ >= WORDS_SHOWN) {
		if (out && words->n == WORDS_SHOWN + 1)
			buf_str(out, "; and more");
		return;
	}
	if (words->n > 1)
		buf_str(out, "; ");
	str_printable(out, line->name, (size_t)line->name_len);
	if (moved == PG_TALLY_NEW)
		buf_printf(out, ": new, %.*s rows", is->count_len, is->count);
	else if (moved == PG_TALLY_GONE)
		buf_printf(out, ": gone, had %.*s rows", was->count_len,
		    was->count);
	else if (was->count_len == is->count_len && memcmp(was->count,
	    is->count, (size_t)is->count_len) == 0)
		buf_printf(out, ": other contents in its %.*s rows",
		    is->count_len, is->count);
	else
		buf_printf(out, ": %.*s rows, were %.*s", is->count_len,
		    is->count, was->count_len, was->count);
}

size_t
postgres_census_moved(const char *before, const char *after,
    struct buf *text)
{
	struct words words = { .out = text };

	return pg_tally_compare(before, after, add_words, &words);
}
