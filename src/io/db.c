#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/db.h"
#include "io/fs.h"

#define BUSY_MS 30000
#define BUSY_TURN_MS 10
#define PROGRESS_STEPS 100000	/* of SQLite's machine, between two looks */

/* Fill err from what connection db (or code alone) says.  Returns -1. */
static int
fail(struct err *err, sqlite3 *db, int code, const char *what)
{
	const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
	enum err_kind kind = ERR_FAILED;

	if (stop_asked())
		return stop_check(err);
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_AGAIN, "%s: another program held its "
		    "lock for %d s (%s)", what, BUSY_MS / 1000, why);
	case SQLITE_NOTADB:
		return err_set(err, ERR_DATA, "%s: not an SQLite database, "
		    "or an encrypted one", what);
	case SQLITE_CORRUPT:
	case SQLITE_FORMAT:
	case SQLITE_ERROR:
	case SQLITE_TOOBIG:
		kind = ERR_DATA;
		break;
	default:
		break;
	}
	return err_set(err, kind, "%s: %s (SQLite code %d)", what, why, code);
}

/* The busy handler: ctx is the deadline.  0 gives up. */
static int
on_busy(void *ctx, int count)
{
	const uint64_t *deadline = ctx;

	(void)count;
	if (stop_asked() || clock_left_ms(*deadline) == 0)
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

/* Open path, whose schema is not trusted. */
static int
open_db(const char *path, int flags, uint64_t *deadline, sqlite3 **out,
    struct err *err)
{
	int code;

	*deadline = clock_ms() + BUSY_MS;
	code = sqlite3_open_v2(path, out, flags | SQLITE_OPEN_EXRESCODE,
	    NULL);
	if (code != SQLITE_OK)
		return fail(err, *out, code, "open");
	(void)sqlite3_busy_handler(*out, on_busy, deadline);
	sqlite3_progress_handler(*out, PROGRESS_STEPS, on_progress, NULL);
	(void)sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
	    (int *)NULL);
	(void)sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1,
	    (int *)NULL);
	return 0;
}

/* The first column of the first row, "" when there is none. */
static int
get_text(sqlite3 *db, const char *sql, char *out, size_t size,
    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *text = NULL;
	int code;

	*out = '\0';
	code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		text = sqlite3_column_text(stmt, 0);
		(void)snprintf(out, size, "%s",
		    text ? (const char *)text : "");
	} else if (code != SQLITE_DONE) {
		(void)fail(err, db, code, sql);
		(void)sqlite3_finalize(stmt);
		return -1;
	}
	(void)sqlite3_finalize(stmt);
	return 0;
}

/* Why a read-only look at path failed, where a hot journal is the cause. */
static void
explain_journal(const char *path, int code, struct err *err)
{
	char *journal = mem_printf("%s-journal", path);

	if ((code == SQLITE_READONLY_ROLLBACK ||
	    (code & 0xff) == SQLITE_CANTOPEN ||
	    (code & 0xff) == SQLITE_READONLY) && access(journal, F_OK) == 0)
		(void)err_set(err, ERR_DATA, "a write was cut short there: "
		    "%s is left of it; start and stop the program that "
		    "writes this database once, and it is rolled back",
		    journal);
	free(journal);
}

/*
 * Open an existing database to read, take a first look and learn its journal
 * mode.  The look is what meets a hot journal, a lock or another format.
 */
static int
open_source(const char *path, uint64_t *deadline, sqlite3 **out,
    struct db_report *report, struct err *err)
{
	struct fs_meta meta;
	char count[32];

