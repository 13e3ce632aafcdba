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
#include "io/db_pages.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/host.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The second pass, from each to each of the hosts of bed_hosts.h. */

/* Run SQL; used in children too, so it tells and does not assert. */
static int
run_sql(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	int code;

	code = sqlite3_open(path, &db);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		(void)fprintf(stderr, "# %s\n", sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	return code == SQLITE_OK ? 0 : -1;
}

static void
sql(const char *path, const char *text)
{
	assert_int_equal(run_sql(path, text), 0);
}

/* A pair: a live database, and a copy of what it was. */
struct pair {
	struct host *from;
	struct host *to;
	char *live;
	char *snapshot;
	char *from_sums;
	char *copy;
	char *to_sums;
};

/* mode: what the database is made with, "PRAGMA page_size = ..." */
static void
make_pair(struct pair *p, size_t from, size_t to, const char *name,
    const char *mode)
{
	static const char *const names[] = { "snapshot" };
	char *dir = bed_hosts_in(&bed, from, name), *to_name, *to_dir, *text;
	struct db_pages_stats stats;
	struct tree_stats sent;
	struct db_report report;
	struct err err = ERR_INIT;

	to_name = mem_printf("%s-to-%s", name, host_name(bed.hosts[from]));
	to_dir = bed_hosts_in(&bed, to, to_name);
	p->from = bed.hosts[from];
	p->to = bed.hosts[to];
	ok(host_remove(p->from, dir, &err), &err);
	ok(host_remove(p->to, to_dir, &err), &err);
	ok(host_mkdirs(p->from, dir, 0700, &err), &err);
	ok(host_mkdirs(p->to, to_dir, 0700, &err), &err);
	p->live = mem_printf("%s/sanctum.db", dir);
	p->snapshot = mem_printf("%s/snapshot", dir);
	p->from_sums = mem_printf("%s/cache/from.sums", dir);
	p->copy = mem_printf("%s/snapshot", to_dir);
	p->to_sums = mem_printf("%s/cache/to.sums", to_dir);
	text = mem_printf("%s; CREATE TABLE t(id INTEGER PRIMARY KEY, s);"
	    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 800) INSERT INTO t SELECT i,"
	    " hex(randomblob(400)) FROM n;", mode);
	sql(p->live, text);
	ok(host_snapshot(p->from, p->live, p->snapshot, &report, &err), &err);
	ok(host_db_sums(p->from, p->snapshot, p->from_sums, &stats, &err),
	    &err);
	assert_int_equal(stats.pages, (stats.size_bytes + 4095) / 4096);
	ok(host_copy(p->from, dir, names, 1, p->to, to_dir, (uid_t)-1,
	    (gid_t)-1, NULL, &sent, &err), &err);
	free(text);
	free(to_dir);
	free(to_name);
	free(dir);
}

static void
free_pair(struct pair *p)
{
	free(p->live);
	free(p->snapshot);
	free(p->from_sums);
	free(p->copy);
	free(p->to_sums);
}

static int
delta(struct pair *p, struct db_pages_stats *stats, struct err *err)
{
	return host_db_delta(p->from, p->live, p->from_sums, p->to, p->copy,
	    p->to_sums, stats, err);
}

static void
same_files(const char *a, const char *b)
{
	unsigned char of_a[HASH_SIZE], of_b[HASH_SIZE];
	struct err err = ERR_INIT;

	ok(hash_file(a, of_a, &err), &err);
	ok(hash_file(b, of_b, &err), &err);
	assert_memory_equal(of_a, of_b, HASH_SIZE);
}

static bool
is_beside(const char *path, const char *end)
{
	char *beside = mem_printf("%s%s", path, end);
	const bool there = access(beside, F_OK) == 0;

	free(beside);
	return there;
}

/* Make the delta; the copy is the live file then, and sound. */
static void
must_be_live(struct pair *p, struct db_pages_stats *stats)
{
	struct db_report report;
	struct err err = ERR_INIT;

	ok(delta(p, stats, &err), &err);
	same_files(p->live, p->copy);
	assert_false(is_beside(p->copy, "-journal"));
	assert_false(is_beside(p->copy, "-wal"));
	assert_int_not_equal(access(p->to_sums, F_OK), 0);
	ok(host_db_check(p->to, p->copy, &report, &err), &err);
}

