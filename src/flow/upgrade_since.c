#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/pg_tally.h"
#include "flow/postgres.h"
#include "flow/postgres_census.h"
#include "flow/run.h"
#include "flow/upgrade.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_marker.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_since.h"

#define CENSUS "since.census"
#define OF "since.of"
#define TEXT_MAX (16 * 1024 * 1024)
#define WORDS_MAX 8192
#define WORDS_SHOWN 5
#define AGENTS_SHOWN 400	/* bytes of an error, beside its other words */
#define TABLES_SHOWN 300

/* What moved, as words. */
struct since {
	const char *names;	/* lines "ID, tab, NAME" */
	size_t n_agents;
	struct buf agents, tables;
};

int
upgrade_since_kept(const struct upgrade *up, bool *out, struct err *err)
{
	uint64_t of, made;

	*out = false;
	if (upgrade_oid(up, OF, &of, err) != 0 ||
	    upgrade_oid(up, "database.made", &made, err) != 0)
		return -1;
	*out = of != 0 && of == made;
	return 0;
}

static int
take(const struct upgrade *up, struct postgres *pg, struct err *err)
{
	struct buf now = BUF_INIT(TEXT_MAX);
	uint64_t made = 0;
	int rc;

	rc = upgrade_oid(up, "database.made", &made, err);
	if (rc == 0)
		rc = postgres_census(pg, NULL, &now, err);
	if (rc == 0)
		rc = buf_check(&now, "the census of the database", err);
	if (rc == 0)
		rc = upgrade_put(up, CENSUS, buf_cstr(&now), err);
	if (rc == 0)
		rc = upgrade_put_oid(up, OF, made, err);
	buf_clear(&now);
	return rc;
}

int
upgrade_since_keep(const struct upgrade *up, struct err *err)
{
	struct postgres *pg;
	bool kept;
	int rc;

	if (upgrade_since_kept(up, &kept, err) != 0)
		return -1;
	if (kept)
		return 0;
	if (postgres_open(&pg, up->run, up->conf->from, err) != 0)
		return -1;
	rc = take(up, pg, err);
	postgres_close(pg);
	return rc;
}

static bool
is_table(const struct pg_tally_line *line, const char *table)
{
	size_t len = strlen(table);

	return (size_t)line->name_len >= len &&
	    memcmp(line->name, table, len) == 0 &&
	    ((size_t)line->name_len == len || line->name[len] == ' ');
}

static bool
is_same_count(const struct pg_tally_line *a, const struct pg_tally_line *b)
{
	return a && b && a->count_len == b->count_len &&
	    memcmp(a->count, b->count, (size_t)a->count_len) == 0;
}

static bool
is_counted(const struct pg_tally_line *was, const struct pg_tally_line *is)
{
	static const char *const tables[] = { "agents", "messages", "block",
	    "archives", "archival_passages", "agent_passages",
	    "source_passages", "passages" };
	const struct pg_tally_line *line = is ? is : was;

	if (is_table(line, "tools"))
		return !is_same_count(was, is);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (is_table(line, tables[i]))
			return true;
	}
	return false;
}

/* "NAME (ID)", or the id where its agent is not there any more. */
static void
put_name(const char *names, const char *id, size_t len, struct buf *out)
{
	const char *line;

	for (line = names; *line; line += strcspn(line, "\n"),
	    line += *line == '\n') {
		if (strncmp(line, id, len) != 0 || line[len] != '\t')
			continue;
		str_printable(out, line + len + 1,
		    strcspn(line + len + 1, "\n"));
		buf_str(out, " (");
		str_printable(out, id, len);
		buf_char(out, ')');
		return;
	}
	str_printable(out, id, len);
}

static void
put_counts(const struct pg_tally_line *was, const struct pg_tally_line *is,
    struct buf *out)
{
	if (!is)
		buf_printf(out, "gone, had %.*s", was->count_len, was->count);
	else if (!was)
		buf_printf(out, "%.*s, new", is->count_len, is->count);
	else if (is_same_count(was, is))
		buf_printf(out, "%.*s, changed", is->count_len, is->count);
	else
		buf_printf(out, "%.*s, had %.*s", is->count_len, is->count,
		    was->count_len, was->count);
}

