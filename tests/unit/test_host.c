#include "base/base.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "bed_hosts.h"
#include "io/host.h"

/* Files, programs and databases on the four hosts of bed_hosts.h. */

static char *
in(size_t i, const char *name)
{
	return bed_hosts_in(&bed, i, name);
}

static void
test_facts(void **state)
{
	const struct host_facts *here = host_facts(bed.hosts[0]);
	size_t i;

	(void)state;
	for (i = 0; i < BED_HOSTS; i++) {
		const struct host_facts *f = host_facts(bed.hosts[i]);

		assert_string_equal(f->machine, here->machine);
		assert_string_equal(f->hostname, here->hostname);
		assert_string_equal(f->home, bed.sshd.home);
		assert_int_equal(f->uid, getuid());
		assert_int_equal(f->gid, getgid());
	}
}

static void
test_files(void **state)
{
	const struct fs_meta meta = { .mode = 0640, .uid = (uid_t)-1,
		.gid = (gid_t)-1 };
	const size_t len = 3 * MIB + 17;
	char *data = mem_alloc(len);
	size_t i, k;

	(void)state;
	for (k = 0; k < len; k++)
		data[k] = (char)(k * 7 + k / 251);
	for (i = 0; i < BED_HOSTS; i++) {
		struct host *h = bed.hosts[i];
		struct buf got = BUF_INIT(4 * MIB);
		struct err err = ERR_INIT;
		struct fs_meta st;
		char *dir = in(i, "a/b"), *file = in(i, "a/b/f");
		char *other = in(i, "a/g");
		uint64_t bytes = 0;

		ok(host_mkdirs(h, dir, 0750, &err), &err);
		ok(host_replace(h, file, data, len, &meta, &err), &err);
		ok(host_stat(h, file, &st, &err), &err);
		assert_int_equal(st.type, FS_FILE);
		assert_int_equal(st.mode, 0640);
		assert_int_equal(st.size_bytes, len);
		assert_int_equal(st.uid, getuid());
		assert_true(st.mtime_ns > 0);
		ok(host_read(h, file, &got, &st, &err), &err);
		assert_int_equal(got.len, len);
		assert_memory_equal(got.data, data, len);
		assert_int_equal(st.mode, 0640);

		ok(host_rename(h, file, other, 0, &err), &err);
		ok(host_stat(h, file, &st, &err), &err);
		assert_int_equal(st.type, FS_NONE);
		ok(host_rename(h, dir, other, 1, &err), &err);
		ok(host_stat(h, other, &st, &err), &err);
		assert_int_equal(st.type, FS_DIR);
		ok(host_free_bytes(h, dir, &bytes, &err), &err);
		assert_true(bytes > 0);
		ok(host_remove(h, other, &err), &err);
		ok(host_remove(h, other, &err), &err);
		ok(host_stat(h, other, &st, &err), &err);
		assert_int_equal(st.type, FS_NONE);

		/* An empty file, and "~/". */
		ok(host_replace(h, "~/empty", "", 0, &meta, &err), &err);
		buf_truncate(&got, 0);
		ok(host_read(h, "~/empty", &got, NULL, &err), &err);
		assert_int_equal(got.len, 0);
		ok(host_remove(h, "~/empty", &err), &err);
		buf_clear(&got);
		free(other);
		free(file);
		free(dir);
	}
	free(data);
}

static void
test_file_failures(void **state)
{
	struct err errs[4][BED_HOSTS];
	size_t i;

	(void)state;
	memset(errs, 0, sizeof(errs));
	for (i = 0; i < BED_HOSTS; i++) {
		const struct fs_meta meta = { .mode = 0600, .uid = getuid(),
			.gid = getgid() };
		struct host *h = bed.hosts[i];
		struct buf small = BUF_INIT(3);
		char *none = in(i, "no/such"), *file = in(i, "file");
		struct err err = ERR_INIT;

		ok(host_replace(h, file, "1234", 4, &meta, &err), &err);
		assert_int_equal(host_read(h, none, &small, NULL,
		    &errs[0][i]), -1);
		assert_int_equal(errs[0][i].kind, ERR_MISSING);
		assert_int_equal(host_read(h, file, &small, NULL,
		    &errs[1][i]), -1);
		assert_int_equal(errs[1][i].kind, ERR_DATA);
		assert_int_equal(host_rename(h, none, file, 0, &errs[2][i]),
		    -1);
		assert_int_equal(host_mkdirs(h, "not/absolute", 0700,
		    &errs[3][i]), -1);
		assert_int_equal(errs[3][i].kind, ERR_USAGE);

		/* The path is named once. */
		assert_null(strstr(strstr(errs[0][i].text, none) + 1, none));
		buf_clear(&small);
		free(file);
		free(none);
	}
	bed_hosts_same(&bed, errs[0]);
	bed_hosts_same(&bed, errs[1]);
	bed_hosts_same(&bed, errs[2]);
	bed_hosts_same(&bed, errs[3]);
}

static int
run_on(size_t i, const char *script, const char *input, size_t input_len,
    uint64_t timeout_ms, struct proc_result *result, struct err *err)
{
	const char *const argv[] = { "sh", "-c", script, "sh", "it's", NULL };
	const char *const env[] = { "GREETING=a b", NULL };
	const struct proc_spec spec = { .argv = argv, .env = env,
		.input = input, .input_len = input_len,
		.timeout_ms = timeout_ms };

	return host_run(bed.hosts[i], &spec, result, err);
}

