#include "base/base.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/tree.h"
#include "tree_bed.h"

#define SWAPS 100
#define WALKS 50		/* of them, each time: its window is small */

static void
walk_is_sorted_and_tells_all(void **state)
{
	static const char *const want[] = { "", "a", "a/b", "a/b/big",
	    "a/b/c", "a/b/c/\303\244 \n", "a/b/link", "a/b/none", "a-b",
	    "dangling", "empty", "run.sh" };
	struct err err = ERR_INIT;
	struct tree_bed seen;

	(void)state;
	tree_bed_make("t");
	assert_int_equal(tree_bed_walk("t", NULL, &seen, &err), 0);
	assert_int_equal(seen.n, 12);
	for (size_t i = 0; i < 12; i++)
		assert_string_equal(seen.paths[i], want[i]);
	assert_non_null(strstr(buf_cstr(&seen.text),
	    "f 0600 0 -4999999993 a/b/none e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855\n"));
	assert_non_null(strstr(buf_cstr(&seen.text), "f 0755 10 "));
	assert_non_null(strstr(buf_cstr(&seen.text),
	    "d 0555 0 1111111111000000111 a/b \n"));
	assert_non_null(strstr(buf_cstr(&seen.text),
	    "l 0777 0 1000000000000000001 dangling -> gone/nowhere \n"));
	tree_bed_forget(&seen);
	assert_int_equal(tree_bed_walk("none", NULL, &seen, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
}

static void
walk_excludes_without_looking(void **state)
{
	static const char *const exclude[] = { "*.pyc", "a/skip", ".venv",
	    "a/*/s", NULL };
	struct err err = ERR_INIT;
	struct tree_bed seen;

	(void)state;
	assert_int_equal(fs_mkdirs("t/a/skip/x", 0755, &err), 0);
	assert_int_equal(fs_mkdirs("t/b/skip", 0755, &err), 0);
	assert_int_equal(fs_mkdirs("t/.venv/bin", 0755, &err), 0);
	assert_int_equal(fs_mkdirs("t/a/b/c", 0755, &err), 0);
	tree_bed_put("t/b/x.pyc", "", 0, 0600);
	assert_int_equal(symlink("/usr/bin/python3", "t/.venv/bin/python"),
	    0);
	assert_int_equal(mkfifo("t/a/b/s", 0600), 0);
	if (tree_bed_walk("t", exclude, &seen, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(seen.n, 6);
	assert_string_equal(seen.paths[2], "a/b");
	assert_string_equal(seen.paths[3], "a/b/c");
	assert_string_equal(seen.paths[5], "b/skip");
	tree_bed_forget(&seen);
}

static int
see_path(void *ctx, const struct tree_entry *e, struct err *err)
{
	struct tree_bed *seen = ctx;

	(void)err;
	buf_printf(&seen->text, "[%s]", e->path);
	return 0;
}

static void
walk_enters_only_the_directories_named(void **state)
{
	static const char *const top[] = { "b", "none", NULL };
	const struct tree_rules rules = { .top = top };
	struct tree_bed seen = { .text = BUF_INIT(4096) };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_mkdirs("t/a/b", 0755, &err), 0);
	assert_int_equal(fs_mkdirs("t/b/a", 0755, &err), 0);
	tree_bed_put("t/f", "", 0, 0644);
	assert_int_equal(tree_walk("t", &rules, see_path, &seen, &err), 0);
	assert_string_equal(buf_cstr(&seen.text), "[][b][b/a][f]");
	tree_bed_forget(&seen);
}

static void
walk_refuses(const char *part)
{
	struct err err = ERR_INIT;
	struct tree_bed seen;

	assert_int_equal(tree_bed_walk("t", NULL, &seen, &err), -1);
	tree_bed_forget(&seen);
	if (err.kind != ERR_DATA || !strstr(err.text, part))
		fail_msg("%s", err.text);
}

static void
walk_refuses_what_no_tree_holds(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX,
	    .sun_path = "t/d/x" };
	int fd;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	assert_int_equal(mkdir("t/d", 0755), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)),
	    0);
	(void)close(fd);
	walk_refuses("t: 1 thing that cannot be part of a tree: d/x (socket)");
	assert_int_equal(unlink("t/d/x"), 0);
	assert_int_equal(mkfifo("t/d/x", 0600), 0);
	walk_refuses("d/x (FIFO)");
	assert_int_equal(unlink("t/d/x"), 0);
	assert_int_equal(symlink("/etc/passwd", "t/d/x"), 0);
	walk_refuses("t/d/x: a symlink that is absolute: -> /etc/passwd");
	assert_int_equal(unlink("t/d/x"), 0);
	assert_int_equal(symlink("../../up", "t/d/x"), 0);
	walk_refuses("t/d/x: a symlink that leads out of the tree: "
	    "-> ../../up");
}