/* From each to each: one row changes, and then nothing more. */
static void
test_every_pair(void **state)
{
	(void)state;
	for (size_t k = 0; k < (size_t)BED_HOSTS * BED_HOSTS; k++) {
		struct db_pages_stats stats;
		struct pair p;

		make_pair(&p, k / BED_HOSTS, k % BED_HOSTS, "each", "");
		sql(p.live, "UPDATE t SET s = upper(s) || 'x' WHERE id = 7");
		must_be_live(&p, &stats);
		assert_true(stats.changed >= 2 && stats.changed <= 6);
		assert_true(stats.wire_bytes >= stats.changed * 4096 &&
		    stats.wire_bytes < (stats.changed + 1) * 4096);
		assert_int_equal(stats.pages, stats.size_bytes / 4096);

		/* The source's sums are of the snapshot, not of this copy. */
		must_be_live(&p, &stats);
		assert_int_equal(stats.changed, 0);
		assert_true(stats.wire_bytes < stats.pages * 17 + 4096);
		free_pair(&p);
	}
}

/* What may change: sizes of the file and of its pages, and the journal. */
static void
test_shapes(void **state)
{
	static const char *const modes[] = {
		"PRAGMA page_size = 512",
		"PRAGMA page_size = 65536",
		"PRAGMA journal_mode = WAL",
		"PRAGMA page_size = 1024; PRAGMA journal_mode = WAL",
		"PRAGMA auto_vacuum = FULL",
	};
	static const char *const changes[] = {
		"INSERT INTO t SELECT id + 5000, s FROM t",
		"DELETE FROM t WHERE id > 100",
		"DELETE FROM t WHERE id > 99; VACUUM",
		"PRAGMA journal_mode = DELETE; PRAGMA page_size = 2048; VACUUM",
		"SELECT 1",
	};

	(void)state;
	for (size_t k = 0; k < COUNT(modes) * COUNT(changes); k++) {
		struct db_pages_stats stats;
		struct pair p;

		make_pair(&p, 0, k % 2, "shape", modes[k % COUNT(modes)]);
		sql(p.live, changes[k / COUNT(modes)]);
		must_be_live(&p, &stats);
		free_pair(&p);
	}
}