	memset(report, 0, sizeof(*report));
	/* A symlink to the file is as good as the file: SQLite follows it. */
	if (fs_stat(path, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return err_set(err, ERR_MISSING, "no such file");
	if (meta.type != FS_FILE && meta.type != FS_SYMLINK)
		return err_set(err, ERR_DATA, "not a regular file");
	if (meta.type == FS_FILE && meta.size_bytes == 0)
		return err_set(err, ERR_DATA, "empty: 0 bytes");
	if (open_db(path, SQLITE_OPEN_READONLY, deadline, out, err) != 0)
		return -1;
	if (get_text(*out, "SELECT count(*) FROM sqlite_schema", count,
	    sizeof(count), err) != 0) {
		explain_journal(path, sqlite3_extended_errcode(*out), err);
		return -1;
	}
	return get_text(*out, "PRAGMA journal_mode", report->journal_mode,
	    sizeof(report->journal_mode), err);
}

static int
check_integrity(sqlite3 *db, struct err *err)
{
	char said[256];
	struct buf clean = BUF_INIT(4 * sizeof(said));

	if (get_text(db, "PRAGMA integrity_check(1)", said, sizeof(said),
	    err) != 0)
		return -1;
	if (str_eq(said, "ok"))
		return 0;
	str_printable(&clean, said, strlen(said));
	(void)err_set(err, ERR_DATA, "damaged: integrity_check says %s",
	    buf_cstr(&clean));
	buf_clear(&clean);
	return -1;
}

static int
check_foreign_keys(sqlite3 *db, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *table, *parent;
	char first[256] = "";
	uint64_t n = 0;
	struct buf clean = BUF_INIT(4 * sizeof(first));
	int code;

	code = sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &stmt,
	    NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW || n++ > 0)
			continue;
		table = sqlite3_column_text(stmt, 0);
		parent = sqlite3_column_text(stmt, 2);
		(void)snprintf(first, sizeof(first), "table %s, row %lld: "
		    "the row of %s that it refers to is not there",
		    table ? (const char *)table : "?",
		    (long long)sqlite3_column_int64(stmt, 1),
		    parent ? (const char *)parent : "?");
	}
	if (code != SQLITE_DONE)
		(void)fail(err, db, code, "foreign_key_check");
	(void)sqlite3_finalize(stmt);
	if (code != SQLITE_DONE)
		return -1;
	if (n == 0)
		return 0;
	str_printable(&clean, first, strlen(first));
	(void)err_set(err, ERR_DATA, "broken foreign keys (%" PRIu64 "): %s",
	    n, buf_cstr(&clean));
	buf_clear(&clean);
	return -1;
}

static int
count_rows(sqlite3 *db, struct db_table *table, struct err *err)
{
	char text[32] = "";
	char *sql;
	int rc;

	sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table->name);
	if (!sql)
		return err_set(err, ERR_FAILED, "out of memory");
	rc = get_text(db, sql, text, sizeof(text), err);
	sqlite3_free(sql);
	if (rc == 0 && !str_u64(text, INT64_MAX, &table->rows))
		rc = err_set(err, ERR_DATA, "table %s: no row count",
		    table->name);
	return rc;
}

/* Names of the tables that are not SQLite's own, sorted by bytes. */
static int
list_tables(sqlite3 *db, struct db_report *report, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *name;
	int code, len;

	code = sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE "
	    "type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' "
	    "ORDER BY name COLLATE BINARY", -1, &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			continue;
		name = sqlite3_column_text(stmt, 0);
		len = sqlite3_column_bytes(stmt, 0);
		if (report->n_tables == DB_TABLES_MAX || !name ||
		    (size_t)len >= sizeof(report->tables[0].name) ||
		    strlen((const char *)name) != (size_t)len)
			break;
		memcpy(report->tables[report->n_tables++].name, name,
		    (size_t)len + 1);
	}
	if (code == SQLITE_ROW)
		(void)err_set(err, ERR_DATA, "more than %d tables, or the "
		    "name of one is longer than %zu bytes", DB_TABLES_MAX,
		    sizeof(report->tables[0].name) - 1);
	else if (code != SQLITE_DONE)
		(void)fail(err, db, code, "list tables");
	(void)sqlite3_finalize(stmt);
	if (code != SQLITE_DONE)
		return -1;
	if (report->n_tables == 0)
		return err_set(err, ERR_DATA, "empty: it has no table");
	return 0;
}

static int
check_all(sqlite3 *db, struct db_report *report, struct err *err)
{
	if (check_integrity(db, err) != 0 ||
	    check_foreign_keys(db, err) != 0 ||
	    list_tables(db, report, err) != 0)
		return -1;
	for (size_t i = 0; i < report->n_tables; i++)
		if (count_rows(db, &report->tables[i], err) != 0)
			return -1;
	return 0;
}

/* All pages of from, as of one instant, into the new and empty to. */
static int
copy_pages(sqlite3 *from, sqlite3 *to, const char *temp, struct err *err)
{
	sqlite3_backup *copy;
	int code;

	copy = sqlite3_backup_init(to, "main", from, "main");
	if (!copy)
		return fail(err, to, sqlite3_extended_errcode(to),
		    "begin the copy");
	code = sqlite3_backup_step(copy, -1);
	(void)sqlite3_backup_finish(copy);
	if (code == SQLITE_DONE)
		return 0;
	if (code == SQLITE_FULL) {
		errno = ENOSPC;
		return fs_fail(err, "write", temp);
	}
	return fail(err, NULL, code, "copy its pages");
}