static void
walk_is_bounded_in_depth_and_length(void **state)
{
	char name[NAME_MAX + 1];
	int at, next;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	at = open("t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < TREE_DEPTH_MAX + 1; i++) {
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = next;
	}
	(void)close(at);
	walk_refuses("more than 128");
	assert_int_equal(rename("t/d/d", "t2"), 0);

	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	at = open("t/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(mkdirat(at, name, 0755), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = next;
	}
	(void)close(at);
	walk_refuses("longer than 4095 bytes");
}

static void
what_is_packed_unpacks_the_same(void **state)
{
	static const size_t steps[] = { 1, 2, 7, 23, 24, 25, 4096, 65539,
	    TREE_BED_MAX };
	struct buf stream = BUF_INIT(TREE_BED_MAX);
	struct tree_stats stats;
	struct err err = ERR_INIT;
	struct fs_meta meta;
	mode_t old = umask(077);

	(void)state;
	tree_bed_make("t");
	assert_int_equal(tree_bed_pack("t", &stream, &err), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (tree_bed_unpack("u", stream.data, stream.len, steps[i],
		    &stats, &err) != 0)
			fail_msg("steps of %zu: %s", steps[i], err.text);
		assert_int_equal(stats.entries, 12);
		assert_int_equal(stats.bytes, 150026);
		tree_bed_same("t", "u");
		assert_int_equal(fs_stat("u/run.sh", &meta, &err), 0);
		assert_int_equal(meta.mode, 0755);

		/* Each second time over what is there already. */
		if (i % 2 != 0)
			assert_int_equal(fs_remove("u", &err), 0);
	}
	(void)umask(old);
	buf_clear(&stream);
}

static int
without_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = 4, .filter = code };
	struct buf stream = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	int dir;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		return 77;
	tree_bed_make("t");
	if (tree_bed_pack("t", &stream, &err) != 0 ||
	    tree_bed_unpack("u", stream.data, stream.len, TREE_BED_MAX, NULL,
	    &err) != 0)
		return 1;
	buf_clear(&stream);
	tree_bed_same("t", "u");
	if (symlink("a", "t/l") != 0 || symlink("/etc", "t/abs") != 0)
		return 2;
	dir = open("t", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fs_beneath_open(dir, "l/b/big", O_RDONLY, 0) < 0 &&
	    fs_beneath_open(dir, "abs/passwd", O_RDONLY, 0) < 0 &&
	    fs_beneath_open(dir, "abs", O_RDONLY, 0) < 0 &&
	    fs_beneath_open(dir, "a/../../x", O_RDONLY, 0) < 0 &&
	    fs_beneath_open(dir, "a/b/big", O_RDONLY, 0) >= 0 ? 0 : 3;
}

static void
works_where_there_is_no_openat2(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(without_openat2());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
types_that_changed_are_replaced(void **state)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	assert_int_equal(mkdir("t/was-file", 0755), 0);
	tree_bed_put("t/was-dir", "f", 1, 0644);
	assert_int_equal(symlink("x", "t/was-file2"), 0);
	assert_int_equal(mkdir("u", 0755), 0);
	tree_bed_put("u/was-file", "", 0, 0400);
	tree_bed_put("u/was-file2", "", 0, 0400);
	assert_int_equal(mkdir("u/was-dir", 0755), 0);
	assert_int_equal(tree_bed_pack("t", &b, &err), 0);
	if (tree_bed_unpack("u", b.data, b.len, TREE_BED_MAX, NULL, &err) != 0)
		fail_msg("%s", err.text);
	tree_bed_same("t", "u");

	assert_int_equal(unlink("u/was-dir"), 0);
	assert_int_equal(fs_mkdirs("u/was-dir/full", 0755, &err), 0);
	assert_int_equal(tree_bed_unpack("u", b.data, b.len, TREE_BED_MAX, NULL,
	    &err), -1);
	assert_string_equal(err.text,
	    "u/was-dir: replace what is there: Directory not empty");
	buf_clear(&b);
}

