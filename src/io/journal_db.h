#ifndef IO_JOURNAL_DB_H
#define IO_JOURNAL_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct sqlite3;
struct sqlite3_stmt;

/*
 * The SQLite side of a journal: how its file is made and recognised, its
 * schema, its statements.  Private to journal.c and journal_rows.c; callers
 * of the journal see io/journal.h.
 *
 * Every statement but those of a walk is prepared once, at its first use, and
 * kept.  The usual way through is
 *
 *     journal_db_bind(j, JOURNAL_SQL_META_GET, texts, 1, &st, err)
 *     journal_db_step(j, st, err)          1 a row, 0 the end, -1
 *     (void)sqlite3_reset(st)              ends its read transaction
 *
 * and journal_db_write, journal_db_text do all of it.  Failures read
 * "journal PATH: cause"; callers put in front what they wanted.
 */

/* Longest text or row; also what is refused when a row is read back. */
#define JOURNAL_TEXT_MAX (64 * 1024 * 1024)

enum journal_sql {
	JOURNAL_SQL_BEGIN,
	JOURNAL_SQL_COMMIT,
	JOURNAL_SQL_ROLLBACK,
	JOURNAL_SQL_META_PUT,
	JOURNAL_SQL_META_GET,
	JOURNAL_SQL_STEP_BEGIN,
	JOURNAL_SQL_STEP_END,
	JOURNAL_SQL_STEP_STATE,
	JOURNAL_SQL_ID_PUT,
	JOURNAL_SQL_ID_GET,
	JOURNAL_SQL_SCOPE_MAKE,
	JOURNAL_SQL_SCOPE_FIND,
	JOURNAL_SQL_ROW_ADD,
	JOURNAL_SQL_ROW_GET,
	JOURNAL_SQL_ROW_SET,
	JOURNAL_SQL_FRONT,
	JOURNAL_SQL_NEXT,
	JOURNAL_SQL_COUNT,
	JOURNAL_SQL_CURSOR_PUT,
	JOURNAL_SQL_CURSOR_GET,
	JOURNAL_SQL_DROP_ROWS,
	JOURNAL_SQL_DROP_CURSOR,
	JOURNAL_SQL_DROP_SCOPE,
	JOURNAL_SQL_N
};

struct journal {
	struct sqlite3 *db;
	char *path;		/* as it was given, for messages */
	int lock_fd;		/* -1 for a reader */
	bool in_page;		/* between page_begin and its end */
	bool in_front;		/* of a page before all others */
	int64_t front;		/* seq of its next row */
	char *scope;		/* whose id is scope_id, or NULL */
	int64_t scope_id;
	int64_t next;		/* seq of the scope's next row at its end */
	bool counted;		/* rows is how many the scope has */
	uint64_t rows;
	struct sqlite3_stmt *stmts[JOURNAL_SQL_N];	/* NULL: not used yet */
};

/*
 * Open j->db on j->path and check that it is a journal that we can read.  A
 * writer makes the file (0600 from the first byte) and its tables when there
 * are none, and must hold the lock.
 */
int journal_db_open(struct journal *, bool writer, struct err *) MUST_CHECK;
void journal_db_close(struct journal *);

/* Fill err from what SQLite said last about j->db.  Returns -1. */
int journal_db_fail(struct journal *, struct err *);

/* Prepare a statement that the caller finalizes. */
int journal_db_prepare(struct journal *, const char *sql,
    struct sqlite3_stmt **out, struct err *) MUST_CHECK;

/* A kept statement with its parameters 1 to n set to texts (not copied). */
int journal_db_bind(struct journal *, enum journal_sql,
    const char *const *texts, int n, struct sqlite3_stmt **out, struct err *)
    MUST_CHECK;
int journal_db_step(struct journal *, struct sqlite3_stmt *, struct err *)
    MUST_CHECK;

/* Run a statement that gives no rows. */
int journal_db_write(struct journal *, enum journal_sql,
    const char *const *texts, int n, struct err *) MUST_CHECK;

/* First column of the first row, which the caller frees; NULL: no row. */
int journal_db_text(struct journal *, enum journal_sql,
    const char *const *texts, int n, char **out, struct err *) MUST_CHECK;

/* A copy of one column of the current row, as a C string. */
char *journal_db_column(struct sqlite3_stmt *, int column);

#endif /* !IO_JOURNAL_DB_H */
