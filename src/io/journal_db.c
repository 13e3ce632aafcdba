#include "base/base.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/journal_db.h"

/* "SCTJ"; file(1) and sanctumctl-journal(5) know it. */
#define APPLICATION_ID 0x5343544a
#define USER_VERSION 1

#define BUSY_MS 10000

#define STRING_OF(x) #x
#define STRING(x) STRING_OF(x)

static const char schema[] =
    "CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY,"
    " value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE step (seq INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " state TEXT NOT NULL CHECK (state IN ('begun', 'done', 'undone')),"
    " begun_at TEXT NOT NULL, ended_at TEXT NOT NULL,"
    " note TEXT NOT NULL) STRICT;"
    "CREATE TABLE id (kind TEXT NOT NULL, source TEXT NOT NULL,"
    " target TEXT NOT NULL, PRIMARY KEY (kind, source))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE scope (id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE cursor (scope INTEGER PRIMARY KEY,"
    " cursor TEXT NOT NULL, ended INTEGER NOT NULL) STRICT;"
    "CREATE TABLE row (scope INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (scope, seq),"
    " UNIQUE (scope, id)) STRICT;"
    "PRAGMA application_id = " STRING(APPLICATION_ID) ";"
    "PRAGMA user_version = " STRING(USER_VERSION) ";";

#define SCOPE_ID "(SELECT id FROM scope WHERE name = ?1)"

