#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/db.h"
#include "io/fs.h"
#include "io/hash.h"

#define SNAPSHOTS 40
#define TOTAL 1000000	/* left.n and right.n add up to it, always */

static int
set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *dir = mem_printf("%s/db-XXXXXX", base ? base : "/tmp");

	*state = dir;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct err err = ERR_INIT;
	int rc;

	rc = chdir("/");
	if (rc == 0)
		rc = fs_remove(*state, &err);
	free(*state);
	return rc;
}

/* Run SQL on path; used in children too, so it tells and does not assert. */
static int
run_sql(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	int code;

	code = sqlite3_open(path, &db);
	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(db, 60000);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		(void)fprintf(stderr, "# %s\n", sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	return code == SQLITE_OK ? 0 : -1;
}

static void
make_pair(const char *path, const char *mode)
{
	char *sql = mem_printf("PRAGMA journal_mode = %s;"
	    "CREATE TABLE \"left\"(id INTEGER PRIMARY KEY, n INTEGER);"
	    "CREATE TABLE \"right\"(id INTEGER PRIMARY KEY, n INTEGER);"
	    "CREATE TABLE \"a \"\"log\"(id INTEGER PRIMARY KEY "
	    "AUTOINCREMENT, text TEXT);"
	    "INSERT INTO \"left\" VALUES (1, %d);"
	    "INSERT INTO \"right\" VALUES (1, 0);", mode, TOTAL);

	assert_int_equal(run_sql(path, sql), 0);
	free(sql);
}

static long long
ask(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	long long n;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY,
	    NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return n;
}

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* No temporary file of ours lies in the current directory. */
static bool
no_temp(void)
{
	DIR *dir = opendir(".");
	const struct dirent *e;
	bool found = !dir;

	for (;;) {
		e = dir ? readdir(dir) : NULL;
		if (!e)
			break;
		found |= str_starts(e->d_name, FS_TEMP_PREFIX);
	}
	if (dir)
		(void)closedir(dir);
	return !found;
}

static void
digest_of(const char *path, unsigned char digest[static HASH_SIZE])
{
	struct err err = ERR_INIT;

	assert_int_equal(hash_file(path, digest, &err), 0);
}

/*
 * Move between the two tables, and write a line, in one transaction each,
 * without a pause, until killed.  Says a byte on fd after the first.
 */
static void
write_for_ever(const char *path, int fd)
{
	sqlite3 *db = NULL;
	bool told = false;

	/* A test that fails forgets us. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_busy_timeout(db, 60000) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL,
	    NULL) != SQLITE_OK)
		_exit(1);
	for (;;) {
		if (sqlite3_exec(db, "BEGIN IMMEDIATE;"
		    "UPDATE \"left\" SET n = n - 1;"
		    "INSERT INTO \"a \"\"log\"(text) VALUES "
		    "(hex(randomblob(200)));"
		    "UPDATE \"right\" SET n = n + 1;"
		    "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
			_exit(2);
		if (!told && write(fd, "x", 1) != 1)
			_exit(3);
		told = true;
	}
}

static void
snapshots_beside_a_writer(const char *mode)
{
	struct db_report report;
	struct err err = ERR_INIT;
	struct fs_meta meta;
	long long first = -1, moved = 0;
	int ends[2], status;
	char byte;
	pid_t pid;

	make_pair("live.db", mode);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_for_ever("live.db", ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);

	for (int i = 0; i < SNAPSHOTS; i++) {
		if (db_snapshot("live.db", "copy.db", &report, &err) != 0)
			fail_msg("%d: %s", i, err.text);
		assert_string_equal(report.journal_mode, mode);
		assert_int_equal(report.n_tables, 3);
		assert_string_equal(report.tables[0].name, "a \"log");
		assert_string_equal(report.tables[1].name, "left");
		assert_string_equal(report.tables[2].name, "right");

		/* The invariant holds, and as many lines as moves are in. */
		assert_int_equal(ask("copy.db", "SELECT (SELECT n FROM "
		    "\"left\") + (SELECT n FROM \"right\")"), TOTAL);
		moved = ask("copy.db", "SELECT n FROM \"right\"");
		assert_int_equal(report.tables[0].rows, moved);
		assert_int_equal(report.tables[1].rows, 1);
		if (first < 0)
			first = moved;

		/* It is one file, ours alone, in rollback mode. */
		assert_false(is_there("copy.db-wal"));
		assert_false(is_there("copy.db-shm"));
		assert_false(is_there("copy.db-journal"));
		assert_int_equal(fs_stat("copy.db", &meta, &err), 0);
		assert_int_equal(meta.mode, 0600);
		assert_int_equal(meta.size_bytes, report.size_bytes);
		assert_int_equal(unlink("copy.db"), 0);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	(void)close(ends[0]);
	(void)close(ends[1]);

	/* The writer was writing all the time. */
	assert_true(moved > first);
}

static void
copy_is_one_instant_of_a_rollback_database(void **state)
{
	(void)state;
	snapshots_beside_a_writer("delete");
}

static void
copy_is_one_instant_of_a_wal_database(void **state)
{
	(void)state;
	snapshots_beside_a_writer("wal");
}

static void
source_stays_byte_for_byte(void **state)
{
	static const char *const modes[] = { "delete", "wal" };
	unsigned char before[HASH_SIZE], after[HASH_SIZE];
	struct db_report report;
	struct err err = ERR_INIT;
	struct fs_meta meta;
	sqlite3 *db = NULL;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_pair("s.db", modes[i]);
		digest_of("s.db", before);
		assert_int_equal(db_snapshot("s.db", "t.db", &report, &err),
		    0);
		digest_of("s.db", after);
		assert_memory_equal(before, after, HASH_SIZE);
		assert_string_equal(report.journal_mode, modes[i]);
		if (i == 0) {
			assert_false(is_there("s.db-wal"));
			assert_false(is_there("s.db-shm"));
		}
		assert_int_equal(unlink("s.db"), 0);
		assert_int_equal(unlink("t.db"), 0);
	}
	(void)unlink("s.db-wal");
	(void)unlink("s.db-shm");

	/* What is in the WAL alone is copied, and stays in the WAL. */
	make_pair("s.db", "wal");
	assert_int_equal(sqlite3_open("s.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE \"left\" SET n = 77", NULL,
	    NULL, NULL), SQLITE_OK);
	digest_of("s.db-wal", before);
	assert_int_equal(db_snapshot("s.db", "t.db", &report, &err), 0);
	digest_of("s.db-wal", after);
	assert_memory_equal(before, after, HASH_SIZE);
	assert_int_equal(ask("t.db", "SELECT n FROM \"left\""), 77);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(fs_stat("t.db", &meta, &err), 0);
	assert_int_equal(meta.mode, 0600);
}

