#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/queue.h"
#include "flow/run.h"
#include "flow/worker_queue.h"
#include "flow/worker_queue_part.h"
#include "io/host.h"
#include "io/journal.h"

/* A worker at work may let rows wait again; more is no coincidence. */
#define HOLD_ROUNDS 1000

char *
worker_queue_scope(const struct conf_worker *worker, enum worker_way way,
    const char *what)
{
	return mem_printf("worker/%s/%s%s", worker->name, what,
	    way == WORKER_REVERSE ? "-reverse" : "");
}

void
worker_queue_ids_add(struct worker_queue_ids *ids, int64_t id)
{
	ids->list = mem_grow(ids->list, ids->n + 1, sizeof(*ids->list));
	ids->list[ids->n++] = id;
}

bool
worker_queue_ids_has(const struct worker_queue_ids *ids, int64_t id)
{
	for (size_t i = 0; i < ids->n; i++) {
		if (ids->list[i] == id)
			return true;
	}
	return false;
}

void
worker_queue_ids_clear(struct worker_queue_ids *ids)
{
	free(ids->list);
	*ids = (struct worker_queue_ids){ 0 };
}

int
worker_queue_ids_text(const struct worker_queue_ids *ids, struct buf *out,
    struct err *err)
{
	buf_char(out, '[');
	for (size_t i = 0; i < ids->n; i++)
		buf_printf(out, "%s%" PRId64, i ? "," : "", ids->list[i]);
	buf_char(out, ']');
	return buf_check(out, "list of queue rows", err);
}

int
worker_queue_number(const char *column, const char *what, int64_t *out,
    struct err *err)
{
	uint64_t value;

	*out = 0;
	if (!column || !str_u64(column, INT64_MAX, &value))
		return err_set(err, ERR_DATA, "%s is no number: not a "
		    "database of Broca's making", what);
	*out = (int64_t)value;
	return 0;
}

int
worker_queue_ids_load(struct journal *journal, const char *scope,
    bool (*wanted)(const char *body), struct worker_queue_ids *out,
    struct err *err)
{
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int64_t id;
	int more = 0, rc;

	rc = journal_rows_open(journal, scope, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		rc = worker_queue_number(row.id, "a staged row", &id, err);
		if (rc == 0 && (!wanted || wanted(row.body)))
			worker_queue_ids_add(out, id);
	}
	journal_rows_close(rows);
	return rc == 0 && more == 0 ? 0 : -1;
}

bool
worker_queue_is_unclear(const char *body)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc = jdoc_parse(body, strlen(body), &ignored);
	bool unclear = jdoc_is(doc, "verdict", "unclear");

	jdoc_free(doc);
	return unclear;
}

int
worker_queue_script(struct host *host, const char *db, bool write,
    const struct db_statement *statements, size_t n, db_row *each, void *ctx,
    struct err *err)
{
	const struct db_script script = {
		.statements = statements, .n_statements = n, .write = write,
		.wait_ms = WORKER_QUEUE_WAIT_MS,
	};

	return host_db_script(host, db, &script, each, ctx, NULL, err);
}

/* Counts. */

struct counting {
	struct queue_schema schema;
	struct worker_queue_counts *counts;
};

static int
see_schema(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct counting *counting = ctx;

	(void)statement;
	(void)n;
	(void)err;
	if (columns[0] && columns[1])
		queue_schema_see(&counting->schema, columns[0], columns[1]);
	return 0;
}

static int
count(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct worker_queue_counts *counts =
	    ((struct counting *)ctx)->counts;
	const char *status = columns[0] ? columns[0] : "";
	bool tried = columns[1] && str_eq(columns[1], "1");
	int64_t rows;

	(void)statement;
	(void)n;
	if (worker_queue_number(columns[2], "a count", &rows, err) != 0)
		return -1;
	if (str_eq(status, "pending"))
		counts->pending += (uint64_t)rows;
	else if (str_eq(status, QUEUE_HELD))
		counts->held += (uint64_t)rows;
	else if (str_eq(status, "processing"))
		counts->processing += (uint64_t)rows;
	else
		counts->other += (uint64_t)rows;
	if (tried && (str_eq(status, "pending") || str_eq(status, QUEUE_HELD)))
		counts->retried += (uint64_t)rows;
	return 0;
}

int
worker_queue_counts(struct host *host, const char *db,
    struct worker_queue_counts *out, struct err *err)
{
	struct counting counting = { .counts = out };
	struct db_statement schema = { .sql = queue_sql(QUEUE_SQL_SCHEMA) };
	struct db_statement rows = { .sql = queue_sql(QUEUE_SQL_COUNTS) };

	*out = (struct worker_queue_counts){ 0 };
	if (worker_queue_script(host, db, false, &schema, 1, see_schema,
	    &counting, err) != 0)
		return -1;
	if (queue_schema_check(&counting.schema, err) != 0)
		return err_ctx(err, "%s:%s", host_name(host), db);
	return worker_queue_script(host, db, false, &rows, 1, count,
	    &counting, err);
}

static int
take_number(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	uint64_t *number = ctx;

	(void)statement;
	(void)n;
	if (columns[0] && str_u64(columns[0], INT64_MAX, number))
		return 0;
	return err_set(err, ERR_DATA, "a count is no number");
}

int
worker_queue_working(struct host *host, const char *db, unsigned int seconds,
    uint64_t *n, struct err *err)
{
	char *most = mem_printf("%u", seconds);
	const char *const params[] = { most };
	const struct db_statement working = {
		.sql = queue_sql(QUEUE_SQL_WORKING),
		.params = params, .n_params = 1
	};
	int rc;

	*n = 0;
	rc = worker_queue_script(host, db, false, &working, 1, take_number, n,
	    err);
	free(most);
	return rc;
}

