#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "bed_hosts.h"
#include "io/host.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Scripts, on the hosts of bed_hosts.h. */

static sqlite3 *
open_db(const char *path)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void
sql(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
}

/* A queue with three rows, as Broca has it in short. */
static char *
make_db(size_t i, const char *name)
{
	char *path = bed_hosts_in(&bed, i, name);
	sqlite3 *db = open_db(path);

	sql(db, "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);"
	    "CREATE TABLE queue(id INTEGER PRIMARY KEY, status TEXT,"
	    " user INTEGER REFERENCES users(id));"
	    "INSERT INTO users VALUES (1, 'jo'), (2, NULL);"
	    "INSERT INTO queue VALUES (1, 'pending', 1), (2, 'pending', 2),"
	    " (3, 'completed', 1);");
	(void)sqlite3_close(db);
	return path;
}

/* Rows as text: "0:a,NULL;". */
static int
gather(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct buf *out = ctx;

	(void)err;
	buf_printf(out, "%zu:", statement);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "",
		    columns[i] ? columns[i] : "NULL");
	buf_char(out, ';');
	return 0;
}

static int
run(size_t i, const char *path, const struct db_statement *list, size_t n,
    bool write, struct buf *out, uint64_t *changes, struct err *err)
{
	const struct db_script script = { .statements = list,
		.n_statements = n, .write = write, .wait_ms = 100 };

	buf_truncate(out, 0);
	return host_db_script(bed.hosts[i], path, &script, gather, out,
	    changes, err);
}

static void
test_read_and_write(void **state)
{
	const char *const pending[] = { "held", "pending" };
	const char *const user[] = { NULL, "it's; \xc3\xa9" };
	const char *const second[] = { "2" };
	const struct db_statement write[] = {
		{ .sql = "UPDATE queue SET status = ?1 WHERE status = ?2",
		    .params = pending, .n_params = 2 },
		{ .sql = "INSERT INTO users(id, name) VALUES (?1, ?2)",
		    .params = user, .n_params = 2 },
		{ .sql = "SELECT count(*) FROM queue WHERE status = 'held'" },
	};
	const struct db_statement read[] = {
		{ .sql = "SELECT id, name FROM users ORDER BY id" },
		{ .sql = "SELECT id FROM queue WHERE id = ?1 AND user = ?1",
		    .params = second, .n_params = 1 },
	};

	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *path = make_db(i, "rw.db");
		struct buf out = BUF_INIT(4096);
		uint64_t changes[COUNT(write)] = { 9, 9, 9 };
		struct err err = ERR_INIT;

		ok(run(i, path, write, COUNT(write), true, &out, changes,
		    &err), &err);
		assert_string_equal(buf_cstr(&out), "2:2;");
		assert_int_equal(changes[0], 2);
		assert_int_equal(changes[1], 1);
		assert_int_equal(changes[2], 0);
		ok(run(i, path, read, COUNT(read), false, &out, NULL, &err),
		    &err);
		assert_string_equal(buf_cstr(&out),
		    "0:1,jo;0:2,NULL;0:3,it's; \xc3\xa9;1:2;");
		buf_clear(&out);
		free(path);
	}
}

/* What a trigger of that database does would be done by us. */
static void
test_triggers(void **state)
{
	const struct db_statement write[] = {
		{ .sql = "UPDATE queue SET status = 'held'" },
		{ .sql = "SELECT count(*) FROM queue" },
	};

	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *path = make_db(i, "trigger.db");
		sqlite3 *db = open_db(path);
		struct buf out = BUF_INIT(4096);
		struct err err = ERR_INIT;

		sql(db, "CREATE TRIGGER t AFTER UPDATE ON queue BEGIN "
		    "DELETE FROM queue WHERE id = 3; END;"
		    "CREATE TRIGGER u BEFORE UPDATE ON queue BEGIN "
		    "SELECT raise(ABORT, 'not today'); END");
		(void)sqlite3_close(db);
		ok(run(i, path, write, COUNT(write), true, &out, NULL, &err),
		    &err);
		assert_string_equal(buf_cstr(&out), "1:3;");
		buf_clear(&out);
		free(path);
	}
}

/* A message that is longer than one frame. */
static void
test_long_text(void **state)
{
	const size_t len = 3 * MIB + 1;
	char *text = mem_zero(len + 1, 1);
	const char *params[] = { text };
	const struct db_statement write = {
		.sql = "UPDATE users SET name = ?1 WHERE id = 1",
		.params = params, .n_params = 1 };
	const struct db_statement read = {
		.sql = "SELECT name FROM users WHERE id = 1" };

	(void)state;
	memset(text, 'x', len);
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *path = make_db(i, "long.db");
		struct buf out = BUF_INIT(4 * MIB);
		struct err err = ERR_INIT;

		ok(run(i, path, &write, 1, true, &out, NULL, &err), &err);
		ok(run(i, path, &read, 1, false, &out, NULL, &err), &err);
		assert_int_equal(out.len, len + 3);
		assert_memory_equal(out.data + 2, text, len);
		buf_clear(&out);
		free(path);
	}
	free(text);
}

