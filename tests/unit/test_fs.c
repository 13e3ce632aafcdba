#include "base/base.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/fs.h"

#define NOBODY 65534

static const struct fs_meta plain = {
	.mode = 0640,
	.uid = (uid_t)-1,
	.gid = (gid_t)-1,
};

/* Each test works in a directory of its own, which is its current one. */
static int
set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *dir = mem_printf("%s/fs-XXXXXX", base ? base : "/tmp");

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

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void
assert_holds(const char *path, const char *text)
{
	struct buf got = BUF_INIT(4096);
	struct err err = ERR_INIT;

	assert_int_equal(fs_read(path, &got, NULL, &err), 0);
	assert_string_equal(buf_cstr(&got), text);
	buf_clear(&got);
}

/* Names in the current directory, "." and ".." aside. */
static int
count_names(void)
{
	FILE *list;
	char line[32] = "";
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], 1);
		(void)execlp("find", "find", ".", "-mindepth", "1",
		    "-maxdepth", "1", "-printf", ".", (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	list = fdopen(ends[0], "r");
	assert_non_null(list);
	(void)!fgets(line, sizeof(line), list);
	(void)fclose(list);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return (int)strlen(line);
}

/* Run body in a child that may not be root any more; its exit code. */
static int
in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
stat_tells_what_is_there(void **state)
{
	struct fs_meta meta;
	struct err err = ERR_INIT;

	(void)state;
	put("file", "12345");
	assert_int_equal(chmod("file", 0604), 0);
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);

	assert_int_equal(fs_stat("file", &meta, &err), 0);
	assert_int_equal(meta.type, FS_FILE);
	assert_int_equal(meta.mode, 0604);
	assert_int_equal(meta.size_bytes, 5);
	assert_true(meta.mtime_ns > INT64_C(1500000000) * 1000000000);
	assert_int_equal(fs_stat("link", &meta, &err), 0);
	assert_int_equal(meta.type, FS_SYMLINK);
	assert_int_equal(fs_stat("fifo", &meta, &err), 0);
	assert_int_equal(meta.type, FS_OTHER);
	assert_int_equal(fs_stat(".", &meta, &err), 0);
	assert_int_equal(meta.type, FS_DIR);
	assert_int_equal(fs_stat("none", &meta, &err), 0);
	assert_int_equal(meta.type, FS_NONE);
	assert_int_equal(fs_stat("file/below", &meta, &err), 0);
	assert_int_equal(meta.type, FS_NONE);
}