/* Whether one more agent is named; of those behind it only that they are. */
static bool
begin_agent(struct since *since)
{
	if (++since->n_agents > WORDS_SHOWN) {
		if (since->n_agents == WORDS_SHOWN + 1)
			buf_str(&since->agents, "; and more");
		return false;
	}
	buf_str(&since->agents, "; ");
	return true;
}

static void
add_moved(void *ctx, enum pg_tally_moved moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is)
{
	const struct pg_tally_line *line = is ? is : was;
	struct since *since = ctx;
	const char *id;
	size_t table;

	(void)moved;
	if (!is_counted(was, is))
		return;
	id = memchr(line->name, ' ', (size_t)line->name_len);
	table = id ? (size_t)(id - line->name) : (size_t)line->name_len;
	if (!id) {
		buf_printf(&since->tables, "; %.*s: ", (int)table,
		    line->name);
		put_counts(was, is, &since->tables);
	} else if (begin_agent(since)) {
		put_name(since->names, id + 1,
		    (size_t)line->name_len - table - 1, &since->agents);
		buf_printf(&since->agents, ", %.*s: ", (int)table,
		    line->name);
		put_counts(was, is, &since->agents);
	}
}

/* Of agents, and of archives those whose they are; for words alone. */
static void
ask_names(struct postgres *pg, struct buf *out)
{
	static const char sql[] =
	    "SELECT id, translate(name, E'\\t\\n\\r', '   ') FROM "
	    "public.agents;\n"
	    "SELECT $$SELECT x.archive_id, 'archive of ' || string_agg("
	    "translate(a.name, E'\\t\\n\\r', '   '), ', ') FROM "
	    "public.archives_agents x JOIN public.agents a ON a.id = "
	    "x.agent_id GROUP BY x.archive_id$$ WHERE "
	    "to_regclass('public.archives_agents') IS NOT NULL "
	    "\\gexec\n";
	struct err ignored = ERR_INIT;

	if (postgres_ask(pg, NULL, sql, out, &ignored) != 0)
		err_clear(&ignored);
}

/* *out: what was written since, as words; "" when nothing was. */
static int
compare(const struct upgrade *up, struct postgres *pg, struct buf *out,
    struct err *err)
{
	struct buf now = BUF_INIT(TEXT_MAX), names = BUF_INIT(TEXT_MAX);
	struct since since = { .agents = BUF_INIT(WORDS_MAX),
	    .tables = BUF_INIT(WORDS_MAX) };
	char *before = NULL;
	int rc;

	rc = upgrade_get(up, CENSUS, &before, err);
	if (rc == 0)
		rc = postgres_census(pg, NULL, &now, err);
	if (rc == 0) {
		ask_names(pg, &names);
		since.names = buf_cstr(&names);
		(void)pg_tally_compare(before ? before : "", buf_cstr(&now),
		    add_moved, &since);
	}
	if (since.agents.len > 2)
		buf_printf(out, "agents: %.*s", AGENTS_SHOWN,
		    buf_cstr(&since.agents) + 2);
	if (since.tables.len > 2)
		buf_printf(out, "%stables: %.*s", out->len > 0 ? ".  " :
		    "", TABLES_SHOWN, buf_cstr(&since.tables) + 2);
	free(before);
	buf_clear(&since.tables);
	buf_clear(&since.agents);
	buf_clear(&names);
	buf_clear(&now);
	return rc;
}

/* The new database is the one that has the name. */
static int
check_since(const struct upgrade *up, struct postgres *pg, struct err *err)
{
	struct buf words = BUF_INIT(2 * WORDS_MAX);
	bool kept = false, done = false;
	int rc;

	rc = upgrade_since_kept(up, &kept, err);
	if (rc == 0)
		rc = upgrade_done(up, &upgrade_restore_kind, &done, err);
	if (rc != 0 || (!kept && !done))
		return rc;
	if (!kept || compare(up, pg, &words, err) != 0) {
		buf_truncate(&words, 0);
		buf_printf(&words, "it could not be looked at: %.400s", kept ?
		    err->text : "the journal has no census of it");
		err_clear(err);
	}
	if (words.len > 0 && up->run->discard)
		log_warn("%s: what was written to the new server since its "
		    "restore is dropped, as --discard says: %s",
		    postgres_where(pg), buf_cstr(&words));
	else if (words.len > 0)
		rc = err_set(err, ERR_STALE, "the way back drops what was "
		    "written to the new server since its restore, and with "
		    "--discard alone; nothing was taken back.  %s: %s",
		    postgres_where(pg), buf_cstr(&words));
	buf_clear(&words);
	return rc;
}