/* Whatever fails, no statement before it has changed anything. */
static void
test_all_or_none(void **state)
{
	static const char *const bad[] = {
		"UPDATE nothing SET a = 1",
		"INSERT INTO queue VALUES (1, 'twice', 1)",
		"UPDATE queue SET user = 77",
		"SELECT 'a' || char(0) || 'b'",
		"-- nothing",
		"SELECT hex(zeroblob(40000000))",
	};
	const struct db_statement count = {
		.sql = "SELECT status, count(*) FROM queue GROUP BY 1" };

	(void)state;
	for (size_t k = 0; k < COUNT(bad); k++) {
		struct err errs[BED_HOSTS];

		memset(errs, 0, sizeof(errs));
		for (size_t i = 0; i < BED_HOSTS; i++) {
			const struct db_statement list[] = {
				{ .sql = "UPDATE queue SET status = 'held'" },
				{ .sql = bad[k] },
			};
			struct buf out = BUF_INIT(4096);
			struct err err = ERR_INIT;
			char *path = make_db(i, "none.db");

			assert_int_equal(run(i, path, list, COUNT(list),
			    true, &out, NULL, &errs[i]), -1);
			assert_int_equal(errs[i].kind, ERR_DATA);
			assert_non_null(strstr(errs[i].text, "statement 2"));
			ok(run(i, path, &count, 1, false, &out, NULL, &err),
			    &err);
			assert_string_equal(buf_cstr(&out),
			    "0:completed,1;0:pending,2;");
			ok(host_remove(bed.hosts[i], path, &err), &err);
			buf_clear(&out);
			free(path);
		}
		bed_hosts_same(&bed, errs);
	}
}

/* A script that reads cannot write, and none of them makes a file. */
static void
test_read_only(void **state)
{
	const struct db_statement write = { .sql = "DELETE FROM queue" };
	const struct db_statement read = { .sql = "SELECT 1" };

	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *path = make_db(i, "ro.db");
		char *none = bed_hosts_in(&bed, i, "none");
		struct buf out = BUF_INIT(4096);
		struct err err = ERR_INIT;

		assert_int_equal(run(i, path, &write, 1, false, &out, NULL,
		    &err), -1);
		assert_non_null(strstr(err.text, "readonly"));
		assert_int_equal(run(i, none, &read, 1, true, &out, NULL,
		    &err), -1);
		assert_int_equal(err.kind, ERR_MISSING);
		assert_int_not_equal(access(none, F_OK), 0);
		buf_clear(&out);
		free(none);
		free(path);
	}
}

/* A process that holds the lock, and is named. */
static pid_t
start_holder(const char *path)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *db = NULL;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "broca\x1b");
		if (sqlite3_open(path, &db) != SQLITE_OK ||
		    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL,
		    NULL) != SQLITE_OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void
test_locked(void **state)
{
	const struct db_statement write = { .sql = "DELETE FROM queue" };
	const struct db_statement read = {
		.sql = "SELECT count(*) FROM queue" };

	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *path = make_db(i, "locked.db");
		const pid_t pid = start_holder(path);
		char *who = mem_printf("(held open by pid %d broca\\x1b",
		    (int)pid);
		struct buf out = BUF_INIT(4096);
		struct err err = ERR_INIT;

		assert_int_equal(run(i, path, &write, 1, true, &out, NULL,
		    &err), -1);
		assert_int_equal(err.kind, ERR_AGAIN);
		assert_non_null(strstr(err.text, who));
		ok(run(i, path, &read, 1, false, &out, NULL, &err), &err);
		assert_string_equal(buf_cstr(&out), "0:3;");
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		ok(run(i, path, &write, 1, true, &out, NULL, &err), &err);
		buf_clear(&out);
		free(who);
		free(path);
	}
}

/* A writer that is killed within a commit, with its journal left behind. */
static void
test_hot_journal(void **state)
{
	const struct db_statement read = {
		.sql = "SELECT count(*) FROM queue" };
	char *path = make_db(0, "hot.db");
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *db = NULL;

		/* A cache of one page: changes are in the file at once. */
		(void)sqlite3_open(path, &db);
		_exit(sqlite3_exec(db, "PRAGMA cache_size = 1; BEGIN;"
		    "WITH RECURSIVE n(i) AS (VALUES (10) UNION ALL"
		    " SELECT i + 1 FROM n WHERE i < 5000)"
		    " INSERT INTO queue SELECT i, 'lost', 1 FROM n;",
		    NULL, NULL, NULL) == SQLITE_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(run(0, path, &read, 1, false, &out, NULL, &err),
	    -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "hot.db-journal"));
	ok(run(0, path, &read, 1, true, &out, NULL, &err), &err);
	assert_string_equal(buf_cstr(&out), "0:3;");
	buf_clear(&out);
	free(path);
}

static int
refuse(void *ctx, size_t statement, const char *const *columns, size_t n,
    struct err *err)
{
	struct host *h = ctx;
	struct fs_meta meta;

	(void)statement;
	(void)columns;
	(void)n;
	/* The host may be used. */
	ok(host_stat(h, "/", &meta, err), err);
	return err_set(err, ERR_STALE, "enough");
}

static void
test_refused(void **state)
{
	const struct db_statement read = { .sql = "SELECT id FROM queue" };
	const struct db_script script = { .statements = &read,
		.n_statements = 1 };

	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *path = make_db(i, "refused.db");
		struct err err = ERR_INIT;

		assert_int_equal(host_db_script(bed.hosts[i], path, &script,
		    refuse, bed.hosts[i], NULL, &err), -1);
		assert_int_equal(err.kind, ERR_STALE);
		ok(host_db_script(bed.hosts[i], path, &script, NULL, NULL,
		    NULL, &err), &err);
		free(path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_hot_journal),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_bed, close_bed);
}