static void
read_is_bounded_and_takes_files_only(void **state)
{
	struct buf out = BUF_INIT(8);
	struct fs_meta meta;
	struct err err = ERR_INIT;

	(void)state;
	put("small", "12345");
	put("large", "123456789");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("small", "link"), 0);

	assert_int_equal(fs_read("link", &out, &meta, &err), 0);
	assert_string_equal(buf_cstr(&out), "12345");
	assert_int_equal(meta.type, FS_FILE);
	assert_int_equal(meta.size_bytes, 5);
	buf_clear(&out);

	assert_int_equal(fs_read("large", &out, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "large"));
	buf_clear(&out);
	assert_int_equal(fs_read("fifo", &out, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_int_equal(fs_read(".", &out, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_int_equal(fs_read("none", &out, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_string_equal(err.text,
	    "none: open: No such file or directory");
	buf_clear(&out);
}

static void
read_if_takes_nothing_for_no_file(void **state)
{
	struct buf got = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_read_if("none", &got, &err), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(err.kind, ERR_NONE);
	put("there", "text");
	assert_int_equal(fs_read_if("there", &got, &err), 0);
	assert_string_equal(buf_cstr(&got), "text");
	assert_int_equal(fs_read_if(".", &got, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	buf_clear(&got);
}

static void
replace_makes_and_replaces_whole(void **state)
{
	struct fs_meta meta, want = plain;
	struct err err = ERR_INIT;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(fs_replace("a", "one", 3, &plain, &err), 0);
	(void)umask(old);
	assert_holds("a", "one");
	assert_int_equal(fs_stat("a", &meta, &err), 0);
	assert_int_equal(meta.mode, 0640);

	want.mode = 0600;
	if (geteuid() == 0) {
		want.uid = 1234;
		want.gid = 4321;
	}
	assert_int_equal(fs_replace("./a", "", 0, &want, &err), 0);
	assert_holds("a", "");
	assert_int_equal(fs_stat("a", &meta, &err), 0);
	assert_int_equal(meta.mode, 0600);
	if (geteuid() == 0) {
		assert_int_equal(meta.uid, 1234);
		assert_int_equal(meta.gid, 4321);
	}
	assert_int_equal(count_names(), 1);
}

static void
replace_does_not_follow_a_symlink(void **state)
{
	struct fs_meta meta;
	struct err err = ERR_INIT;

	(void)state;
	put("outside", "keep");
	assert_int_equal(symlink("outside", "a"), 0);
	assert_int_equal(fs_replace("a", "new", 3, &plain, &err), 0);
	assert_holds("outside", "keep");
	assert_holds("a", "new");
	assert_int_equal(fs_stat("a", &meta, &err), 0);
	assert_int_equal(meta.type, FS_FILE);
}

static void
replace_leaves_nothing_when_it_fails(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(fs_replace("dir", "x", 1, &plain, &err), -1);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_int_equal(count_names(), 1);
	assert_int_equal(fs_replace("none/a", "x", 1, &plain, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_int_equal(fs_replace("dir/..", "x", 1, &plain, &err), -1);
	assert_int_equal(fs_replace("dir/", "x", 1, &plain, &err), -1);
	assert_non_null(strstr(err.text, "does not end in a name"));
}

static int
fill_a_small_filesystem(void)
{
	static char data[1024 * 1024];
	struct err err = ERR_INIT;
	uint64_t free_bytes;
	char cwd[PATH_MAX];

	if (unshare(CLONE_NEWNS) != 0 || mkdir("mnt", 0755) != 0 ||
	    mount("none", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
	    mount("none", "mnt", "tmpfs", 0, "size=256k") != 0)
		return 77;
	if (!getcwd(cwd, sizeof(cwd)) ||
	    fs_free_bytes("mnt", &free_bytes, &err) != 0 ||
	    free_bytes > 256 * 1024 || mkdir("mnt/sub", 0755) != 0 ||
	    fs_replace("mnt/sub/a", "old", 3, &plain, &err) != 0)
		return 1;
	if (fs_replace("mnt/sub/a", data, sizeof(data), &plain, &err) == 0)
		return 2;
	if (err.kind != ERR_FAILED || !strstr(err.text, "mnt/sub/a: write: "
	    "no space left on the filesystem /") ||
	    strcmp(strrchr(err.text, '/'), "/mnt") != 0)
		return 3;
	assert_holds("mnt/sub/a", "old");
	return chdir("mnt/sub") == 0 && count_names() == 1 ? 0 : 4;
}

static void
a_full_disk_is_named_and_left_clean(void **state)
{
	int rc;

	(void)state;
	if (geteuid() != 0)
		skip();
	rc = in_child(fill_a_small_filesystem);
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void
mkdirs_gives_the_mode_to_what_it_makes(void **state)
{
	struct fs_meta meta;
	struct err err = ERR_INIT;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(symlink("a", "l"), 0);
	assert_int_equal(fs_mkdirs("l//b/c/", 0751, &err), 0);
	(void)umask(old);
	assert_int_equal(fs_stat("a/b/c", &meta, &err), 0);
	assert_int_equal(meta.mode, 0751);
	assert_int_equal(fs_stat("a/b", &meta, &err), 0);
	assert_int_equal(meta.mode, 0751);
	assert_int_equal(fs_stat("a", &meta, &err), 0);
	assert_int_equal(meta.mode, 0700);

	put("file", "");
	assert_int_equal(fs_mkdirs("file/x", 0755, &err), -1);
	assert_non_null(strstr(err.text, "file/x"));
	assert_int_equal(fs_mkdirs("/", 0755, &err), 0);
}

static void
remove_takes_a_tree_but_nothing_behind_links(void **state)
{
	struct fs_meta meta;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_mkdirs("t/a/b", 0755, &err), 0);
	assert_int_equal(fs_mkdirs("kept", 0755, &err), 0);
	put("kept/file", "x");
	put("t/a/b/file", "x");
	assert_int_equal(symlink("../../kept", "t/a/link"), 0);
	assert_int_equal(mkfifo("t/fifo", 0600), 0);
	assert_int_equal(symlink("kept", "top"), 0);

	assert_int_equal(fs_remove("t", &err), 0);
	assert_int_equal(fs_stat("t", &meta, &err), 0);
	assert_int_equal(meta.type, FS_NONE);
	assert_int_equal(fs_remove("top", &err), 0);
	assert_holds("kept/file", "x");
	assert_int_equal(fs_remove("t", &err), 0);
	assert_int_equal(fs_remove("none/t", &err), 0);
	assert_int_equal(fs_remove("kept/..", &err), -1);
	assert_int_equal(fs_remove("/", &err), -1);
	assert_int_equal(fs_remove("kept/", &err), 0);
	assert_int_equal(count_names(), 0);
}

static int
remove_what_is_read_only(void)
{
	struct err err = ERR_INIT;

	if (geteuid() == 0 && (chown(".", NOBODY, NOBODY) != 0 ||
	    setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
		return 77;
	if (fs_mkdirs("r/s/t", 0755, &err) != 0)
		return 1;
	put("r/s/file", "");
	if (chmod("r/s/t", 0) != 0 || chmod("r/s", 0555) != 0)
		return 2;
	return fs_remove("r", &err) == 0 && count_names() == 0 ? 0 : 3;
}

static void
remove_clears_read_only_directories(void **state)
{
	int rc = in_child(remove_what_is_read_only);

	(void)state;
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void
remove_is_bounded_in_depth(void **state)
{
	struct err err = ERR_INIT;
	int at, next;

	(void)state;
	at = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < FS_DEPTH_MAX + 2; i++) {
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		assert_true(next >= 0);
		at = next;
	}
	(void)close(at);
	assert_int_equal(fs_remove("d", &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "directories deep"));

	/* Two down by one, then it fits. */
	assert_int_equal(rename("d/d/d", "e"), 0);
	assert_int_equal(fs_remove("d", &err), 0);
	assert_int_equal(fs_remove("e", &err), 0);
}

static int
remove_around_a_mount(void)
{
	struct err err = ERR_INIT;

	if (unshare(CLONE_NEWNS) != 0 || fs_mkdirs("t/mnt", 0755, &err) != 0 ||
	    mount("none", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
	    mount("none", "t/mnt", "tmpfs", 0, "size=256k") != 0)
		return 77;
	put("t/mnt/kept", "x");
	if (fs_remove("t", &err) == 0 || !strstr(err.text, "t/mnt: another"))
		return 1;
	assert_holds("t/mnt/kept", "x");
	return 0;
}

static void
remove_stays_on_its_filesystem(void **state)
{
	int rc;

	(void)state;
	if (geteuid() != 0)
		skip();
	rc = in_child(remove_around_a_mount);
	if (rc == 77)
		skip();
	assert_int_equal(rc, 0);
}

static void
rename_swaps_or_does_not_replace(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	put("a", "A");
	put("d/b", "B");
	assert_int_equal(fs_rename("a", "d/b", 0, &err), -1);
	assert_non_null(strstr(err.text, "d/b: something is there already"));
	assert_int_equal(fs_rename("a", "d/b", 1, &err), 0);
	assert_holds("a", "B");
	assert_holds("d/b", "A");
	assert_int_equal(fs_rename("a", "d/c", 0, &err), 0);
	assert_holds("d/c", "B");
	assert_int_equal(fs_rename("a", "d/c", 1, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_int_equal(fs_sync_dir("d", &err), 0);
	assert_int_equal(fs_sync_dir("a", &err), -1);
}

static void
beneath_refuses_every_way_out(void **state)
{
	static const char *const out[] = {
		"..", "../x", "in/..", "in/../..", "/etc", "in//f", "l/f",
		"l", "in/abs", NULL
	};
	int dir, fd;

	(void)state;
	assert_int_equal(mkdir("in", 0755), 0);
	put("in/f", "F");
	assert_int_equal(symlink("in", "l"), 0);
	assert_int_equal(symlink("/etc/passwd", "in/abs"), 0);
	dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	for (const char *const *path = out; *path; path++) {
		fd = fs_beneath_open(dir, *path, O_RDONLY, 0);
		if (fd >= 0)
			fail_msg("%s was opened", *path);
	}
	fd = fs_beneath_open(dir, "in/f", O_RDONLY, 0);
	assert_true(fd >= 0);
	(void)close(fd);
	fd = fs_beneath_open(dir, "in/g", O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	fd = fs_beneath_open(dir, "", O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(dir);
}

static void
a_long_path_leaves_room_for_the_cause(void **state)
{
	char path[3000];
	struct err err = ERR_INIT;

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	errno = EACCES;
	assert_int_equal(fs_fail(&err, "open", path), -1);
	assert_non_null(strstr(err.text, "open: Permission denied"));
}

static void
sweep_takes_what_the_dead_have_left(void **state)
{
	struct err err = ERR_INIT;
	char own[64], gone[64];
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)snprintf(own, sizeof(own), "left-%ld", (long)getpid());
	(void)snprintf(gone, sizeof(gone), "left-%ld", (long)pid);
	assert_int_equal(mkdir(gone, 0700), 0);
	put(own, "");
	put("left-", "");
	put("left-0", "");
	put("left-99999999999999999999", "");
	put(gone + 1, "");
	assert_int_equal(count_names(), 6);
	assert_int_equal(fs_sweep(".", fs_is_orphan, "left-", &err), 0);
	assert_int_equal(count_names(), 5);
	assert_int_equal(access(gone, F_OK), -1);
	assert_int_equal(fs_sweep("none", fs_is_orphan, "", &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(stat_tells_what_is_there),
		TEST(read_is_bounded_and_takes_files_only),
		TEST(read_if_takes_nothing_for_no_file),
		TEST(replace_makes_and_replaces_whole),
		TEST(replace_does_not_follow_a_symlink),
		TEST(replace_leaves_nothing_when_it_fails),
		TEST(a_full_disk_is_named_and_left_clean),
		TEST(mkdirs_gives_the_mode_to_what_it_makes),
		TEST(remove_takes_a_tree_but_nothing_behind_links),
		TEST(remove_clears_read_only_directories),
		TEST(remove_is_bounded_in_depth),
		TEST(remove_stays_on_its_filesystem),
		TEST(sweep_takes_what_the_dead_have_left),
		TEST(rename_swaps_or_does_not_replace),
		TEST(beneath_refuses_every_way_out),
		TEST(a_long_path_leaves_room_for_the_cause),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