static void
files_of_a_wal_source_keep_its_owner(void **state)
{
	struct db_report report;
	struct err err = ERR_INIT;
	struct fs_meta meta;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_pair("s.db", "wal");
	assert_int_equal(chown("s.db", 1234, 4321), 0);
	assert_int_equal(chmod("s.db", 0660), 0);
	assert_int_equal(db_snapshot("s.db", "t.db", &report, &err), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fs_stat(i == 0 ? "s.db-wal" : "s.db-shm",
		    &meta, &err), 0);
		if (meta.type == FS_NONE)
			continue;
		assert_int_equal(meta.uid, 1234);
		assert_int_equal(meta.gid, 4321);
		assert_int_equal(meta.mode, 0660);
	}
}

static void
put(const char *path, const void *data, size_t len)
{
	const struct fs_meta meta = { .mode = 0644, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct err err = ERR_INIT;

	assert_int_equal(fs_replace(path, data, len, &meta, &err), 0);
}

static void
refused(const char *source, enum err_kind kind, const char *part)
{
	struct db_report report;
	struct err err = ERR_INIT;

	assert_int_equal(db_snapshot(source, "t.db", &report, &err), -1);
	if (err.kind != kind || !strstr(err.text, part) ||
	    !str_starts(err.text, source))
		fail_msg("%s", err.text);
	assert_false(is_there("t.db"));
	assert_true(no_temp());
}

static void
what_is_no_database_is_named(void **state)
{
	char noise[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 7 + 1);
	refused("none.db", ERR_MISSING, "no such file");
	put("empty.db", "", 0);
	refused("empty.db", ERR_DATA, "empty: 0 bytes");
	put("noise.db", noise, sizeof(noise));
	refused("noise.db", ERR_DATA, "not an SQLite database");
	put("short.db", "SQLite format 3", 16);
	refused("short.db", ERR_DATA, "not an SQLite database");
	assert_int_equal(mkdir("dir.db", 0755), 0);
	refused("dir.db", ERR_DATA, "not a regular file");
	assert_int_equal(run_sql("bare.db", "PRAGMA user_version = 3"), 0);
	refused("bare.db", ERR_DATA, "it has no table");
}

static void
a_damaged_page_is_found(void **state)
{
	struct db_report report;
	struct err err = ERR_INIT;
	char junk[600];
	int fd;

	(void)state;
	make_pair("s.db", "delete");
	assert_int_equal(run_sql("s.db", "CREATE INDEX i ON \"a \"\"log\""
	    "(text); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
	    "FROM c WHERE x < 2000) INSERT INTO \"a \"\"log\"(text) "
	    "SELECT hex(randomblob(50)) FROM c"), 0);
	memset(junk, 0x5a, sizeof(junk));
	fd = open("s.db", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 4096 * 20), 600);
	(void)close(fd);
	refused("s.db", ERR_DATA, "damaged: integrity_check says");
	assert_int_equal(db_check("s.db", &report, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
}

static void
a_cut_file_is_found(void **state)
{
	struct fs_meta meta;
	struct err err = ERR_INIT;

	(void)state;
	make_pair("s.db", "delete");
	assert_int_equal(fs_stat("s.db", &meta, &err), 0);
	assert_int_equal(truncate("s.db", (off_t)meta.size_bytes - 4096), 0);
	refused("s.db", ERR_DATA, "s.db: ");
}

static void
a_broken_foreign_key_is_named(void **state)
{
	(void)state;
	assert_int_equal(run_sql("s.db",
	    "CREATE TABLE user(id INTEGER PRIMARY KEY);"
	    "CREATE TABLE message(id INTEGER PRIMARY KEY, "
	    "user_id REFERENCES user(id));"
	    "INSERT INTO user VALUES (1);"
	    "INSERT INTO message VALUES (41, 1), (42, 2), (43, 3)"), 0);
	refused("s.db", ERR_DATA, "broken foreign keys (2): table message, "
	    "row 42: the row of user that it refers to is not there");
}

static void
a_target_is_never_replaced(void **state)
{
	struct db_report report;
	struct err err = ERR_INIT;
	struct fs_meta meta;

	(void)state;
	make_pair("s.db", "delete");
	put("t.db", "mine", 4);
	assert_int_equal(db_snapshot("s.db", "t.db", &report, &err), -1);
	assert_non_null(strstr(err.text, "t.db: something is there"));
	assert_int_equal(fs_stat("t.db", &meta, &err), 0);
	assert_int_equal(meta.size_bytes, 4);
	assert_int_equal(symlink("nowhere", "l.db"), 0);
	assert_int_equal(db_snapshot("s.db", "l.db", &report, &err), -1);
	assert_false(is_there("nowhere"));
	assert_int_equal(db_snapshot("s.db", "none/t.db", &report, &err),
	    -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_true(no_temp());
}

/* A writer that dies in the middle of a transaction, pages spilled. */
static void
die_while_writing(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path, &db) == SQLITE_OK &&
	    sqlite3_exec(db, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1;"
	    "BEGIN IMMEDIATE; UPDATE \"left\" SET n = 5;"
	    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
	    "WHERE x < 5000) INSERT INTO \"a \"\"log\"(text) "
	    "SELECT hex(randomblob(100)) FROM c", NULL, NULL,
	    NULL) == SQLITE_OK)
		(void)raise(SIGKILL);
	_exit(1);
}

static void
a_hot_journal_is_explained(void **state)
{
	unsigned char before[HASH_SIZE], after[HASH_SIZE];
	struct db_report report;
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	(void)state;
	make_pair("s.db", "delete");
	pid = fork();
	if (pid == 0)
		die_while_writing("s.db");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(is_there("s.db-journal"));
	digest_of("s.db", before);
	refused("s.db", ERR_DATA, "a write was cut short there: "
	    "s.db-journal is left of it");
	digest_of("s.db", after);
	assert_memory_equal(before, after, HASH_SIZE);
	assert_true(is_there("s.db-journal"));

	/* The cure that the message names works. */
	assert_int_equal(run_sql("s.db", "SELECT count(*) FROM \"left\""),
	    0);
	assert_int_equal(db_snapshot("s.db", "t.db", &report, &err), 0);
	assert_int_equal(ask("t.db", "SELECT n FROM \"left\""), TOTAL);
}

static int
snapshot_to_a_small_filesystem(void)
{
	struct db_report report;
	struct err err = ERR_INIT;

	if (unshare(CLONE_NEWNS) != 0 || mkdir("mnt", 0755) != 0 ||
	    mount("none", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
	    mount("none", "mnt", "tmpfs", 0, "size=64k") != 0)
		return 77;
	if (db_snapshot("s.db", "mnt/t.db", &report, &err) == 0)
		return 1;
	if (!strstr(err.text, "no space left on the filesystem /")) {
		(void)fprintf(stderr, "# %s\n", err.text);
		return 2;
	}
	return chdir("mnt") == 0 && no_temp() ? 0 : 3;
}

static void
a_full_disk_is_named(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_pair("s.db", "delete");
	assert_int_equal(run_sql("s.db", "INSERT INTO \"a \"\"log\"(text) "
	    "VALUES (hex(randomblob(200000)))"), 0);
	pid = fork();
	if (pid == 0)
		_exit(snapshot_to_a_small_filesystem());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
check_reports_a_database_at_rest(void **state)
{
	struct db_report report;
	struct err err = ERR_INIT;
	struct fs_meta meta;

	(void)state;
	make_pair("s.db", "delete");
	assert_int_equal(db_check("s.db", &report, &err), 0);
	assert_string_equal(report.journal_mode, "delete");
	assert_int_equal(report.n_tables, 3);
	assert_int_equal(report.tables[2].rows, 1);
	assert_int_equal(fs_stat("s.db", &meta, &err), 0);
	assert_int_equal(report.size_bytes, meta.size_bytes);
	assert_int_equal(db_check("none.db", &report, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
}

static void
too_many_tables_are_refused(void **state)
{
	struct buf sql = BUF_INIT(64 * 1024);

	(void)state;
	for (int i = 0; i <= DB_TABLES_MAX; i++)
		buf_printf(&sql, "CREATE TABLE t%d(x);", i);
	assert_int_equal(run_sql("s.db", buf_cstr(&sql)), 0);
	buf_clear(&sql);
	refused("s.db", ERR_DATA, "more than 64 tables");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(copy_is_one_instant_of_a_rollback_database),
		TEST(copy_is_one_instant_of_a_wal_database),
		TEST(source_stays_byte_for_byte),
		TEST(files_of_a_wal_source_keep_its_owner),
		TEST(what_is_no_database_is_named),
		TEST(a_damaged_page_is_found),
		TEST(a_cut_file_is_found),
		TEST(a_broken_foreign_key_is_named),
		TEST(a_target_is_never_replaced),
		TEST(a_hot_journal_is_explained),
		TEST(a_full_disk_is_named),
		TEST(check_reports_a_database_at_rest),
		TEST(too_many_tables_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
