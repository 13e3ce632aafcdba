#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/db.h"
#include "io/db_open.h"
#include "io/fs.h"

#define BUSY_MS 30000

/*
 * Open an existing database to read, take a first look and learn its journal
 * mode.  The look is what meets a hot journal, a lock or another format.
 */
static int
open_source(struct db_open *o, struct db_report *report, struct err *err)
{
	char count[32];

	memset(report, 0, sizeof(*report));
	if (db_open_found(o->path, err) != 0 ||
	    db_open(o, SQLITE_OPEN_READONLY, err) != 0 ||
	    db_open_text(o, "SELECT count(*) FROM sqlite_schema", count,
	    sizeof(count), err) != 0)
		return -1;
	return db_open_text(o, "PRAGMA journal_mode", report->journal_mode,
	    sizeof(report->journal_mode), err);
}

static int
check_integrity(const struct db_open *o, struct err *err)
{
	char said[256];
	struct buf clean = BUF_INIT(4 * sizeof(said));

	if (db_open_text(o, "PRAGMA integrity_check(1)", said, sizeof(said),
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
check_foreign_keys(const struct db_open *o, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *table, *parent;
	char first[256] = "";
	uint64_t n = 0;
	struct buf clean = BUF_INIT(4 * sizeof(first));
	int code;

	code = sqlite3_prepare_v2(o->db, "PRAGMA foreign_key_check", -1, &stmt,
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
		(void)db_open_fail(o, code, "foreign_key_check", err);
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
count_rows(const struct db_open *o, struct db_table *table, struct err *err)
{
	char text[32] = "";
	char *sql;
	int rc;

	sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", table->name);
	if (!sql)
		return err_set(err, ERR_FAILED, "out of memory");
	rc = db_open_text(o, sql, text, sizeof(text), err);
	sqlite3_free(sql);
	if (rc == 0 && !str_u64(text, INT64_MAX, &table->rows))
		rc = err_set(err, ERR_DATA, "table %s: no row count",
		    table->name);
	return rc;
}

/* Names of the tables that are not SQLite's own, sorted by bytes. */
static int
list_tables(const struct db_open *o, struct db_report *report, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *name;
	int code, len;

	/* A virtual one needs its module; what it keeps is in tables, too. */
	code = sqlite3_prepare_v2(o->db, "SELECT name FROM sqlite_schema WHERE "
	    "type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND "
	    "rootpage > 0 "
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
		(void)db_open_fail(o, code, "list tables", err);
	(void)sqlite3_finalize(stmt);
	if (code != SQLITE_DONE)
		return -1;
	if (report->n_tables == 0)
		return err_set(err, ERR_DATA, "empty: it has no table");
	return 0;
}

static int
check_all(const struct db_open *o, struct db_report *report, struct err *err)
{
	if (check_integrity(o, err) != 0 ||
	    check_foreign_keys(o, err) != 0 ||
	    list_tables(o, report, err) != 0)
		return -1;
	for (size_t i = 0; i < report->n_tables; i++)
		if (count_rows(o, &report->tables[i], err) != 0)
			return -1;
	return 0;
}

/* All pages of from, as of one instant, into the new and empty to. */
static int
copy_pages(const struct db_open *from, const struct db_open *to,
    struct err *err)
{
	sqlite3_backup *copy;
	int code;

	copy = sqlite3_backup_init(to->db, "main", from->db, "main");
	if (!copy)
		return db_open_fail(to, sqlite3_extended_errcode(to->db),
		    "begin the copy", err);
	code = sqlite3_backup_step(copy, -1);
	(void)sqlite3_backup_finish(copy);
	if (code == SQLITE_DONE)
		return 0;
	if (code == SQLITE_FULL) {
		errno = ENOSPC;
		return fs_fail(err, "write", to->path);
	}
	return db_open_fail(from, code, "copy its pages", err);
}

/* Fill temp, which is there and empty, and check it. */
static int
fill(const struct db_open *from, const char *temp, struct db_report *report,
    struct err *err)
{
	struct db_open to = { .path = temp, .wait_ms = BUSY_MS };
	char mode[16];
	int code, rc = -1;

	if (db_open(&to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW,
	    err) != 0)
		goto out;
	/* No other program knows the name yet; it is fsync'd once, later. */
	if (db_open_text(&to, "PRAGMA synchronous = OFF", mode, sizeof(mode),
	    err) != 0 || copy_pages(from, &to, err) != 0)
		goto out;

	/* Page 1 of a source in WAL mode says so in the copy, too. */
	if (db_open_text(&to, "PRAGMA journal_mode = DELETE", mode,
	    sizeof(mode), err) != 0)
		goto out;
	if (!str_eq(mode, "delete")) {
		(void)err_set(err, ERR_FAILED, "the copy stays in journal "
		    "mode %s", mode);
		goto out;
	}
	rc = check_all(&to, report, err);
out:
	code = sqlite3_close(to.db);
	to.db = NULL;
	if (rc == 0 && code != SQLITE_OK)
		rc = db_open_fail(&to, code, "close the copy", err);
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
	struct db_open from = { .path = source, .wait_ms = BUSY_MS };
	char *temp = NULL;
	int rc = -1;

	if (fs_stat(target, &meta, err) != 0)
		return -1;
	if (meta.type != FS_NONE)
		return err_set(err, ERR_FAILED,
		    "%s: something is there already", target);
	if (open_source(&from, report, err) != 0)
		goto out;
	temp = make_temp(target, err);
	if (!temp)
		goto out;
	if (fill(&from, temp, report, err) != 0 ||
	    publish(temp, target, report, err) != 0) {
		remove_temp(temp);
		goto out;
	}
	rc = 0;
out:
	db_open_end(&from);
	free(temp);
	return rc == 0 ? 0 : err_ctx(err, "%s", source);
}

int
db_check(const char *path, struct db_report *report, struct err *err)
{
	struct db_open o = { .path = path, .wait_ms = BUSY_MS };
	struct stat st;
	int rc = -1;

	if (open_source(&o, report, err) != 0 ||
	    check_all(&o, report, err) != 0)
		goto out;

	/* stat, not open and close: that would drop SQLite's locks. */
	if (stat(path, &st) != 0) {
		(void)err_sys(err, ERR_FAILED, "stat");
		goto out;
	}
	report->size_bytes = (uint64_t)st.st_size;
	rc = 0;
out:
	db_open_end(&o);
	return rc == 0 ? 0 : err_ctx(err, "%s", path);
}
