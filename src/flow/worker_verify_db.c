#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "core/worker.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_queue.h"
#include "flow/worker_users.h"
#include "flow/worker_verify_db.h"
#include "io/host.h"

#define BATCH 2000
#define WAIT_MS 10000

/*
 * What a row is about, as one text; and what it must keep once it has it.
 * Broca changes the rest as it works.
 */
static const struct table {
	const char *name;
	const char *about;
	const char *kept;
} tables[] = {
	{ "letta_users", "quote(created_at)", "NULL" },
	{ "platform_profiles", "quote(letta_user_id) || ',' || "
	    "quote(platform) || ',' || quote(platform_user_id)", "NULL" },
	{ "messages", "quote(letta_user_id) || ',' || "
	    "quote(platform_profile_id) || ',' || quote(role) || ',' || "
	    "quote(message) || ',' || quote(timestamp)",
	    "CASE WHEN processed = 1 THEN quote(agent_response) END" },
	{ "queue", "quote(letta_user_id) || ',' || quote(message_id)",
	    "CASE WHEN status = 'completed' THEN status END" },
};

struct row {
	int64_t id;
	char *about;
	char *kept;		/* NULL: nothing yet */
	bool met;
};

/* One batch of the source's rows, and what became of them. */
struct batch {
	struct row rows[BATCH];
	size_t n;
	size_t next;		/* the first that may still be met */
	uint64_t different;
	int64_t first;		/* of those; 0: none */
};

static void
batch_clear(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		free(batch->rows[i].about);
		free(batch->rows[i].kept);
	}
	batch->n = 0;
	batch->next = 0;
}

static int64_t
id_of(const char *text)
{
	uint64_t id;

	return text && str_u64(text, INT64_MAX, &id) ? (int64_t)id : 0;
}

static int
take_source(void *ctx, size_t statement, const char *const *columns,
    size_t n, struct err *err)
{
	struct batch *batch = ctx;
	struct row *row = &batch->rows[batch->n++];

	(void)statement;
	(void)n;
	(void)err;
	*row = (struct row){
		.id = id_of(columns[0]),
		.about = mem_strdup(columns[1] ? columns[1] : ""),
		.kept = columns[2] ? mem_strdup(columns[2]) : NULL,
	};
	return 0;
}

static bool
is_same(const struct row *row, const char *about, const char *kept)
{
	if (!str_eq(row->about, about ? about : ""))
		return false;
	return !row->kept || (kept && str_eq(row->kept, kept));
}

static int
meet_target(void *ctx, size_t statement, const char *const *columns,
    size_t n, struct err *err)
{
	struct batch *batch = ctx;
	const int64_t id = id_of(columns[0]);
	struct row *row;

	(void)statement;
	(void)n;
	(void)err;
	while (batch->next < batch->n && batch->rows[batch->next].id < id)
		batch->next++;
	if (batch->next == batch->n || batch->rows[batch->next].id != id)
		return 0;
	row = &batch->rows[batch->next];
	row->met = is_same(row, columns[1], columns[2]);
	return 0;
}

static void
count_unmet(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		if (batch->rows[i].met)
			continue;
		if (batch->different++ == 0)
			batch->first = batch->rows[i].id;
	}
}

static int
query(struct host *host, const char *path, const char *sql, int64_t above,
    int64_t upto, db_row *each, void *ctx, struct err *err)
{
	char *low = mem_printf("%" PRId64, above);
	char *high = mem_printf("%" PRId64, upto);
	const char *const params[] = { low, high };
	const struct db_statement one = {
		.sql = sql, .params = params, .n_params = 2
	};
	const struct db_script script = {
		.statements = &one, .n_statements = 1, .wait_ms = WAIT_MS
	};
	int rc = host_db_script(host, path, &script, each, ctx, NULL, err);

	free(low);
	free(high);
	return rc;
}

struct pair {
	struct host *from, *to;
	char *from_path, *to_path;
};