static void
owner_is_the_one_asked_for(void **state)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct tree_unpack *u;
	struct fs_meta meta;
	static const char *const paths[] = { "", "d", "d/f", "l" };
	static const struct tree_owner owner = { .uid = 1234, .gid = 4321 };

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(fs_mkdirs("t/d", 0755, &err), 0);
	tree_bed_put("t/d/f", "x", 1, 0640);
	assert_int_equal(symlink("d", "t/l"), 0);
	assert_int_equal(tree_bed_pack("t", &b, &err), 0);
	assert_int_equal(tree_unpack_open("u", &owner, &u, &err), 0);
	assert_int_equal(tree_unpack_write(u, b.data, b.len, &err), 0);
	assert_int_equal(tree_unpack_finish(u, NULL, &err), 0);
	tree_unpack_free(u);
	for (size_t i = 0; i < 4; i++) {
		char *path = mem_printf("u/%s", paths[i]);

		if (i == 0)
			path[1] = '\0';
		assert_int_equal(fs_stat(path, &meta, &err), 0);
		assert_int_equal(meta.uid, 1234);
		assert_int_equal(meta.gid, 4321);
		free(path);
	}
	buf_clear(&b);
}

/* A sink that changes the file it is being sent. */
struct meddler {
	struct buf got;
	const char *path;
	off_t size;		/* what it is cut or grown to; -1: touch */
	bool done;
};

static int
meddle(void *ctx, const void *data, size_t len, struct err *err)
{
	struct meddler *m = ctx;

	if (!m->done && len > 1000) {
		m->done = true;
		if (m->size >= 0)
			(void)!truncate(m->path, m->size);
		else
			tree_bed_time(m->path, 1, 1);
	}
	return tree_bed_into_buf(&m->got, data, len, err);
}

static void
a_file_that_changes_meanwhile_is_stale(void **state)
{
	static const char *const paths[] = { "", "f" };
	static const char *const gone[] = { "", "gone" };
	static const off_t sizes[] = { 70000, 90000, -1 };
	struct buf b = BUF_INIT(TREE_BED_MAX);
	char data[80000] = { 0 };
	struct err err = ERR_INIT;
	struct tree_stats stats;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	for (size_t i = 0; i < 3; i++) {
		struct meddler m = { .got = BUF_INIT(TREE_BED_MAX),
		    .path = "t/f", .size = sizes[i] };

		tree_bed_put("t/f", data, sizeof(data), 0644);
		assert_int_equal(tree_pack("t", paths, 2, meddle, &m, &err),
		    -1);
		assert_int_equal(err.kind, ERR_STALE);
		assert_true(str_starts(err.text, "t/f: "));

		/* And the other end does not take what it got for whole. */
		assert_int_equal(tree_bed_unpack("u", m.got.data, m.got.len,
		    TREE_BED_MAX, &stats, &err), -1);
		buf_clear(&m.got);
	}
	assert_int_equal(tree_pack("t", gone, 2, tree_bed_into_buf, &b,
	    &err), -1);
	assert_int_equal(err.kind, ERR_STALE);
	assert_string_equal(err.text, "t/gone: vanished");
	buf_clear(&b);
}

