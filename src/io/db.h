#ifndef IO_DB_H
#define IO_DB_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/*
 * Another program's SQLite file (Broca's sanctum.db), read while that program
 * writes.  The journal has a module of its own.
 */

#define DB_TABLES_MAX 64

struct db_table {
	char name[64];
	uint64_t rows;
};

/* What a checked database holds. */
struct db_report {
	uint64_t size_bytes;		/* of the copy; of path for db_check */
	char journal_mode[16];		/* of the source: "delete", "wal" */
	size_t n_tables;
	struct db_table tables[DB_TABLES_MAX];	/* sorted by name */
};

/*
 * Copy source to target as of one instant, with the backup API in one step
 * (a backup in many steps starts again at each outside write and ends only
 * when the writer does; cp was seen to be malformed: SQLite 3.40.1 under 300
 * commits a second).  Waits up to 30 s for a lock; the failure names the
 * processes that hold the file open.
 *
 * target must not exist; it is made 0600, without WAL, checked
 * (integrity_check, foreign_key_check, not empty), fsync'd and only then has
 * its name.  It belongs to whoever runs us.
 *
 * The source is opened read-only and no byte of it is changed.  Beside a
 * source in WAL mode SQLite may make SOURCE-shm and an empty SOURCE-wal, with
 * the owner and permissions of the source, as every reader does.  A journal
 * that a killed writer left (SOURCE-journal) is rolled back by the next
 * writer, not by us: that is an error here, and so says.
 *
 * In rollback-journal mode the writer waits while pages are copied; in WAL
 * mode it does not.
 *
 * Fails with ERR_MISSING: no source; ERR_DATA: not a database, empty,
 * corrupt, a foreign key without its row (names table and rowid), more than
 * DB_TABLES_MAX tables; ERR_AGAIN: locked all the time; ERR_INTERRUPTED.
 * Nothing is left at target then.
 */
int db_snapshot(const char *source, const char *target, struct db_report *,
    struct err *) MUST_CHECK;

/*
 * integrity_check, foreign_key_check and counts of a database at rest.  Fails
 * as db_snapshot does.
 */
int db_check(const char *path, struct db_report *, struct err *) MUST_CHECK;

#endif /* !IO_DB_H */