/* Hold and release. */

static int
add_id(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	int64_t id;

	(void)statement;
	(void)n;
	if (worker_queue_number(columns[0], "queue.id", &id, err) != 0)
		return -1;
	worker_queue_ids_add(ctx, id);
	return 0;
}

static int
remember(struct journal *journal, const char *scope,
    const struct worker_queue_ids *ids, struct err *err)
{
	char text[32];
	bool added;
	int rc;

	rc = journal_page_begin(journal, err);
	for (size_t i = 0; i < ids->n && rc == 0; i++) {
		(void)snprintf(text, sizeof(text), "%" PRId64, ids->list[i]);
		rc = journal_row_add(journal, scope, text, "{}", 2, &added,
		    err);
	}
	if (rc != 0) {
		journal_page_abort(journal);
		return -1;
	}
	return journal_page_commit(journal, scope, "", true, err);
}

/* One statement whose ?1 is the list. */
static int
change(struct host *host, const char *db, enum queue_sql sql,
    const struct worker_queue_ids *ids, struct err *err)
{
	struct buf text = BUF_INIT(WORKER_QUEUE_IDS_MAX);
	const char *params[1];
	struct db_statement one = {
		.sql = queue_sql(sql), .params = params, .n_params = 1,
	};
	int rc;

	rc = worker_queue_ids_text(ids, &text, err);
	params[0] = buf_cstr(&text);
	if (rc == 0 && ids->n > 0)
		rc = worker_queue_script(host, db, true, &one, 1, NULL, NULL,
		    err);
	buf_clear(&text);
	return rc;
}

static int
hold_round(struct run *run, const char *scope, struct host *host,
    const char *db, size_t *waiting, struct err *err)
{
	struct db_statement ask = { .sql = queue_sql(QUEUE_SQL_PENDING) };
	struct worker_queue_ids ids = { 0 };
	int rc;

	/* As a writer, who rolls back what a killed worker left half done. */
	rc = worker_queue_script(host, db, true, &ask, 1, add_id, &ids, err);
	*waiting = ids.n;
	if (rc == 0 && ids.n > 0)
		rc = remember(run->journal, scope, &ids, err);
	if (rc == 0)
		rc = change(host, db, QUEUE_SQL_HOLD, &ids, err);
	worker_queue_ids_clear(&ids);
	return rc;
}

int
worker_queue_hold(struct run *run, const struct conf_worker *worker,
    enum worker_way way, struct host *host, const char *db, struct err *err)
{
	char *scope = worker_queue_scope(worker, way, "held");
	size_t waiting = 1;
	int rc = 0;

	for (int i = 0; i < HOLD_ROUNDS && rc == 0 && waiting > 0; i++)
		rc = hold_round(run, scope, host, db, &waiting, err);
	if (rc == 0 && waiting > 0)
		rc = err_set(err, ERR_AGAIN, "%s:%s: rows come into the queue "
		    "faster than they can be held", host_name(host), db);
	free(scope);
	return rc == 0 ? 0 : err_ctx(err, "hold the queue of worker %s",
	    worker->name);
}

/* Ours, without those that stay held. */
static int
load_ours(struct run *run, const struct conf_worker *worker,
    enum worker_way way, bool all, struct worker_queue_ids *out,
    struct err *err)
{
	char *held = worker_queue_scope(worker, way, "held");
	char *judged = worker_queue_scope(worker, way, "judged");
	struct worker_queue_ids ours = { 0 }, unclear = { 0 };
	int rc;

	rc = worker_queue_ids_load(run->journal, held, NULL, &ours, err);
	if (rc == 0 && !all)
		rc = worker_queue_ids_load(run->journal, judged,
		    worker_queue_is_unclear, &unclear, err);
	for (size_t i = 0; i < ours.n && rc == 0; i++) {
		if (!worker_queue_ids_has(&unclear, ours.list[i]))
			worker_queue_ids_add(out, ours.list[i]);
	}
	worker_queue_ids_clear(&ours);
	worker_queue_ids_clear(&unclear);
	free(held);
	free(judged);
	return rc;
}

static int
release(struct run *run, const struct conf_worker *worker,
    enum worker_way way, bool all, struct host *host, const char *db,
    struct err *err)
{
	struct worker_queue_ids ids = { 0 };
	int rc;

	rc = load_ours(run, worker, way, all, &ids, err);
	if (rc == 0)
		rc = change(host, db, QUEUE_SQL_RELEASE, &ids, err);
	worker_queue_ids_clear(&ids);
	return rc == 0 ? 0 : err_ctx(err, "release the queue of worker %s",
	    worker->name);
}

int
worker_queue_release(struct run *run, const struct conf_worker *worker,
    enum worker_way way, struct host *host, const char *db, struct err *err)
{
	return release(run, worker, way, false, host, db, err);
}

int
worker_queue_forget(struct run *run, const struct conf_worker *worker,
    enum worker_way way, struct err *err)
{
	char *held = worker_queue_scope(worker, way, "held");
	char *judged = worker_queue_scope(worker, way, "judged");
	int rc;

	rc = journal_scope_drop(run->journal, judged, err);
	if (rc == 0)
		rc = journal_scope_drop(run->journal, held, err);
	free(held);
	free(judged);
	return rc;
}

int
worker_queue_thaw(struct run *run, const struct conf_worker *worker,
    enum worker_way way, struct host *host, const char *db, struct err *err)
{
	if (release(run, worker, way, true, host, db, err) != 0)
		return -1;
	return worker_queue_forget(run, worker, way, err);
}