/* Fill temp, which is there and empty, and check it. */
static int
fill(sqlite3 *from, const char *temp, struct db_report *report,
    struct err *err)
{
	uint64_t deadline;
	sqlite3 *to = NULL;
	char mode[16];
	int code, rc = -1;

	if (open_db(temp, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW,
	    &deadline, &to, err) != 0)
		goto out;
	/* No other program knows the name yet; it is fsync'd once, later. */
	if (get_text(to, "PRAGMA synchronous = OFF", mode, sizeof(mode),
	    err) != 0 || copy_pages(from, to, temp, err) != 0)
		goto out;

	/* Page 1 of a source in WAL mode says so in the copy, too. */
	if (get_text(to, "PRAGMA journal_mode = DELETE", mode, sizeof(mode),
	    err) != 0)
		goto out;
	if (!str_eq(mode, "delete")) {
		(void)err_set(err, ERR_FAILED, "the copy stays in journal "
		    "mode %s", mode);
		goto out;
	}
	rc = check_all(to, report, err);
out:
	code = sqlite3_close(to);
	if (rc == 0 && code != SQLITE_OK)
		rc = fail(err, NULL, code, "close the copy");
	return rc;
}

/* A new empty file of ours beside target; its full path, or NULL. */
static char *
make_temp(const char *target, struct err *err)
{
	char name[FS_TEMP_SIZE];
	const char *slash = strrchr(target, '/');
	char *dir, *real, *temp;
	int fd;

	if (fs_temp_name(name, err) != 0)
		return NULL;
	dir = slash ? mem_strndup(target, (size_t)(slash - target) + 1) :
	    mem_strdup(".");
	/* SQLITE_OPEN_NOFOLLOW minds a symlink anywhere in the path. */
	real = realpath(dir, NULL);
	if (!real) {
		(void)fs_fail(err, "open", dir);
		free(dir);
		return NULL;
	}
	temp = mem_printf("%s/%s", real, name);
	free(real);
	free(dir);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd >= 0 && fchmod(fd, 0600) == 0) {
		(void)close(fd);
		return temp;
	}
	(void)fs_fail(err, "make a temporary file", target);
	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(temp);
	}
	free(temp);
	return NULL;
}

static void
remove_temp(const char *temp)
{
	static const char *const ends[] = { "", "-journal", "-wal", "-shm" };
	char *path;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		path = mem_printf("%s%s", temp, ends[i]);
		(void)unlink(path);
		free(path);
	}
}

/* Make temp durable, learn its size, give it its name. */
static int
publish(const char *temp, const char *target, struct db_report *report,
    struct err *err)
{
	struct stat st;
	int fd, rc = -1;

	fd = open(temp, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", temp);
	if (fsync(fd) != 0 || fstat(fd, &st) != 0) {
		(void)fs_fail(err, "fsync", temp);
		goto out;
	}
	report->size_bytes = (uint64_t)st.st_size;
	if (fs_rename(temp, target, 0, err) != 0)
		goto out;
	fault_point("db_snapshot");
	rc = 0;
out:
	(void)close(fd);
	return rc;
}

int
db_snapshot(const char *source, const char *target, struct db_report *report,
    struct err *err)
{
	struct fs_meta meta;
	sqlite3 *from = NULL;
	uint64_t deadline;
	char *temp = NULL;
	int rc = -1;

	if (fs_stat(target, &meta, err) != 0)
		return -1;
	if (meta.type != FS_NONE)
		return err_set(err, ERR_FAILED,
		    "%s: something is there already", target);
	if (open_source(source, &deadline, &from, report, err) != 0)
		goto out;
	temp = make_temp(target, err);
	if (!temp)
		goto out;
	if (fill(from, temp, report, err) != 0 ||
	    publish(temp, target, report, err) != 0) {
		remove_temp(temp);
		goto out;
	}
	rc = 0;
out:
	(void)sqlite3_close(from);
	free(temp);
	return rc == 0 ? 0 : err_ctx(err, "%s", source);
}

int
db_check(const char *path, struct db_report *report, struct err *err)
{
	sqlite3 *db = NULL;
	uint64_t deadline;
	struct stat st;
	int rc = -1;

	if (open_source(path, &deadline, &db, report, err) != 0 ||
	    check_all(db, report, err) != 0)
		goto out;

	/* stat, not open and close: that would drop SQLite's locks. */
	if (stat(path, &st) != 0) {
		(void)err_sys(err, ERR_FAILED, "stat");
		goto out;
	}
	report->size_bytes = (uint64_t)st.st_size;
	rc = 0;
out:
	(void)sqlite3_close(db);
	return rc == 0 ? 0 : err_ctx(err, "%s", path);
}
