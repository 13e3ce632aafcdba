#include "base/base.h"

#include <sqlite3.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/journal.h"
#include "io/journal_db.h"

/*
 * Rows that a page before all others may have: what is left of it stays a gap
 * between the numbers.
 */
#define FRONT_ROOM (1 << 20)

struct journal_rows {
	struct journal *journal;
	sqlite3_stmt *st;
	bool ended;	/* one more step would walk it again */
};

static void
forget_scope(struct journal *j)
{
	free(j->scope);
	j->scope = NULL;
}

int
journal_page_begin(struct journal *j, struct err *err)
{
	if (j->in_page)
		return err_set(err, ERR_FAILED, "begin a page: journal %s: "
		    "one is open already", j->path);
	if (journal_db_write(j, JOURNAL_SQL_BEGIN, NULL, 0, err) != 0)
		return err_ctx(err, "begin a page");
	j->in_page = true;
	return 0;
}

int
journal_page_begin_front(struct journal *j, const char *scope,
    struct err *err)
{
	sqlite3_stmt *st;
	int rc;

	if (journal_page_begin(j, err) != 0)
		return -1;
	rc = journal_db_bind(j, JOURNAL_SQL_FRONT, &scope, 1, &st, err);
	if (rc == 0) {
		rc = journal_db_step(j, st, err);
		j->front = rc > 0 ? sqlite3_column_int64(st, 0) -
		    FRONT_ROOM : 0;
		(void)sqlite3_reset(st);
	}
	if (rc < 0) {
		journal_page_abort(j);
		return err_ctx(err, "begin a page before %s", scope);
	}
	j->in_front = true;
	return 0;
}

/*
 * A full disk or a read error makes SQLite roll the whole page back at once.
 * What came after it would then be committed alone, row by row.
 */
static int
check_page(struct journal *j, struct err *err)
{
	if (!j->in_page)
		return err_set(err, ERR_FAILED, "journal %s: no page is open",
		    j->path);
	if (sqlite3_get_autocommit(j->db))
		return err_set(err, ERR_FAILED, "journal %s: the page was "
		    "given up after a failure", j->path);
	return 0;
}

/* The number in the first row that a kept statement gives for a scope. */
static int
ask_number(struct journal *j, enum journal_sql which, const char *scope,
    int64_t *out, struct err *err)
{
	sqlite3_stmt *st;
	int rc;

	if (journal_db_bind(j, which, &scope, 1, &st, err) != 0)
		return -1;
	rc = journal_db_step(j, st, err);
	if (rc > 0)
		*out = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	if (rc == 0)
		return err_set(err, ERR_DATA, "journal %s: scope was not "
		    "kept", j->path);
	return rc < 0 ? -1 : 0;
}

/*
 * The number of a scope, made when new, and of its next row.  The last scope
 * asked for is remembered: this process alone writes.
 */
static int
scope_id(struct journal *j, const char *scope, struct err *err)
{
	if (j->scope && str_eq(j->scope, scope))
		return 0;
	forget_scope(j);
	if (journal_db_write(j, JOURNAL_SQL_SCOPE_MAKE, &scope, 1, err) != 0 ||
	    ask_number(j, JOURNAL_SQL_SCOPE_FIND, scope, &j->scope_id,
	    err) != 0 ||
	    ask_number(j, JOURNAL_SQL_NEXT, scope, &j->next, err) != 0)
		return -1;
	j->scope = mem_strdup(scope);
	j->counted = false;
	return 0;
}

