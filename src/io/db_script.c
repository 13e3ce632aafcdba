#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "io/db_open.h"
#include "io/db_script.h"
#include "io/wire.h"

#define ROWS_MAX WIRE_BLOB_MAX
#define COLUMNS_MAX 2000	/* SQLite's own SQLITE_MAX_COLUMN */
#define PARAMS_MAX 32766	/* SQLITE_MAX_VARIABLE_NUMBER */
#define SQL_SHOWN 60

/*
 * A text, or NULL, as bytes: u8, and if it is 1, u32 length, text, NUL.  Not
 * wire_put_str, since a message may be longer than a frame.
 */
static void
put_text(struct buf *b, const char *text, size_t len)
{
	wire_put_u8(b, text != NULL);
	if (!text)
		return;
	wire_put_u32(b, (uint32_t)len);
	buf_add(b, text, len);
	buf_char(b, '\0');
}

static const char *
get_text(struct wire_reader *r)
{
	return wire_get_u8(r) != 0 ? wire_get_str(r) : NULL;
}

static int
bind(sqlite3_stmt *stmt, const struct db_statement *s)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < s->n_params && code == SQLITE_OK; i++) {
		const char *text = s->params[i];

		if (text)
			code = sqlite3_bind_text64(stmt, (int)i + 1, text,
			    strlen(text), SQLITE_STATIC, SQLITE_UTF8);
		else
			code = sqlite3_bind_null(stmt, (int)i + 1);
	}
	return code;
}

/* One row of statement number n: n, count of columns, columns. */
static int
put_row(struct buf *rows, sqlite3_stmt *stmt, size_t n, struct err *err)
{
	const int columns = sqlite3_column_count(stmt);
	const char *text;
	size_t len;

	wire_put_u32(rows, (uint32_t)n);
	wire_put_u32(rows, (uint32_t)columns);
	for (int i = 0; i < columns; i++) {
		text = (const char *)sqlite3_column_text(stmt, i);
		len = text ? (size_t)sqlite3_column_bytes(stmt, i) : 0;
		if (text && strlen(text) != len)
			return err_set(err, ERR_DATA, "column %s: a NUL "
			    "within its text", sqlite3_column_name(stmt, i));
		put_text(rows, text, len);
	}
	return buf_check(rows, "result", err);
}

/* Say which statement it was. */
static int
name_statement(const struct db_statement *s, size_t n, struct err *err)
{
	const size_t len = strlen(s->sql);

	return err_ctx(err, "statement %zu (%.*s%s)", n + 1, SQL_SHOWN,
	    s->sql, len > SQL_SHOWN ? "..." : "");
}

static int
run_one(const struct db_open *o, const struct db_statement *s, size_t n,
    struct buf *rows, uint64_t *changes, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code, rc = 0;

	code = sqlite3_prepare_v2(o->db, s->sql, -1, &stmt, NULL);
	if (code == SQLITE_OK && !stmt) {
		(void)err_set(err, ERR_DATA, "no statement");
		return name_statement(s, n, err);
	}
	if (code == SQLITE_OK)
		code = bind(stmt, s);
	while (rc == 0 && (code == SQLITE_OK || code == SQLITE_ROW)) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW)
			rc = put_row(rows, stmt, n, err);
	}
	if (rc == 0 && code != SQLITE_DONE)
		rc = db_open_fail(o, code, "run", err);
	if (rc == 0 && changes)
		*changes = sqlite3_stmt_readonly(stmt) ? 0 :
		    (uint64_t)sqlite3_changes64(o->db);
	(void)sqlite3_finalize(stmt);
	return rc == 0 ? 0 : name_statement(s, n, err);
}