/* A writer that ends, or is killed, with its WAL or its journal there. */
static void
kill_writer(const char *path, const char *text)
{
	const pid_t pid = fork();
	int status = -1;

	assert_true(pid >= 0);
	if (pid == 0) {
		sqlite3 *db = NULL;

		/* Not closed: nothing is brought to an end. */
		if (sqlite3_open(path, &db) == SQLITE_OK &&
		    sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
			_exit(0);
		(void)fprintf(stderr, "# %s\n", sqlite3_errmsg(db));
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_wal_left(void **state)
{
	const struct db_statement one = {
		.sql = "UPDATE t SET s = 'final' WHERE id = 3" };
	const struct db_script script = { .statements = &one,
		.n_statements = 1, .write = true };
	struct db_pages_stats stats;
	struct err err = ERR_INIT;
	struct pair p;

	(void)state;
	make_pair(&p, 0, 1, "wal", "PRAGMA journal_mode = WAL");
	kill_writer(p.live, "INSERT INTO t VALUES (9001, 'in the wal')");
	assert_true(is_beside(p.live, "-wal"));
	must_be_live(&p, &stats);
	ok(host_db_script(p.to, p.copy, &script, NULL, NULL, NULL, &err),
	    &err);
	/* What lies beside the copy is of its own past. */
	kill_writer(p.copy, "INSERT INTO t VALUES (9002, 'of the copy')");
	assert_true(is_beside(p.copy, "-wal"));
	must_be_live(&p, &stats);
	free_pair(&p);
}

static void
test_hot_journal(void **state)
{
	struct db_pages_stats stats;
	struct pair p;

	(void)state;
	make_pair(&p, 0, 1, "hot", "");
	kill_writer(p.live, "PRAGMA cache_size = 1; BEGIN;"
	    "UPDATE t SET s = 'lost'");
	assert_true(is_beside(p.live, "-journal"));
	/* A snapshot has a schema cookie of its own, on page 1. */
	must_be_live(&p, &stats);
	assert_int_equal(stats.changed, 1);
	kill_writer(p.copy, "PRAGMA cache_size = 1; BEGIN;"
	    "UPDATE t SET s = 'lost'");
	assert_true(is_beside(p.copy, "-journal"));
	must_be_live(&p, &stats);
	assert_true(stats.changed > 100);
	free_pair(&p);
}

static void
set_times(const char *path, const struct timespec *mtime)
{
	const struct timespec times[2] = { *mtime, *mtime };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
spoil(const char *path, off_t at)
{
	const int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "spoilt", 6, at), 6);
	assert_int_equal(close(fd), 0);
}

/* A copy that was changed is read again, whatever its mtime says. */
static void
test_tampered(void **state)
{
	struct db_pages_stats stats;
	struct err err = ERR_INIT;
	struct stat st;
	struct pair p;

	(void)state;
	make_pair(&p, 1, 0, "tampered", "");
	ok(host_db_sums(p.to, p.copy, p.to_sums, &stats, &err), &err);
	assert_int_equal(stat(p.copy, &st), 0);
	spoil(p.copy, 40000);
	set_times(p.copy, &st.st_mtim);
	must_be_live(&p, &stats);
	assert_int_equal(stats.changed, 2);
	free_pair(&p);
}

/*
 * Sums are believed of a file that has been quiet for two seconds, and not
 * after its time of change has moved.  What is kept is spoilt to see which.
 */
static void
test_believed(void **state)
{
	struct db_pages_stats first, second;
	struct err err = ERR_INIT;
	struct timespec now;
	struct stat st;
	struct pair p;

	(void)state;
	make_pair(&p, 0, 0, "believed", "");
	ok(host_db_sums(p.to, p.copy, p.to_sums, &first, &err), &err);
	spoil(p.to_sums, 200);
	ok(host_db_sums(p.to, p.copy, p.to_sums, &second, &err), &err);
	assert_memory_equal(first.sum, second.sum, HASH_SIZE);

	assert_int_equal(stat(p.copy, &st), 0);
	do {
		(void)usleep(50000);
		assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	} while ((now.tv_sec - st.st_ctim.tv_sec) * 10 +
	    (now.tv_nsec - st.st_ctim.tv_nsec) / 100000000 <= 21);
	ok(host_db_sums(p.to, p.copy, p.to_sums, &second, &err), &err);
	spoil(p.to_sums, 200);
	ok(host_db_sums(p.to, p.copy, p.to_sums, &second, &err), &err);
	assert_memory_not_equal(first.sum, second.sum, HASH_SIZE);
	/* Wrong sums of a file that is as it was are found by the sum. */
	assert_int_equal(chmod(p.copy, 0600), 0);
	ok(host_db_sums(p.to, p.copy, p.to_sums, &second, &err), &err);
	assert_memory_equal(first.sum, second.sum, HASH_SIZE);
	free_pair(&p);
}

/* The source's sums are gone, or are nothing of ours. */
static void
test_no_sums(void **state)
{
	struct db_pages_stats stats;
	struct err err = ERR_INIT;
	struct pair p;

	(void)state;
	make_pair(&p, 2, 1, "none", "");
	sql(p.live, "UPDATE t SET s = 'x' WHERE id = 7");
	assert_int_equal(unlink(p.from_sums), 0);
	must_be_live(&p, &stats);
	assert_true(stats.changed <= 6);
	sql(p.live, "UPDATE t SET s = 'y' WHERE id = 7");
	ok(host_remove(p.from, p.from_sums, &err), &err);
	sql(p.from_sums, "CREATE TABLE other(a)");
	must_be_live(&p, &stats);
	assert_true(stats.changed <= 6);
	free_pair(&p);
}

/* A process that holds the write lock, until it is killed. */
static pid_t
start_holder(const char *path, const char *text)
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
		if (sqlite3_open(path, &db) != SQLITE_OK ||
		    sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

/* What db_pages_send gives is written down; a writer is tried meanwhile. */
struct catch {
	const char *live;
	struct buf stream;
	bool locked;
};

static int
catch(void *ctx, const void *data, size_t len, struct err *err)
{
	struct catch *c = ctx;

	(void)err;
	if (c->stream.len == 0) {
		const pid_t pid = fork();
		int status = -1;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(run_sql(c->live, "DELETE FROM t") == 0 ? 0 : 7);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		c->locked = WIFEXITED(status) && WEXITSTATUS(status) == 7;
	}
	buf_add(&c->stream, data, len);
	return 0;
}

static void
catch_stream(struct pair *p, struct catch *c)
{
	struct db_pages_stats base, stats;
	struct err err = ERR_INIT;

	c->live = p->live;
	buf_init(&c->stream, 8 * MIB);
	ok(db_pages_sums(p->copy, NULL, &base, &err), &err);
	ok(db_pages_send(p->live, p->from_sums, base.sum, catch, c, &stats,
	    &err), &err);
	assert_true(c->locked);
	assert_int_equal(stats.sum[0], (unsigned char)
	    c->stream.data[c->stream.len - HASH_SIZE]);
}

/* Nobody writes while the pages are read, in either mode. */
static void
test_locked_meanwhile(void **state)
{
	static const char *const modes[] = { "", "PRAGMA journal_mode = WAL" };

	(void)state;
	for (size_t k = 0; k < COUNT(modes); k++) {
		struct catch c = { .locked = false };
		struct pair p;

		make_pair(&p, 0, 0, "meanwhile", modes[k]);
		catch_stream(&p, &c);
		buf_clear(&c.stream);
		sql(p.live, "DELETE FROM t");
		free_pair(&p);
	}
}

/*
 * A stream that ends anywhere, or has a byte that is another one: it fails,
 * and the same delta mends what was made of the copy.
 */
static void
test_cut(void **state)
{
	struct catch c = { .locked = false };
	struct db_pages_stats stats;
	struct pair p;

	(void)state;
	make_pair(&p, 0, 0, "cut", "");
	sql(p.live, "UPDATE t SET s = 'x' WHERE id % 50 = 1;"
	    "DELETE FROM t WHERE id > 700");
	catch_stream(&p, &c);
	for (size_t at = 0; at < c.stream.len; at += c.stream.len / 9) {
		struct db_pages_patch *patch = NULL;
		struct err err = ERR_INIT;
		char *bytes = mem_dup(c.stream.data, c.stream.len);
		const bool flip = at % 2 == 0;
		int rc;

		bytes[at] ^= 1;
		ok(db_pages_patch_open(p.copy, NULL, &patch, &err), &err);
		rc = db_pages_patch_write(patch, bytes,
		    flip ? c.stream.len : at, &err);
		if (rc == 0)
			rc = db_pages_patch_finish(patch, &stats, &err);
		assert_int_equal(rc, -1);
		assert_true(err.kind == ERR_DATA || err.kind == ERR_STALE);
		db_pages_patch_free(patch);
		free(bytes);
		must_be_live(&p, &stats);

		/* Back to what the stream is for. */
		ok(host_remove(p.to, p.copy, &err), &err);
		ok(host_snapshot(p.from, p.snapshot, p.copy,
		    &(struct db_report){ 0 }, &err), &err);
	}
	buf_clear(&c.stream);
	free_pair(&p);
}

/* Somebody holds the lock: nothing is changed, and the pid is named. */
static void
test_held(void **state)
{
	struct db_pages_stats stats;
	struct err err = ERR_INIT;
	unsigned char before[HASH_SIZE], after[HASH_SIZE];
	struct pair p;
	char *who;
	pid_t pid;

	(void)state;
	make_pair(&p, 0, 1, "held", "");
	ok(hash_file(p.copy, before, &err), &err);
	pid = start_holder(p.live, "BEGIN IMMEDIATE");
	who = mem_printf("held open by pid %d ", (int)pid);
	assert_int_equal(delta(&p, &stats, &err), -1);
	assert_int_equal(err.kind, ERR_AGAIN);
	assert_non_null(strstr(err.text, who));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	ok(hash_file(p.copy, after, &err), &err);
	assert_memory_equal(before, after, HASH_SIZE);
	must_be_live(&p, &stats);
	free(who);
	free_pair(&p);
}

static void
test_missing(void **state)
{
	struct db_pages_stats stats;
	struct err err = ERR_INIT;
	struct pair p;

	(void)state;
	for (size_t k = 0; k < (size_t)BED_HOSTS * BED_HOSTS; k++) {
		make_pair(&p, k / BED_HOSTS, k % BED_HOSTS, "gone", "");
		assert_int_equal(unlink(p.live), 0);
		assert_int_equal(delta(&p, &stats, &err), -1);
		assert_int_equal(err.kind, ERR_MISSING);
		assert_int_not_equal(access(p.live, F_OK), 0);
		sql(p.live, "CREATE TABLE t(a)");
		must_be_live(&p, &stats);
		assert_int_equal(unlink(p.copy), 0);
		assert_int_equal(delta(&p, &stats, &err), -1);
		assert_int_equal(err.kind, ERR_MISSING);
		assert_int_not_equal(access(p.copy, F_OK), 0);
		free_pair(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_wal_left),
		cmocka_unit_test(test_hot_journal),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_believed),
		cmocka_unit_test(test_no_sums),
		cmocka_unit_test(test_locked_meanwhile),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_missing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_bed, close_bed);
}