static void
test_run(void **state)
{
	const size_t len = 8 * MIB;
	char *input = mem_alloc(len);
	size_t i, k;

	(void)state;
	for (k = 0; k < len; k++)
		input[k] = (char)('a' + k % 23);
	for (i = 0; i < BED_HOSTS; i++) {
		struct proc_result r;
		struct err err = ERR_INIT;

		proc_result_init(&r, 16 * MIB);
		ok(run_on(i, "echo \"$GREETING,$1\"; echo bad >&2; exit 3",
		    NULL, 0, 60000, &r, &err), &err);
		assert_int_equal(r.status, 3);
		assert_string_equal(buf_cstr(&r.out), "a b,it's\n");
		assert_string_equal(buf_cstr(&r.err_out), "bad\n");
		proc_result_clear(&r);

		/* Much in and much out at the same time. */
		ok(run_on(i, "cat; exit 0", input, len, 60000, &r, &err),
		    &err);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.out.len, len);
		assert_memory_equal(r.out.data, input, len);
		proc_result_clear(&r);

		/* One that does not read its input. */
		ok(run_on(i, "exit 7", input, len, 60000, &r, &err), &err);
		assert_int_equal(r.status, 7);
		proc_result_clear(&r);

		ok(run_on(i, "kill -9 $$", NULL, 0, 60000, &r, &err), &err);
		assert_int_equal(r.status, 128 + 9);
		proc_result_clear(&r);

		/* More than the caller's maximum. */
		proc_result_init(&r, 100);
		ok(run_on(i, "cat", input, len, 60000, &r, &err), &err);
		assert_true(r.out.full);
		assert_int_equal(r.out.len, 100);
		assert_false(r.err_out.full);
		proc_result_clear(&r);
	}
	free(input);
}

static void
test_run_failures(void **state)
{
	const char *const argv[] = { "no-such-program", NULL };
	const struct proc_spec none = { .argv = argv, .timeout_ms = 60000 };
	struct err missing[BED_HOSTS], late[BED_HOSTS];
	size_t i;

	(void)state;
	memset(missing, 0, sizeof(missing));
	memset(late, 0, sizeof(late));
	for (i = 0; i < BED_HOSTS; i++) {
		struct proc_result r;

		proc_result_init(&r, 100);
		assert_int_equal(host_run(bed.hosts[i], &none, &r,
		    &missing[i]), -1);
		assert_int_equal(missing[i].kind, ERR_MISSING);
		assert_int_equal(run_on(i, "sleep 60", NULL, 0, 100, &r,
		    &late[i]), -1);
		assert_true(late[i].transient);
		proc_result_clear(&r);
	}
	bed_hosts_same(&bed, missing);
	bed_hosts_same(&bed, late);
}

static void
test_db(void **state)
{
	struct db_report reports[2][BED_HOSTS], none;
	struct err missing[BED_HOSTS];
	size_t i;

	(void)state;
	memset(missing, 0, sizeof(missing));
	for (i = 0; i < BED_HOSTS; i++) {
		struct host *h = bed.hosts[i];
		char *from = in(i, "s.db"), *to = in(i, "t.db");
		const char *const argv[] = { "sqlite3", from,
			"create table m(a); insert into m values(1),(2);"
			"create table n(a);", NULL };
		const struct proc_spec make = { .argv = argv,
			.timeout_ms = 60000 };
		struct proc_result r;
		struct err err = ERR_INIT;

		proc_result_init(&r, 1000);
		ok(host_run(h, &make, &r, &err), &err);
		assert_int_equal(r.status, 0);
		proc_result_clear(&r);
		memset(&reports[0][i], 0, sizeof(reports[0][i]));
		memset(&reports[1][i], 0, sizeof(reports[1][i]));
		ok(host_snapshot(h, from, to, &reports[0][i], &err), &err);
		ok(host_db_check(h, to, &reports[1][i], &err), &err);
		assert_int_equal(reports[1][i].n_tables, 2);
		assert_int_equal(reports[1][i].tables[0].rows, 2);
		assert_memory_equal(&reports[0][i], &reports[0][0],
		    sizeof(reports[0][i]));
		assert_memory_equal(&reports[1][i], &reports[1][0],
		    sizeof(reports[1][i]));
		ok(host_remove(h, from, &err), &err);
		assert_int_equal(host_db_check(h, from, &none,
		    &missing[i]), -1);
		free(from);
		free(to);
	}
	bed_hosts_same(&bed, missing);
}

static void
test_connects(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned int closed;
	size_t i;

	/* Bound and not listening: refused. */
	(void)state;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	closed = ntohs(addr.sin_port);
	for (i = 0; i < BED_HOSTS; i++) {
		struct err err = ERR_INIT;
		bool taken = false;

		ok(host_connects(bed.hosts[i], "127.0.0.1", bed.sshd.port,
		    &taken, &err), &err);
		assert_true(taken);
		ok(host_connects(bed.hosts[i], "127.0.0.1", closed, &taken,
		    &err), &err);
		assert_false(taken);
		assert_int_equal(host_connects(bed.hosts[i], "localhost",
		    closed, &taken, &err), -1);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_file_failures),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_run_failures),
		cmocka_unit_test(test_db),
		cmocka_unit_test(test_connects),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_bed, close_bed);
}