static int
exec(const struct db_open *o, const char *sql, struct err *err)
{
	const int code = sqlite3_exec(o->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : db_open_fail(o, code, sql, err);
}

static int
run_all(const struct db_open *o, const struct db_script *script,
    struct buf *rows, uint64_t *changes, struct err *err)
{
	if (script->write && exec(o, "PRAGMA foreign_keys = ON", err) != 0)
		return -1;
	if (exec(o, script->write ? "BEGIN IMMEDIATE" : "BEGIN", err) != 0)
		return -1;
	for (size_t i = 0; i < script->n_statements; i++)
		if (run_one(o, &script->statements[i], i, rows,
		    changes ? &changes[i] : NULL, err) != 0)
			return -1;
	/* Closing the connection rolls back what is not committed. */
	if (exec(o, "COMMIT", err) != 0)
		return -1;
	if (script->write)
		fault_point("db_script");
	return 0;
}

int
db_script_gather(const char *path, const struct db_script *script,
    struct buf *rows, uint64_t *changes, struct err *err)
{
	const uint64_t wait = script->wait_ms < DB_SCRIPT_WAIT_MAX_MS ?
	    script->wait_ms : DB_SCRIPT_WAIT_MAX_MS;
	struct db_open o = { .path = path, .wait_ms = wait };
	int rc = -1;

	if (script->n_statements > DB_SCRIPT_MAX)
		return err_set(err, ERR_USAGE, "%s: %zu statements are more "
		    "than %d", path, script->n_statements, DB_SCRIPT_MAX);
	if (db_open_found(path, err) == 0 &&
	    db_open(&o, script->write ? SQLITE_OPEN_READWRITE :
	    SQLITE_OPEN_READONLY, err) == 0)
		rc = run_all(&o, script, rows, changes, err);
	db_open_end(&o);
	return rc == 0 ? 0 : err_ctx(err, "%s", path);
}

int
db_script_give(const struct buf *rows, const struct db_script *script,
    db_row *each, void *ctx, struct err *err)
{
	const char **columns = mem_zero(COLUMNS_MAX, sizeof(*columns));
	struct wire_reader r;
	int rc = 0;

	wire_reader_init(&r, buf_cstr(rows), rows->len);
	while (rc == 0 && r.left > 0 && !r.bad) {
		const uint32_t statement = wire_get_u32(&r);
		const uint32_t n = wire_get_u32(&r);

		if (n > COLUMNS_MAX || statement >= script->n_statements)
			r.bad = true;
		for (uint32_t i = 0; i < n && !r.bad; i++)
			columns[i] = get_text(&r);
		if (!r.bad && each)
			rc = each(ctx, statement, columns, n, err);
	}
	free(columns);
	return rc == 0 ? wire_check(&r, "rows", err) : rc;
}

int
db_script_run(const char *path, const struct db_script *script, db_row *each,
    void *ctx, uint64_t *changes, struct err *err)
{
	struct buf rows = BUF_INIT(ROWS_MAX);
	int rc;

	rc = db_script_gather(path, script, &rows, changes, err);
	if (rc == 0)
		rc = db_script_give(&rows, script, each, ctx, err);
	buf_wipe(&rows);
	return rc;
}

void
db_script_put(struct buf *b, const struct db_script *script)
{
	wire_put_u8(b, script->write);
	wire_put_u64(b, script->wait_ms);
	wire_put_u32(b, (uint32_t)script->n_statements);
	for (size_t i = 0; i < script->n_statements; i++) {
		const struct db_statement *s = &script->statements[i];

		put_text(b, s->sql, strlen(s->sql));
		wire_put_u32(b, (uint32_t)s->n_params);
		for (size_t k = 0; k < s->n_params; k++)
			put_text(b, s->params[k],
			    s->params[k] ? strlen(s->params[k]) : 0);
	}
}

static void
get_statement(struct wire_reader *r, struct db_statement *s)
{
	const uint32_t n = wire_get_u32(r);
	const char **params;

	/* A parameter takes one byte at least. */
	if (n > PARAMS_MAX || n > r->left) {
		r->bad = true;
		return;
	}
	params = mem_zero((size_t)n + 1, sizeof(*params));
	for (uint32_t i = 0; i < n; i++)
		params[i] = get_text(r);
	s->params = params;
	s->n_params = n;
}

int
db_script_get(const struct buf *b, struct db_script *script,
    struct err *err)
{
	struct db_statement *list;
	struct wire_reader r;
	uint32_t n;

	memset(script, 0, sizeof(*script));
	wire_reader_init(&r, buf_cstr(b), b->len);
	script->write = wire_get_u8(&r) != 0;
	script->wait_ms = wire_get_u64(&r);
	n = wire_get_u32(&r);
	/* A statement takes ten bytes at least. */
	if (n > DB_SCRIPT_MAX || n > r.left / 10) {
		r.bad = true;
		n = 0;
	}
	list = mem_zero((size_t)n + 1, sizeof(*list));
	script->statements = list;
	script->n_statements = n;
	for (uint32_t i = 0; i < n && !r.bad; i++) {
		list[i].sql = get_text(&r);
		if (!list[i].sql)
			r.bad = true;
		else
			get_statement(&r, &list[i]);
	}
	if (wire_check(&r, "script", err) == 0)
		return 0;
	db_script_free(script);
	return -1;
}

void
db_script_free(struct db_script *script)
{
	for (size_t i = 0; i < script->n_statements; i++)
		free((void *)(uintptr_t)script->statements[i].params);
	free((void *)(uintptr_t)script->statements);
	memset(script, 0, sizeof(*script));
}