int
journal_row_add(struct journal *j, const char *scope, const char *id,
    const char *body, size_t len, bool *added, struct err *err)
{
	int64_t *seq = j->in_front ? &j->front : &j->next;
	sqlite3_stmt *st;
	int rc = -1;

	*added = false;
	if (check_page(j, err) != 0)
		goto out;
	if (len > JOURNAL_TEXT_MAX / 2) {
		(void)err_set(err, ERR_DATA, "journal %s: row is larger than "
		    "%d bytes", j->path, JOURNAL_TEXT_MAX / 2);
		goto out;
	}
	if (scope_id(j, scope, err) != 0 ||
	    journal_db_bind(j, JOURNAL_SQL_ROW_ADD, NULL, 0, &st, err) != 0)
		goto out;
	if (sqlite3_bind_int64(st, 1, j->scope_id) != SQLITE_OK ||
	    sqlite3_bind_int64(st, 2, *seq) != SQLITE_OK ||
	    sqlite3_bind_text(st, 3, id, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(st, 4, body, (int)len,
	    SQLITE_STATIC) != SQLITE_OK)
		rc = journal_db_fail(j, err);
	else
		rc = journal_db_step(j, st, err);
	(void)sqlite3_reset(st);
	if (rc == 0)
		*added = sqlite3_changes(j->db) > 0;
	*seq += *added;
	j->rows += *added;
out:
	return rc == 0 ? 0 : err_ctx(err, "stage row %s of %s", id, scope);
}

int
journal_row_get(struct journal *j, const char *scope, const char *id,
    char **body, struct err *err)
{
	const char *const texts[] = { scope, id };

	if (journal_db_text(j, JOURNAL_SQL_ROW_GET, texts, 2, body,
	    err) != 0)
		return err_ctx(err, "row %s of %s", id, scope);
	return 0;
}

int
journal_row_set(struct journal *j, const char *scope, const char *id,
    const char *body, size_t len, struct err *err)
{
	const char *const texts[] = { scope, id };
	sqlite3_stmt *st;
	int rc;

	rc = check_page(j, err);
	if (rc == 0)
		rc = journal_db_bind(j, JOURNAL_SQL_ROW_SET, texts, 2, &st,
		    err);
	if (rc == 0) {
		rc = sqlite3_bind_text(st, 3, body, (int)len,
		    SQLITE_STATIC) == SQLITE_OK ?
		    journal_db_step(j, st, err) : journal_db_fail(j, err);
		(void)sqlite3_reset(st);
	}
	if (rc == 0 && sqlite3_changes(j->db) == 0)
		rc = err_set(err, ERR_MISSING, "journal %s: no such row",
		    j->path);
	return rc == 0 ? 0 : err_ctx(err, "write row %s of %s", id, scope);
}

static int
put_cursor(struct journal *j, const char *scope, const char *cursor,
    bool ended, struct err *err)
{
	sqlite3_stmt *st;
	int rc;

	if (scope_id(j, scope, err) != 0 ||
	    journal_db_bind(j, JOURNAL_SQL_CURSOR_PUT, NULL, 0, &st, err) != 0)
		return -1;
	if (sqlite3_bind_int64(st, 1, j->scope_id) != SQLITE_OK ||
	    sqlite3_bind_text(st, 2, cursor, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int(st, 3, ended) != SQLITE_OK)
		rc = journal_db_fail(j, err);
	else
		rc = journal_db_step(j, st, err);
	(void)sqlite3_reset(st);
	return rc;
}

int
journal_page_commit(struct journal *j, const char *scope,
    const char *cursor, bool ended, struct err *err)
{
	if (check_page(j, err) != 0 ||
	    put_cursor(j, scope, cursor ? cursor : "", ended, err) != 0 ||
	    journal_db_write(j, JOURNAL_SQL_COMMIT, NULL, 0, err) != 0) {
		journal_page_abort(j);
		return err_ctx(err, "commit a page of %s", scope);
	}
	j->in_page = j->in_front = false;
	fault_point("journal_page");
	return 0;
}

void
journal_page_abort(struct journal *j)
{
	struct err ignored = ERR_INIT;

	if (!j->in_page)
		return;

	/* Failing leaves nothing: the transaction ends with the handle. */
	if (!sqlite3_get_autocommit(j->db) && journal_db_write(j,
	    JOURNAL_SQL_ROLLBACK, NULL, 0, &ignored) != 0)
		err_clear(&ignored);
	j->in_page = j->in_front = false;
	forget_scope(j);
}

int
journal_cursor(struct journal *j, const char *scope, char **cursor,
    bool *ended, struct err *err)
{
	sqlite3_stmt *st;
	int rc;

	*cursor = NULL;
	*ended = false;
	if (journal_db_bind(j, JOURNAL_SQL_CURSOR_GET, &scope, 1, &st,
	    err) != 0)
		return err_ctx(err, "read cursor of %s", scope);
	rc = journal_db_step(j, st, err);
	if (rc > 0) {
		*cursor = journal_db_column(st, 0);
		*ended = sqlite3_column_int(st, 1) != 0;
	}
	(void)sqlite3_reset(st);
	return rc < 0 ? err_ctx(err, "read cursor of %s", scope) : 0;
}

/* Counting is a walk, so what is added to a scope is counted on. */
int
journal_count(struct journal *j, const char *scope, uint64_t *rows,
    struct err *err)
{
	bool is_last = j->scope && str_eq(j->scope, scope);
	int64_t found = 0;

	if (is_last && j->counted) {
		*rows = j->rows;
		return 0;
	}
	*rows = 0;
	if (ask_number(j, JOURNAL_SQL_COUNT, scope, &found, err) != 0)
		return err_ctx(err, "count rows of %s", scope);
	*rows = (uint64_t)found;
	if (is_last) {
		j->counted = true;
		j->rows = *rows;
	}
	return 0;
}

int
journal_scope_drop(struct journal *j, const char *scope, struct err *err)
{
	static const enum journal_sql drops[] = {
		JOURNAL_SQL_DROP_ROWS, JOURNAL_SQL_DROP_CURSOR,
		JOURNAL_SQL_DROP_SCOPE, JOURNAL_SQL_COMMIT
	};
	int rc;
	size_t i;

	rc = journal_page_begin(j, err);
	for (i = 0; rc == 0 && i < sizeof(drops) / sizeof(drops[0]); i++)
		rc = journal_db_write(j, drops[i], &scope,
		    drops[i] != JOURNAL_SQL_COMMIT, err);
	if (rc != 0) {
		journal_page_abort(j);
		return err_ctx(err, "drop rows of %s", scope);
	}
	j->in_page = false;
	forget_scope(j);
	fault_point("journal_page");
	return 0;
}

int
journal_rows_open(struct journal *j, const char *scope, bool sorted,
    struct journal_rows **out, struct err *err)
{
	const char *sql = sorted ?
	    "SELECT seq, id, body FROM row WHERE scope ="
	    " (SELECT id FROM scope WHERE name = ?1) ORDER BY body, seq" :
	    "SELECT seq, id, body FROM row WHERE scope ="
	    " (SELECT id FROM scope WHERE name = ?1) ORDER BY seq";
	sqlite3_stmt *st = NULL;

	*out = NULL;
	if (journal_db_prepare(j, sql, &st, err) != 0)
		return err_ctx(err, "walk rows of %s", scope);
	if (sqlite3_bind_text(st, 1, scope, -1,
	    SQLITE_TRANSIENT) != SQLITE_OK) {
		(void)journal_db_fail(j, err);
		(void)sqlite3_finalize(st);
		return err_ctx(err, "walk rows of %s", scope);
	}
	*out = mem_zero(1, sizeof(**out));
	(*out)->journal = j;
	(*out)->st = st;
	return 0;
}

int
journal_rows_next(struct journal_rows *rows, struct journal_row *row,
    struct err *err)
{
	int rc;

	if (rows->ended)
		return 0;
	rc = journal_db_step(rows->journal, rows->st, err);
	if (rc < 0)
		return err_ctx(err, "walk rows");
	if (rc == 0) {
		rows->ended = true;
		return 0;
	}
	row->seq = sqlite3_column_int64(rows->st, 0);
	row->id = (const char *)sqlite3_column_text(rows->st, 1);
	row->body = (const char *)sqlite3_column_text(rows->st, 2);
	row->body_len = (size_t)sqlite3_column_bytes(rows->st, 2);
	if (!row->id || !row->body)
		return err_set(err, ERR_DATA, "walk rows: journal %s: a row "
		    "without id or body", rows->journal->path);
	return 1;
}

void
journal_rows_close(struct journal_rows *rows)
{
	if (!rows)
		return;
	(void)sqlite3_finalize(rows->st);
	free(rows);
}

int
journal_row_order(const struct journal_row *a, const struct journal_row *b)
{
	size_t len = a->body_len < b->body_len ? a->body_len : b->body_len;
	int order = memcmp(a->body, b->body, len);

	if (order != 0)
		return order;
	return (a->body_len > b->body_len) - (a->body_len < b->body_len);
}