static const char *const sql_texts[JOURNAL_SQL_N] = {
	[JOURNAL_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[JOURNAL_SQL_COMMIT] = "COMMIT",
	[JOURNAL_SQL_ROLLBACK] = "ROLLBACK",
	[JOURNAL_SQL_META_PUT] =
	    "INSERT INTO meta (key, value) VALUES (?1, ?2)"
	    " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
	[JOURNAL_SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
	[JOURNAL_SQL_STEP_BEGIN] =
	    "INSERT INTO step (name, state, begun_at, ended_at, note)"
	    " VALUES (?1, 'begun', ?2, '', '') ON CONFLICT (name)"
	    " DO UPDATE SET state = excluded.state,"
	    " begun_at = excluded.begun_at, ended_at = '', note = ''",
	[JOURNAL_SQL_STEP_END] =
	    "INSERT INTO step (name, state, begun_at, ended_at, note)"
	    " VALUES (?1, ?2, '', ?3, ?4) ON CONFLICT (name)"
	    " DO UPDATE SET state = excluded.state,"
	    " ended_at = excluded.ended_at, note = excluded.note",
	[JOURNAL_SQL_STEP_STATE] = "SELECT state FROM step WHERE name = ?1",
	[JOURNAL_SQL_ID_PUT] =
	    "INSERT INTO id (kind, source, target) VALUES (?1, ?2, ?3)"
	    " ON CONFLICT (kind, source)"
	    " DO UPDATE SET target = excluded.target",
	[JOURNAL_SQL_ID_GET] =
	    "SELECT target FROM id WHERE kind = ?1 AND source = ?2",
	[JOURNAL_SQL_SCOPE_MAKE] =
	    "INSERT INTO scope (name) VALUES (?1) ON CONFLICT DO NOTHING",
	[JOURNAL_SQL_SCOPE_FIND] = "SELECT id FROM scope WHERE name = ?1",
	[JOURNAL_SQL_ROW_ADD] =
	    "INSERT INTO row (scope, seq, id, body) VALUES (?1, ?2, ?3, ?4)"
	    " ON CONFLICT (scope, id) DO NOTHING",
	[JOURNAL_SQL_ROW_GET] =
	    "SELECT body FROM row WHERE scope = " SCOPE_ID " AND id = ?2",
	[JOURNAL_SQL_ROW_SET] =
	    "UPDATE row SET body = ?3 WHERE scope = " SCOPE_ID
	    " AND id = ?2",
	[JOURNAL_SQL_FRONT] =
	    "SELECT coalesce(min(seq), 0) FROM row WHERE scope = " SCOPE_ID,
	[JOURNAL_SQL_NEXT] =
	    "SELECT coalesce(max(seq) + 1, 0) FROM row WHERE scope = "
	    SCOPE_ID,
	[JOURNAL_SQL_COUNT] =
	    "SELECT count(*) FROM row WHERE scope = " SCOPE_ID,
	[JOURNAL_SQL_CURSOR_PUT] =
	    "INSERT INTO cursor (scope, cursor, ended)"
	    " VALUES (?1, ?2, ?3) ON CONFLICT (scope) DO UPDATE"
	    " SET cursor = excluded.cursor, ended = excluded.ended",
	[JOURNAL_SQL_CURSOR_GET] =
	    "SELECT cursor, ended FROM cursor WHERE scope = " SCOPE_ID,
	[JOURNAL_SQL_DROP_ROWS] = "DELETE FROM row WHERE scope = " SCOPE_ID,
	[JOURNAL_SQL_DROP_CURSOR] =
	    "DELETE FROM cursor WHERE scope = " SCOPE_ID,
	[JOURNAL_SQL_DROP_SCOPE] = "DELETE FROM scope WHERE name = ?1",
};

int
journal_db_fail(struct journal *j, struct err *err)
{
	int code = sqlite3_errcode(j->db);
	int os_errno = sqlite3_system_errno(j->db);
	enum err_kind kind = ERR_FAILED;
	const char *text = sqlite3_errmsg(j->db);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return err_set(err, kind, "journal %s: no space left on its "
		    "filesystem", j->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_AGAIN, "journal %s: another program "
		    "is writing to it", j->path);
	case SQLITE_NOTADB:
		return err_set(err, ERR_DATA, "%s: not a journal of "
		    "sanctumctl, not even an SQLite file", j->path);
	case SQLITE_CORRUPT:
		return err_set(err, ERR_DATA, "journal %s: damaged: %s",
		    j->path, text);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (os_errno == 0)
			break;
		errno = os_errno;
		return err_sys(err, kind, "journal %s: %s", j->path, text);
	default:
		break;
	}
	return err_set(err, kind, "journal %s: %s", j->path, text);
}

int
journal_db_prepare(struct journal *j, const char *sql, sqlite3_stmt **out,
    struct err *err)
{
	if (sqlite3_prepare_v3(j->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
	    NULL) != SQLITE_OK)
		return journal_db_fail(j, err);
	return 0;
}

int
journal_db_bind(struct journal *j, enum journal_sql which,
    const char *const *texts, int n, sqlite3_stmt **out, struct err *err)
{
	sqlite3_stmt *st;
	int i;

	if (!j->stmts[which] && journal_db_prepare(j, sql_texts[which],
	    &j->stmts[which], err) != 0)
		return -1;
	st = j->stmts[which];
	(void)sqlite3_reset(st);
	for (i = 0; i < n; i++)
		if (sqlite3_bind_text(st, i + 1, texts[i], -1,
		    SQLITE_STATIC) != SQLITE_OK)
			return journal_db_fail(j, err);
	*out = st;
	return 0;
}

int
journal_db_step(struct journal *j, sqlite3_stmt *st, struct err *err)
{
	int code = sqlite3_step(st);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return journal_db_fail(j, err);
}

int
journal_db_write(struct journal *j, enum journal_sql which,
    const char *const *texts, int n, struct err *err)
{
	sqlite3_stmt *st;
	int rc;

	if (journal_db_bind(j, which, texts, n, &st, err) != 0)
		return -1;
	rc = journal_db_step(j, st, err);
	(void)sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

char *
journal_db_column(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column);

	return mem_strdup(text ? text : "");
}

int
journal_db_text(struct journal *j, enum journal_sql which,
    const char *const *texts, int n, char **out, struct err *err)
{
	sqlite3_stmt *st;
	int rc;

	*out = NULL;
	if (journal_db_bind(j, which, texts, n, &st, err) != 0)
		return -1;
	rc = journal_db_step(j, st, err);
	if (rc > 0)
		*out = journal_db_column(st, 0);
	(void)sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int
exec(struct journal *j, const char *sql, struct err *err)
{
	if (sqlite3_exec(j->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return journal_db_fail(j, err);
	return 0;
}

static int
number(struct journal *j, const char *sql, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (journal_db_prepare(j, sql, &st, err) != 0)
		return -1;
	rc = journal_db_step(j, st, err);
	*out = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/*
 * Look at the file without opening it: a close(2) of any descriptor of it
 * would drop the locks that SQLite holds on it in this process.  What is
 * swapped in between this look and the open, SQLITE_OPEN_NOFOLLOW meets.
 */
static int
check_file(const char *path, const char *real, bool *there, struct err *err)
{
	struct fs_meta meta;

	if (fs_stat(real, &meta, err) != 0)
		return -1;
	*there = meta.type != FS_NONE;
	if (!*there)
		return 0;
	if (meta.type != FS_FILE)
		return err_set(err, ERR_FAILED, "journal %s: %s, not a "
		    "regular file", path,
		    meta.type == FS_SYMLINK ? "a symlink" : "a device, "
		    "directory or socket");
	if ((meta.mode & 077) != 0)
		return err_set(err, ERR_FAILED, "journal %s: others may read "
		    "or write it (mode %03o); after a look at who did, "
		    "run: chmod 600 %s", path, (unsigned int)meta.mode, path);
	return 0;
}

/* Make the empty file with its final mode, whatever the umask. */
static int
create_file(const char *path, const char *real, const char *dir,
    struct err *err)
{
	int fd;

	fd = open(real, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd < 0)
		return err_sys(err, ERR_FAILED, "journal %s: create", path);
	if (fchmod(fd, 0600) != 0) {
		(void)err_sys(err, ERR_FAILED, "journal %s: chmod 600", path);
		(void)close(fd);
		return -1;
	}
	(void)close(fd);
	return fs_sync_dir(dir, err);
}

/*
 * Whether the file is ours, and how new.  A file that SQLite calls empty is
 * one whose making was cut short, and *fresh.
 */
static int
recognise(struct journal *j, bool *fresh, struct err *err)
{
	int64_t id, version, tables;

	if (number(j, "PRAGMA application_id", &id, err) != 0 ||
	    number(j, "PRAGMA user_version", &version, err) != 0 ||
	    number(j, "SELECT count(*) FROM sqlite_schema", &tables, err) != 0)
		return -1;
	*fresh = id == 0 && version == 0 && tables == 0;
	if (*fresh)
		return 0;
	if (id != APPLICATION_ID)
		return err_set(err, ERR_DATA, "%s: an SQLite file of another "
		    "program (application_id 0x%08" PRIx64 "), not a journal "
		    "of sanctumctl", j->path, (uint64_t)id & 0xffffffff);
	if (version != USER_VERSION)
		return err_set(err, ERR_DATA, "journal %s: written by "
		    "%s sanctumctl (its version is %" PRId64 ", ours %d); "
		    "go on with that one", j->path,
		    version > USER_VERSION ? "a newer" : "another", version,
		    USER_VERSION);
	return 0;
}

/*
 * The file is foreign until recognised: nothing of its schema may run code
 * (triggers, views), and a row cannot ask for more memory than ours do.
 */
static void
harden(sqlite3 *db)
{
	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, BUSY_MS);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, JOURNAL_TEXT_MAX);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}

/*
 * WAL lets a reader look while we write; FULL syncs it at each commit, so
 * that a committed page outlives a power cut.  The tables and their version
 * come in one transaction: a file has all of them or none.
 */
static int
set_up_writer(struct journal *j, bool fresh, struct err *err)
{
	sqlite3_stmt *st = NULL;
	bool wal;

	if (journal_db_prepare(j, "PRAGMA journal_mode = WAL", &st, err) != 0)
		return -1;
	if (journal_db_step(j, st, err) < 0) {
		(void)sqlite3_finalize(st);
		return -1;
	}
	wal = sqlite3_column_text(st, 0) &&
	    str_eq((const char *)sqlite3_column_text(st, 0), "wal");
	(void)sqlite3_finalize(st);
	if (!wal)
		return err_set(err, ERR_FAILED, "journal %s: its filesystem "
		    "cannot hold a write-ahead log (shared memory); use a "
		    "local one", j->path);

	if (exec(j, "PRAGMA synchronous = FULL;"
	    "PRAGMA journal_size_limit = 16777216;"
	    "PRAGMA cache_size = -8192;"
	    "PRAGMA wal_autocheckpoint = 4000", err) != 0)
		return -1;
	if (!fresh)
		return 0;
	if (exec(j, "BEGIN IMMEDIATE", err) != 0 ||
	    exec(j, schema, err) != 0 || exec(j, "COMMIT", err) != 0)
		return err_ctx(err, "make its tables");
	return 0;
}

static int
open_real(struct journal *j, const char *dir, const char *name, bool writer,
    struct err *err)
{
	char *real = mem_printf("%s/%s", dir, name);
	int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
	    (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	bool there, fresh;
	int rc = -1;

	if (check_file(j->path, real, &there, err) != 0)
		goto out;
	if (!there && !writer) {
		(void)err_set(err, ERR_MISSING, "journal %s: no such file",
		    j->path);
		goto out;
	}
	if (!there && create_file(j->path, real, dir, err) != 0)
		goto out;
	if (sqlite3_open_v2(real, &j->db, flags, NULL) != SQLITE_OK) {
		(void)journal_db_fail(j, err);
		goto out;
	}
	harden(j->db);
	if (recognise(j, &fresh, err) != 0)
		goto out;
	if (writer)
		rc = set_up_writer(j, fresh, err);
	else if (fresh)
		(void)err_set(err, ERR_MISSING, "journal %s: no job was "
		    "begun in it yet", j->path);
	else
		rc = 0;
out:
	free(real);
	return rc;
}

int
journal_db_open(struct journal *j, bool writer, struct err *err)
{
	char *dir, *dir_real = NULL;
	const char *slash = strrchr(j->path, '/');
	const char *name = slash ? slash + 1 : j->path;
	int rc = -1;

	/*
	 * SQLITE_OPEN_NOFOLLOW refuses a symlink anywhere in the path; those
	 * on the way to the directory are the user's own and are resolved
	 * here.
	 */
	dir = slash ? mem_strndup(j->path, (size_t)(slash - j->path) + 1) :
	    mem_strdup(".");
	dir_real = realpath(dir, NULL);
	if (!dir_real)
		(void)err_sys(err, errno == ENOENT ? ERR_MISSING : ERR_FAILED,
		    "journal %s: directory %s", j->path, dir);
	else
		rc = open_real(j, dir_real, name, writer, err);
	free(dir_real);
	free(dir);
	return rc;
}

void
journal_db_close(struct journal *j)
{
	int code, i;

	for (i = 0; i < JOURNAL_SQL_N; i++) {
		(void)sqlite3_finalize(j->stmts[i]);
		j->stmts[i] = NULL;
	}
	code = sqlite3_close(j->db);
	assert(code == SQLITE_OK);	/* else: a walk was not closed */
	(void)code;
	j->db = NULL;
}
