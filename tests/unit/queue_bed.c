#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/host.h"
#include "queue_bed.h"

static const struct fs_meta plain = {
	.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
};

static char *
in(const struct queue_bed *bed, const char *name)
{
	return mem_printf("%s/%s", bed->files->root, name);
}

static void
put(const struct queue_bed *bed, const char *name, const char *text)
{
	char *path = in(bed, name);
	struct err err = ERR_INIT;

	OK(fs_replace(path, text, strlen(text), &plain, &err));
	free(path);
}

static sqlite3 *
open_db(const char *path)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
	return db;
}

void
queue_bed_sql(const char *path, const char *sql)
{
	sqlite3 *db = open_db(path);

	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	(void)sqlite3_close(db);
}

void
queue_bed_expect(const char *path, const char *sql, const char *want)
{
	sqlite3 *db = open_db(path);
	struct buf out = BUF_INIT(1024 * 1024);
	sqlite3_stmt *st = NULL;
	const unsigned char *text;
	int n;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	n = sqlite3_column_count(st);
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < n; i++) {
			text = sqlite3_column_text(st, i);
			buf_printf(&out, "%s%c", text ? (const char *)text :
			    "-", i == n - 1 ? '\n' : '|');
		}
	}
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

void
queue_bed_row(const char *db, int id, const char *status, int attempts,
    const char *text, const char *time)
{
	char *sql = mem_printf("INSERT INTO messages (id, letta_user_id, "
	    "platform_profile_id, role, message, timestamp) VALUES (%d, 1, 1, "
	    "'user', '%s', '%s'); INSERT INTO queue VALUES (%d, 1, %d, '%s', "
	    "%d, '%s')", id, text, time, id, id, status, attempts, time);

	queue_bed_sql(db, sql);
	free(sql);
}

void
queue_bed_copy(const char *from, const char *to)
{
	struct buf bytes = BUF_INIT(16 * 1024 * 1024);
	struct err err = ERR_INIT;

	OK(fs_read(from, &bytes, NULL, &err));
	OK(fs_replace(to, bytes.data, bytes.len, &plain, &err));
	buf_clear(&bytes);
}

static void
make_db(const struct queue_bed *bed)
{
	const char *top = getenv("srcdir");
	char *path = mem_printf("%s/tests/bed/sanctum-schema.sql",
	    top ? top : ".");
	struct buf schema = BUF_INIT(65536);
	struct err err = ERR_INIT;

	OK(fs_read(path, &schema, NULL, &err));
	queue_bed_sql(bed->old_db, buf_cstr(&schema));
	queue_bed_sql(bed->old_db, "INSERT INTO letta_users VALUES "
	    "(1, 'c', 'l', '" QUEUE_BED_ADA "', 'block-1', NULL, NULL, 1),"
	    "(2, 'c', 'l', 'identity-2', 'block-2', NULL, NULL, 1);"
	    "INSERT INTO platform_profiles VALUES "
	    "(1, 1, 'telegram', '7', 'ada', 'Ada', NULL, 'c', 'l'),"
	    "(2, 2, 'web_chat', 'b-1', 'bob', 'Bob', '{}', 'c', 'l')");
	buf_clear(&schema);
	free(path);
}

static void
open_run(struct queue_bed *bed)
{
	struct run_options options = {
		.state_dir = bed->files->dir, .writer = true, .secrets = true
	};
	char *path = in(bed, "job.conf");
	struct err err = ERR_INIT;

	OK(run_open(path, &options, &bed->run, &err));
	bed->worker = &bed->run->conf->workers[0];
	OK(run_host(bed->run, bed->worker->from_host, &bed->from, &err));
	OK(run_host(bed->run, bed->worker->to_host, &bed->to, &err));
	free(path);
}

void
queue_bed_open(struct queue_bed *bed, const struct journal_bed *files,
    const char *url, const char *to_url)
{
	char *old, *new, *job;
	struct err err = ERR_INIT;

	*bed = (struct queue_bed){ .files = files };
	old = in(bed, "old");
	new = in(bed, "new");
	bed->old_db = in(bed, "old/broca/sanctum.db");
	bed->new_db = in(bed, "new/broca/sanctum.db");
	job = mem_printf("[job]\nkind = workers\nname = move\n"
	    "[host old]\naddress = local\n[host here]\naddress = local\n"
	    "[letta old]\nurl = %s\n[letta new]\nurl = %s\n"
	    "[worker sage]\nagent = " QUEUE_BED_AGENT "\nserver = new\n"
	    "from_server = old\nfrom = old:%s\nto = here:%s\n", url, to_url,
	    old, new);
	put(bed, "job.conf", job);
	for (int i = 0; i < 2; i++) {
		char *dir = in(bed, i ? "new/broca" : "old/broca");

		OK(fs_mkdirs(dir, 0755, &err));
		free(dir);
	}
	put(bed, "old/broca/.env", "AGENT_ID=" QUEUE_BED_AGENT "\n");
	make_db(bed);
	open_run(bed);
	free(job);
	free(old);
	free(new);
}

void
queue_bed_again(struct queue_bed *bed)
{
	run_close(bed->run);
	open_run(bed);
}

void
queue_bed_close(struct queue_bed *bed)
{
	run_close(bed->run);
	free(bed->old_db);
	free(bed->new_db);
}
