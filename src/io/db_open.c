#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "io/db_open.h"
#include "io/fs.h"
#include "io/procs.h"

#define BUSY_TURN_MS 10
#define PROGRESS_STEPS 100000	/* of SQLite's machine, between two looks */
#define HOLDERS_MAX 400

static int
fail_locked(const struct db_open *o, const char *what, const char *why,
    struct err *err)
{
	struct buf holders = BUF_INIT(HOLDERS_MAX);

	if (o->path)
		procs_holders(o->path, &holders);
	(void)err_set(err, ERR_AGAIN, "%s: another program held its lock for "
	    "%.4g s%s (%s)", what, (double)o->wait_ms / 1000,
	    buf_cstr(&holders), why);
	buf_clear(&holders);
	return -1;
}

/* Whether code is what a read-only look at a hot journal gives. */
static bool
hot_journal(const struct db_open *o, int code, struct err *err)
{
	char *journal;
	bool hot;

	if (!o->path || (code != SQLITE_READONLY_ROLLBACK &&
	    (code & 0xff) != SQLITE_CANTOPEN &&
	    (code & 0xff) != SQLITE_READONLY))
		return false;
	journal = mem_printf("%s-journal", o->path);
	hot = access(journal, F_OK) == 0;
	if (hot)
		(void)err_set(err, ERR_DATA, "a write was cut short there: "
		    "%s is left of it; start and stop the program that "
		    "writes this database once, and it is rolled back",
		    journal);
	free(journal);
	return hot;
}

int
db_open_fail(const struct db_open *o, int code, const char *what,
    struct err *err)
{
	/* A checkpoint says in a row that it was busy, not as a failure. */
	const char *why = o->db && sqlite3_extended_errcode(o->db) == code ?
	    sqlite3_errmsg(o->db) : sqlite3_errstr(code);
	enum err_kind kind = ERR_FAILED;

	if (stop_asked())
		return stop_check(err);
	if (hot_journal(o, code, err))
		return -1;
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return fail_locked(o, what, why, err);
	case SQLITE_NOTADB:
		return err_set(err, ERR_DATA, "%s: not an SQLite database, "
		    "or an encrypted one", what);
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
	case SQLITE_ERROR:
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		kind = ERR_DATA;
		break;
	default:
		break;
	}
	return err_set(err, kind, "%s: %s (SQLite code %d)", what, why, code);
}

/* The busy handler.  0 gives up. */
static int
on_busy(void *ctx, int count)
{
	const struct db_open *o = ctx;

	(void)count;
	if (stop_asked() || clock_left_ms(o->deadline_ms) == 0)
		return 0;
	clock_sleep_ms(BUSY_TURN_MS);
	return 1;
}

static int
on_progress(void *ctx)
{
	(void)ctx;
	return stop_asked() ? 1 : 0;
}

int
db_open_found(const char *path, struct err *err)
{
	struct fs_meta meta;

	if (fs_stat(path, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return err_set(err, ERR_MISSING, "no such file");
	if (meta.type != FS_FILE && meta.type != FS_SYMLINK)
		return err_set(err, ERR_DATA, "not a regular file");
	if (meta.type == FS_FILE && meta.size_bytes == 0)
		return err_set(err, ERR_DATA, "empty: 0 bytes");
	return 0;
}

int
db_open(struct db_open *o, int flags, struct err *err)
{
	int code;

	code = sqlite3_open_v2(o->path, &o->db,
	    flags | SQLITE_OPEN_EXRESCODE, NULL);
	if (code != SQLITE_OK)
		return db_open_fail(o, code, "open", err);
	db_open_wait(o);
	(void)sqlite3_busy_handler(o->db, on_busy, o);
	sqlite3_progress_handler(o->db, PROGRESS_STEPS, on_progress, NULL);
	(void)sqlite3_db_config(o->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
	    (int *)NULL);
	(void)sqlite3_db_config(o->db, SQLITE_DBCONFIG_DEFENSIVE, 1,
	    (int *)NULL);
	(void)sqlite3_db_config(o->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0,
	    (int *)NULL);
	return 0;
}

void
db_open_end(struct db_open *o)
{
	(void)sqlite3_close(o->db);
	o->db = NULL;
}

void
db_open_wait(struct db_open *o)
{
	o->deadline_ms = clock_ms() + o->wait_ms;
}

int
db_open_text(const struct db_open *o, const char *sql, char *out, size_t size,
    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *text = NULL;
	int code;

	*out = '\0';
	code = sqlite3_prepare_v2(o->db, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		text = sqlite3_column_text(stmt, 0);
		(void)snprintf(out, size, "%s",
		    text ? (const char *)text : "");
	} else if (code != SQLITE_DONE) {
		(void)db_open_fail(o, code, sql, err);
		(void)sqlite3_finalize(stmt);
		return -1;
	}
	(void)sqlite3_finalize(stmt);
	return 0;
}