static int
compare_table(const struct pair *pair, const struct table *table,
    struct batch *batch, uint64_t *rows, struct err *err)
{
	char *sql = mem_printf("SELECT id, %s, %s FROM %s WHERE id > "
	    "CAST(?1 AS INTEGER) AND id <= CAST(?2 AS INTEGER) ORDER BY id "
	    "LIMIT %d", table->about, table->kept, table->name, BATCH);
	int64_t above = 0, last;
	int rc = 0;

	*rows = 0;
	do {
		batch_clear(batch);
		rc = query(pair->from, pair->from_path, sql, above, INT64_MAX,
		    take_source, batch, err);
		if (rc != 0 || batch->n == 0)
			break;
		last = batch->rows[batch->n - 1].id;
		rc = query(pair->to, pair->to_path, sql, above, last,
		    meet_target, batch, err);
		count_unmet(batch);
		*rows += batch->n;
		above = last;
	} while (rc == 0 && batch->n == BATCH);
	batch_clear(batch);
	free(sql);
	return rc;
}

static uint64_t
rows_in(const struct db_report *report, const char *table)
{
	for (size_t i = 0; i < report->n_tables; i++) {
		if (str_eq(report->tables[i].name, table))
			return report->tables[i].rows;
	}
	return 0;
}

static int
judge_table(const struct pair *pair, const struct table *table,
    struct batch *batch, const struct db_report *target,
    struct verdict *verdict, struct err *err)
{
	const uint64_t there = rows_in(target, table->name);
	char *name = mem_printf("%s of sanctum.db", table->name);
	uint64_t rows = 0;
	int rc;

	batch->different = 0;
	rc = compare_table(pair, table, batch, &rows, err);
	if (rc == 0 && batch->different > 0)
		verdict_add(verdict, name, VERDICT_DIFFERENT, rows, there,
		    "%" PRIu64 " rows are missing or about something else, "
		    "first id %" PRId64, batch->different, batch->first);
	else if (rc == 0)
		verdict_add(verdict, name, VERDICT_SAME, rows, there, "each "
		    "row of the source by its id; %" PRIu64 " came since",
		    there > rows ? there - rows : 0);
	free(name);
	return rc;
}

/* One user's id of one kind: as the journal has it, else as it was. */
struct ids {
	struct run *run;
	const struct conf_worker *worker;
	struct buf wanted;	/* "ID IDENTITY BLOCK\n" a user */
	uint64_t n;
};

static int
add_wanted(struct ids *ids, bool block, const char *id, struct err *err)
{
	char *mapped = NULL;

	if (id && worker_users_new(ids->run, ids->worker, block, id, &mapped,
	    err) != 0)
		return -1;
	buf_printf(&ids->wanted, " %s", mapped ? mapped : id ? id : "-");
	free(mapped);
	return 0;
}

static int
take_user(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct ids *ids = ctx;

	(void)statement;
	(void)n;
	ids->n++;
	buf_printf(&ids->wanted, "%s", columns[0]);
	if (add_wanted(ids, false, columns[1], err) != 0 ||
	    add_wanted(ids, true, columns[2], err) != 0)
		return -1;
	buf_str(&ids->wanted, "\n");
	return 0;
}

struct met {
	const struct ids *ids;
	uint64_t n;
};

static int
meet_user(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct met *met = ctx;
	char *line = mem_printf("\n%s %s %s\n", columns[0], columns[1] ?
	    columns[1] : "-", columns[2] ? columns[2] : "-");

	(void)statement;
	(void)n;
	(void)err;
	met->n += strstr(buf_cstr(&met->ids->wanted), line) != NULL;
	free(line);
	return 0;
}

static int
judge_users(const struct pair *pair, struct ids *ids,
    struct verdict *verdict, struct err *err)
{
	static const char sql[] = "SELECT id, letta_identity_id, "
	    "letta_block_id FROM letta_users WHERE id > CAST(?1 AS INTEGER) "
	    "AND id <= CAST(?2 AS INTEGER) ORDER BY id";
	struct met met = { .ids = ids };