/* Swap a directory with a symlink to outside, and back, for ever. */
static void
swap_for_ever(const char *real, const char *aside, const char *outside)
{
	/* A test that fails forgets us. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!symlink(outside, aside);
	for (;;)
		(void)renameat2(AT_FDCWD, real, AT_FDCWD, aside,
		    RENAME_EXCHANGE);
}

static void
end_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
a_swapped_directory_never_leads_out(void **state)
{
	static const char *const paths[] = { "", "d", "d/e", "d/e/f" };
	struct buf whole = BUF_INIT(TREE_BED_MAX), got = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct tree_bed seen, before, after;
	int taken = 0, refused = 0;
	pid_t pid[2];

	(void)state;
	assert_int_equal(fs_mkdirs("t/d/e", 0755, &err), 0);
	tree_bed_put("t/d/e/f", "inside", 6, 0644);
	assert_int_equal(fs_mkdirs("out/e", 0755, &err), 0);
	tree_bed_put("out/e/f", "OUTSIDE", 7, 0600);
	assert_int_equal(tree_pack("t", paths, 4, tree_bed_into_buf, &whole,
	    &err), 0);
	assert_int_equal(tree_bed_unpack("u", whole.data, whole.len,
	    TREE_BED_MAX, NULL, &err), 0);
	assert_int_equal(tree_bed_walk("out", NULL, &before, &err), 0);

	pid[0] = fork();
	if (pid[0] == 0)
		swap_for_ever("t/d", "t.aside", "../out");
	pid[1] = fork();
	if (pid[1] == 0)
		swap_for_ever("u/d", "u.aside", "../out");
	for (int i = 0; i < SWAPS; i++) {
		/* What is outside is met neither by walk nor by pack. */
		for (int j = 0; j < WALKS; j++) {
			if (tree_bed_walk("t", NULL, &seen, &err) == 0)
				taken++;
			assert_null(strstr(buf_cstr(&seen.text), " 0600 7 "));
			tree_bed_forget(&seen);
		}
		if (tree_pack("t", paths, 4, tree_bed_into_buf, &got,
		    &err) == 0)
			taken++;
		else
			refused++;
		assert_null(memmem(got.data, got.len, "OUTSIDE", 7));
		buf_clear(&got);
		if (tree_bed_unpack("u", whole.data, whole.len, TREE_BED_MAX,
		    NULL, &err) == 0)
			taken++;
		else
			refused++;
	}
	end_child(pid[0]);
	end_child(pid[1]);
	(void)fprintf(stderr, "# %d went through, %d were refused\n", taken,
	    refused);
	assert_int_equal(tree_bed_walk("out", NULL, &after, &err), 0);
	assert_string_equal(buf_cstr(&before.text), buf_cstr(&after.text));
	tree_bed_forget(&before);
	tree_bed_forget(&after);
	buf_clear(&whole);
	assert_true(taken > 0);
	assert_true(refused > 0);
}

static int
unpack_to_a_small_filesystem(void)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct fs_meta meta;
	char *data = mem_zero(1, 1024 * 1024);

	if (unshare(CLONE_NEWNS) != 0 || mkdir("mnt", 0755) != 0 ||
	    mount("none", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
	    mount("none", "mnt", "tmpfs", 0, "size=256k") != 0)
		return 77;
	assert_int_equal(fs_mkdirs("t/d", 0755, &err), 0);
	tree_bed_put("t/d/f", data, 1024 * 1024, 0644);
	free(data);
	if (tree_bed_pack("t", &b, &err) != 0)
		return 1;
	if (tree_bed_unpack("mnt/u", b.data, b.len, TREE_BED_MAX, NULL,
	    &err) == 0)
		return 2;
	buf_clear(&b);
	if (!str_starts(err.text, "mnt/u/d/f: write: no space left on the "
	    "filesystem /") || !str_ends(err.text, "/mnt")) {
		(void)fprintf(stderr, "# %s\n", err.text);
		return 3;
	}
	if (fs_stat("mnt/u/d/f", &meta, &err) != 0 || meta.type != FS_NONE)
		return 4;
	return 0;
}

static void
a_full_disk_is_named(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0)
		_exit(unpack_to_a_small_filesystem());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
names_are_made_fit_for_a_terminal(void **state)
{
	struct err err = ERR_INIT;
	struct tree_bed seen;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	assert_int_equal(symlink("/\033]0;x\007", "t/\033[31m"), 0);
	assert_int_equal(tree_bed_walk("t", NULL, &seen, &err), -1);
	tree_bed_forget(&seen);
	assert_null(strchr(err.text, '\033'));
	assert_null(strchr(err.text, '\007'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, \
		    tree_bed_set_up, tree_bed_tear_down)
		TEST(walk_is_sorted_and_tells_all),
		TEST(walk_excludes_without_looking),
		TEST(walk_enters_only_the_directories_named),
		TEST(walk_refuses_what_no_tree_holds),
		TEST(walk_is_bounded_in_depth_and_length),
		TEST(what_is_packed_unpacks_the_same),
		TEST(works_where_there_is_no_openat2),
		TEST(types_that_changed_are_replaced),
		TEST(owner_is_the_one_asked_for),
		TEST(a_file_that_changes_meanwhile_is_stale),
		TEST(a_swapped_directory_never_leads_out),
		TEST(a_full_disk_is_named),
		TEST(names_are_made_fit_for_a_terminal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