static int
has_oid(const struct upgrade *up, struct postgres *pg, const char *aside,
    uint64_t oid, bool *out, struct err *err)
{
	char *name = upgrade_aside(up, aside);
	uint64_t there = 0;
	int rc = postgres_oid(pg, name, &there, err);

	*out = oid != 0 && there == oid;
	free(name);
	return rc;
}

/*
 * The old one that has its name, stands beside the new one yet, or was
 * restored there, needs no copy.
 */
static int
needs_copy(const struct upgrade *up, struct postgres *pg, bool *out,
    struct err *err)
{
	bool kept = false, restored = false;
	uint64_t was = 0, now = 0, back = 0;

	if (upgrade_oid(up, "database.was", &was, err) != 0 ||
	    upgrade_oid(up, "database.back", &back, err) != 0 ||
	    postgres_oid(pg, NULL, &now, err) != 0 ||
	    has_oid(up, pg, "old", was, &kept, err) != 0 ||
	    has_oid(up, pg, "restore", back, &restored, err) != 0)
		return -1;
	*out = was != 0 && was != now && !kept && !restored &&
	    (back == 0 || back != now);
	return 0;
}

int
upgrade_needs_copy(const struct upgrade *up, bool *out, struct err *err)
{
	struct postgres *pg;
	int rc;

	if (postgres_open(&pg, up->run, up->conf->from, err) != 0)
		return -1;
	rc = needs_copy(up, pg, out, err);
	postgres_close(pg);
	return rc;
}

static int
check_copy(const struct upgrade *up, struct postgres *pg, struct err *err)
{
	bool needed;

	if (needs_copy(up, pg, &needed, err) != 0)
		return -1;
	if (!needed || upgrade_dump_is_whole(up, pg, err) == 0)
		return 0;
	return err_ctx(err, "without its safety copy there is no way back to "
	    "the old server, and bundles do not make one; nothing was taken "
	    "back");
}

/* The step's undo would say so, too, but with the server stopped by then. */
static int
refuse_stranger(struct postgres *pg, struct err *err)
{
	return err_set(err, ERR_STALE, "%s: is a database that this job has "
	    "neither found nor made: another upgrade, or somebody, has put "
	    "it there, and it was left as it is, as was what serves; nothing "
	    "was taken back.  Rename it, if it is to be dropped, then run "
	    "the same command again", postgres_where(pg));
}

static int
check(const struct upgrade *up, struct postgres *pg, uint64_t was,
    struct err *err)
{
	uint64_t now = 0, made = 0, back = 0;

	if (postgres_oid(pg, NULL, &now, err) != 0 ||
	    upgrade_oid(up, "database.made", &made, err) != 0 ||
	    upgrade_oid(up, "database.back", &back, err) != 0)
		return -1;
	if (now == was)
		return 0;
	if (now != 0 && now != made && now != back)
		return refuse_stranger(pg, err);
	if (check_copy(up, pg, err) != 0)
		return -1;
	return now != 0 && now == made ? check_since(up, pg, err) : 0;
}

int
upgrade_may_go_back(struct run *run, struct err *err)
{
	struct upgrade up = { .run = run, .conf = run->conf->upgrades };
	struct postgres *pg;
	bool stopped;
	uint64_t was;
	int rc;

	if (run->conf->n_upgrades == 0)
		return 0;
	if (upgrade_oid(&up, "database.was", &was, err) != 0 ||
	    upgrade_was_stopped(run, &stopped, err) != 0)
		return -1;
	if (was == 0 && !stopped)
		return 0;
	/* Another job's new server may have this one's place by now. */
	if (run_host(run, up.conf->from->host, &up.host, err) != 0 ||
	    upgrade_marker_check(&up, NULL, err) != 0)
		return -1;
	if (was == 0)
		return 0;
	if (postgres_open(&pg, run, up.conf->from, err) != 0)
		return err_ctx(err, "the way back needs PostgreSQL, nothing "
		    "was taken back");
	rc = upgrade_marker_check(&up, pg, err);
	if (rc == 0)
		rc = check(&up, pg, was, err);
	postgres_close(pg);
	return rc;
}