	buf_str(&ids->wanted, "\n");
	if (query(pair->from, pair->from_path, sql, 0, INT64_MAX, take_user,
	    ids, err) != 0 ||
	    query(pair->to, pair->to_path, sql, 0, INT64_MAX, meet_user,
	    &met, err) != 0 ||
	    buf_check(&ids->wanted, "users", err) != 0)
		return -1;
	verdict_add(verdict, "identities and blocks of users", met.n ==
	    ids->n ? VERDICT_SAME : VERDICT_DIFFERENT, ids->n, met.n,
	    met.n == ids->n ? "each user has those that this job made or "
	    "kept" : "users of the target name others than this job gave "
	    "them");
	return 0;
}

/* Rows that nobody answers until somebody has looked at them. */
struct unclear {
	uint64_t n;
	int64_t first;
	char why[160];
};

static int
take_result(void *ctx, const struct worker_queue_result *result,
    struct err *err)
{
	struct unclear *unclear = ctx;

	(void)err;
	if (result->verdict != QUEUE_UNCLEAR)
		return 0;
	if (unclear->n++ == 0) {
		unclear->first = result->id;
		(void)snprintf(unclear->why, sizeof(unclear->why), "%.150s",
		    result->why);
	}
	return 0;
}

static int
judge_held(struct run *run, const struct conf_worker *worker,
    struct verdict *verdict, struct err *err)
{
	struct unclear unclear = { 0 };

	if (worker_queue_results(run, worker, WORKER_MOVE, take_result,
	    &unclear, err) != 0)
		return -1;
	if (unclear.n > 0)
		verdict_add(verdict, "rows held as unclear",
		    VERDICT_NOT_COMPARED, unclear.n, unclear.n, "whether the "
		    "agent has answered them is not certain, so they wait as "
		    "`held' at the target; first id %" PRId64 ": %s",
		    unclear.first, unclear.why);
	return 0;
}

static int
judge_all(struct run *run, const struct conf_worker *worker,
    const struct pair *pair, struct verdict *verdict, struct err *err)
{
	struct batch *batch = mem_zero(1, sizeof(*batch));
	struct ids ids = { .run = run, .worker = worker };
	struct db_report target;
	int rc;

	buf_init(&ids.wanted, 32 * 1024 * 1024);
	rc = host_db_check(pair->to, pair->to_path, &target, err);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables) && rc == 0;
	    i++)
		rc = judge_table(pair, &tables[i], batch, &target, verdict,
		    err);
	if (rc == 0)
		rc = judge_users(pair, &ids, verdict, err);
	if (rc == 0)
		rc = judge_held(run, worker, verdict, err);
	if (rc != 0 && (err->kind == ERR_DATA || err->kind == ERR_MISSING)) {
		verdict_add(verdict, "sanctum.db", VERDICT_DIFFERENT, 1, 0,
		    "%s", err->text);
		err_clear(err);
		rc = 0;
	}
	buf_clear(&ids.wanted);
	free(batch);
	return rc;
}

int
worker_verify_db(struct run *run, const struct conf_worker *worker,
    struct host *from, struct host *to, struct verdict *verdict,
    struct err *err)
{
	struct pair pair = { .from = from, .to = to };
	struct fs_meta meta;
	int rc;

	pair.from_path = worker_path(worker->from_path, WORKER_DB);
	pair.to_path = worker_path(worker->to_path, WORKER_DB);
	rc = host_stat(from, pair.from_path, &meta, err);
	if (rc == 0 && (meta.type == FS_NONE || !worker_has_broca(worker)))
		verdict_add(verdict, "sanctum.db", VERDICT_NOT_COMPARED, 0, 0,
		    worker_has_broca(worker) ? "the source has none" :
		    "broca is not among the trees");
	else if (rc == 0)
		rc = judge_all(run, worker, &pair, verdict, err);
	free(pair.from_path);
	free(pair.to_path);
	return rc;
}
