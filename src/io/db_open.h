#ifndef IO_DB_OPEN_H
#define IO_DB_OPEN_H

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/attr.h"

struct err;

/*
 * A connection to another program's SQLite file: what db, db_script and
 * db_pages share.  Its schema is not trusted, and none of its triggers runs:
 * what a statement says is all that it changes.  It waits wait_ms for a lock
 * at a time, and a stop signal ends any wait and any statement.
 *
 *     struct db_open o = { .path = path, .wait_ms = 30000 };
 *
 *     if (db_open(&o, SQLITE_OPEN_READONLY, &err) != 0) ...
 *     db_open_end(&o);
 */
struct db_open {
	const char *path;	/* not owned */
	uint64_t wait_ms;
	uint64_t deadline_ms;	/* of the wait under way */
	sqlite3 *db;
};

/*
 * db_open_found says first that a file is missing (ERR_MISSING), empty or no
 * file (ERR_DATA); SQLite itself would make one.  A symlink to it is as good.
 */
int db_open_found(const char *path, struct err *) MUST_CHECK;
int db_open(struct db_open *, int flags, struct err *) MUST_CHECK;
void db_open_end(struct db_open *);

/* Begin a new wait of wait_ms. */
void db_open_wait(struct db_open *);

/*
 * Fill err from what the connection, or code alone when there is none, says
 * of `what`.  Locked is ERR_AGAIN and names who holds the file open; a hot
 * journal that may not be rolled back read-only is ERR_DATA and says so.
 * Returns -1.
 */
int db_open_fail(const struct db_open *, int code, const char *what,
    struct err *);

/* The first column of the first row, "" when there is none. */
int db_open_text(const struct db_open *, const char *sql, char *out,
    size_t size, struct err *) MUST_CHECK;

#endif /* !IO_DB_OPEN_H */
