#ifndef IO_DB_SCRIPT_H
#define IO_DB_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * SQL on another program's SQLite file, in one transaction: all or nothing.
 * The statements are the caller's constants; what varies goes in parameters.
 *
 *     const char *const id[] = { "17" };
 *     const struct db_statement one = {
 *             .sql = "UPDATE queue SET status = 'held' WHERE id = ?1",
 *             .params = id, .n_params = 1 };
 *     const struct db_script script = { .statements = &one,
 *             .n_statements = 1, .write = true, .wait_ms = 5000 };
 *
 * Each parameter is bound as text: a column's affinity makes it a number
 * where the column is one ("WHERE id = ?1" with an INTEGER id does), and an
 * expression has to CAST.
 */

#define DB_SCRIPT_MAX 100000		/* statements */
#define DB_SCRIPT_WAIT_MAX_MS 60000

struct db_statement {
	const char *sql;		/* one statement */
	const char *const *params;	/* for ?1, ?2, ...; NULL is NULL */
	size_t n_params;
};

struct db_script {
	const struct db_statement *statements;
	size_t n_statements;
	/*
	 * BEGIN IMMEDIATE with foreign_keys = ON, and COMMIT.  Without, the
	 * file is opened read-only and all statements see one state of it.
	 */
	bool write;
	uint64_t wait_ms;	/* for the lock of another program */
};

/* A row of statement number `statement`: columns as text, NULL for NULL. */
typedef int db_row(void *ctx, size_t statement, const char *const *columns,
    size_t n, struct err *);

/*
 * Run them.  Rows are gathered, 64 MiB of them in all (more is ERR_DATA, and
 * nothing was changed), and given to each (which may be NULL) after the end
 * of the transaction: what each fails with is the result, and undoes nothing.
 * So each may take its time and use the same host.
 *
 * changes (NULL, or n_statements of them): rows that each statement changed,
 * not counting those of triggers and foreign keys.
 *
 * A file is never made.  A journal that a killed writer left is rolled back
 * by a script that writes, as by every writer; one that reads refuses it.
 *
 * Fails with ERR_MISSING: no such file; ERR_AGAIN: locked for wait_ms (the
 * message names the processes that hold the file open); ERR_DATA: not a
 * database, a statement that fails, a broken constraint, text with a NUL in
 * it.  The message has the statement's number and beginning, and of no
 * parameter or column the value.
 */
int db_script_run(const char *path, const struct db_script *, db_row *each,
    void *ctx, uint64_t *changes, struct err *) MUST_CHECK;

/*
 * The two halves of it, for io/host.c: rows is what the rows are gathered in
 * (with a maximum of 64 MiB), as a host sends them.  give fails with ERR_DATA
 * when they are malformed.
 */
int db_script_gather(const char *path, const struct db_script *,
    struct buf *rows, uint64_t *changes, struct err *) MUST_CHECK;
int db_script_give(const struct buf *rows, const struct db_script *,
    db_row *each, void *ctx, struct err *) MUST_CHECK;

/*
 * The statements as bytes, and back; get gives an array that db_script_free
 * takes and that points into the bytes.
 */
void db_script_put(struct buf *, const struct db_script *);
int db_script_get(const struct buf *, struct db_script *, struct err *)
    MUST_CHECK;
void db_script_free(struct db_script *);

#endif /* !IO_DB_SCRIPT_H */
