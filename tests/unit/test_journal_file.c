#include "base/base.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/journal.h"
#include "journal_bed.h"

static unsigned int
mode_of(const char *path, const char *suffix)
{
	char *name = mem_printf("%s%s", path, suffix);
	struct stat st;
	int rc = lstat(name, &st);

	free(name);
	return rc == 0 ? st.st_mode & 07777 : 0;
}

static void
write_at(const char *path, off_t at, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	assert_int_equal(close(fd), 0);
}

static void
test_files_are_private(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	mode_t old = umask(0);
	struct journal *j = journal_bed_open(p, true);

	OK(journal_put(j, "kind", "agent", &err));
	assert_int_equal(mode_of(p->dir, ""), 0700);
	assert_int_equal(mode_of(p->path, ""), 0600);
	assert_int_equal(mode_of(p->path, "-wal"), 0600);
	assert_int_equal(mode_of(p->path, "-shm"), 0600);
	assert_int_equal(mode_of(p->path, ".lock"), 0600);
	assert_string_equal(journal_path(j), p->path);
	journal_close(j);

	/* A umask that takes our own bits away does not stop us. */
	OK(fs_remove(p->dir, &err));
	OK(fs_mkdirs(p->dir, 0700, &err));
	(void)umask(0277);
	j = journal_bed_open(p, true);
	assert_int_equal(mode_of(p->path, ""), 0600);
	journal_close(j);
	(void)umask(old);
}

static void
test_bare_name_and_linked_directory(void **state)
{
	struct journal_bed *p = *state, there = { 0 };
	struct err err = ERR_INIT;
	char *cwd = getcwd(NULL, 0), *link;
	struct journal *j;

	assert_int_equal(chdir(p->root), 0);
	there.path = mem_strdup("bare");
	journal_close(journal_bed_open(&there, true));
	assert_int_equal(mode_of("bare", ""), 0600);
	free(there.path);

	OK(fs_mkdirs(p->dir, 0700, &err));
	assert_int_equal(symlink("jobs", "link"), 0);
	link = mem_printf("%s/link/sage.journal", p->root);
	OK(journal_open(link, true, &j, &err));
	journal_close(j);
	assert_int_equal(mode_of(p->path, ""), 0600);
	assert_int_equal(chdir(cwd), 0);
	free(link);
	free(cwd);
}

static void
test_one_writer_many_readers(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j, *other, *reader;
	char words[64];
	int go[2], status;
	pid_t pid;
	char c;

	/* The writer is another process, which lives until we say. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		j = journal_bed_open(p, true);
		OK(journal_page_begin(j, &err));
		journal_bed_add(j, "s", "m", 0, 10);
		OK(journal_page_commit(j, "s", "", false, &err));
		OK(journal_page_begin(j, &err));
		journal_bed_add(j, "s", "m", 10, 10);
		if (write(go[1], "", 1) != 1 || read(go[1], &c, 1) != 1)
			_exit(1);
		(void)raise(SIGKILL);
	}
	assert_int_equal(read(go[0], &c, 1), 1);
	(void)snprintf(words, sizeof(words), "locked by pid %d on ",
	    (int)pid);
	FAILS(journal_open(p->path, true, &other, &err), ERR_LOCKED, words);
	assert_null(other);
	assert_non_null(strstr(err.text, " since 20"));
	(void)snprintf(words, sizeof(words), "with: ps -p %d", (int)pid);
	assert_non_null(strstr(err.text, words));

	/* Its open page is not there for a reader. */
	reader = journal_bed_open(p, false);
	assert_int_equal(journal_bed_count(reader, "s"), 10);
	journal_close(reader);

	assert_int_equal(write(go[0], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	(void)close(go[0]);
	(void)close(go[1]);
	j = journal_bed_open(p, true);
	FAILS(journal_open(p->path, true, &other, &err), ERR_LOCKED,
	    p->path);

	/* A reader in the same process takes none of the writer's locks. */
	reader = journal_bed_open(p, false);
	assert_int_equal(journal_bed_count(reader, "s"), 10);
	journal_close(reader);
	OK(journal_put(j, "a", "b", &err));
	journal_close(j);
}

static void
test_lock_file_of_any_content(void **state)
{
	static const char *const lines[] = { "", "\n", "host\n", "h 0x1 t c\n",
	    "h 99999999999999999999 t c\n", "   " };
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true), *other;
	char *lock = mem_printf("%s.lock", p->path), junk[600];
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(truncate(lock, 0), 0);
		write_at(lock, 0, lines[i], strlen(lines[i]));
		FAILS(journal_open(p->path, true, &other, &err), ERR_LOCKED,
		    "locked by another process");
	}
	write_at(lock, 0, "far\033[2J 12 then x\n", 19);
	FAILS(journal_open(p->path, true, &other, &err), ERR_LOCKED,
	    "by pid 12 on far\\x1b[2J since then; wait for it, or look at "
	    "it there with: ps -p 12");
	memset(junk, 'x', sizeof(junk));
	write_at(lock, 0, junk, sizeof(junk));
	FAILS(journal_open(p->path, true, &other, &err), ERR_LOCKED,
	    "locked by another process");
	journal_close(j);

	/* Given back, the file stays and says nothing. */
	assert_int_equal(mode_of(lock, ""), 0600);
	j = journal_bed_open(p, true);
	journal_close(j);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(symlink(p->path, lock), 0);
	FAILS(journal_open(p->path, true, &j, &err), ERR_FAILED, lock);
	free(lock);
}

static void
test_file_that_is_not_ours(void **state)
{
	static const unsigned char other[4] = { 0, 0, 0, 7 };
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j;
	char *aside = mem_printf("%s.aside", p->path);
	int writer;

	FAILS(journal_open(p->path, false, &j, &err), ERR_MISSING, p->path);
	assert_int_equal(mode_of(p->dir, ""), 0);
	journal_close(journal_bed_open(p, true));
	for (writer = 0; writer < 2; writer++) {
		assert_int_equal(chmod(p->path, 0640), 0);
		FAILS(journal_open(p->path, writer, &j, &err), ERR_FAILED,
		    "run: chmod 600");
		assert_int_equal(chmod(p->path, 0600), 0);
		assert_int_equal(rename(p->path, aside), 0);
		assert_int_equal(symlink(aside, p->path), 0);
		FAILS(journal_open(p->path, writer, &j, &err), ERR_FAILED,
		    "a symlink");
		assert_int_equal(unlink(p->path), 0);
		assert_int_equal(rename(aside, p->path), 0);
	}

	/* The version (offset 60), then the owner (68) of an SQLite file. */
	write_at(p->path, 60, other, 4);
	FAILS(journal_open(p->path, true, &j, &err), ERR_DATA,
	    "written by a newer sanctumctl (its version is 7, ours 1)");
	write_at(p->path, 68, other, 4);
	FAILS(journal_open(p->path, true, &j, &err), ERR_DATA,
	    "another program (application_id 0x00000007)");
	write_at(p->path, 0, "not at all a database", 21);
	FAILS(journal_open(p->path, true, &j, &err), ERR_DATA,
	    "not even an SQLite file");
	free(aside);
}

static void
test_file_cut_short_while_made(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j;

	OK(fs_mkdirs(p->dir, 0700, &err));
	write_at(p->path, 0, "", 0);
	FAILS(journal_open(p->path, false, &j, &err), ERR_MISSING,
	    "no job was begun");
	j = journal_bed_open(p, true);
	OK(journal_put(j, "kind", "agent", &err));
	journal_close(j);
}

static void
test_damage_is_told(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	char junk[4096];
	struct stat st;
	off_t at;

	OK(journal_page_begin(j, &err));
	journal_bed_add(j, "s", "m", 0, 2000);
	OK(journal_page_commit(j, "s", "", true, &err));
	journal_close(j);

	assert_int_equal(stat(p->path, &st), 0);
	memset(junk, 0x5a, sizeof(junk));
	for (at = 4096; at < st.st_size; at += 4096)
		write_at(p->path, at, junk, sizeof(junk));
	j = journal_bed_open(p, true);
	FAILS(journal_page_begin(j, &err) != 0 ? -1 :
	    journal_page_commit(j, "s", "", true, &err), ERR_DATA, "damaged");
	assert_non_null(strstr(err.text, p->path));
	journal_close(j);
}

/* In a child with a filesystem of its own: fill it. */
static int
fill_disk(const struct journal_bed *p)
{
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	char body[4096], id[32];
	uint64_t before;
	bool added;
	int i, rc = 0;

	OK(journal_page_begin(j, &err));
	journal_bed_add(j, "s", "m", 0, 10);
	OK(journal_page_commit(j, "s", "first", false, &err));
	before = journal_bed_count(j, "s");
	memset(body, 'x', sizeof(body));
	OK(journal_page_begin(j, &err));
	for (i = 0; rc == 0 && i < 2000; i++) {
		(void)snprintf(id, sizeof(id), "big%d", i);
		rc = journal_row_add(j, "s", id, body, sizeof(body), &added,
		    &err);
	}
	if (rc == 0)
		rc = journal_page_commit(j, "s", "second", false, &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_non_null(strstr(err.text, "no space left"));
	assert_non_null(strstr(err.text, p->path));

	/* Had the page been lost, a later row must not stand alone. */
	if (journal_row_add(j, "s", "late", "", 0, &added, &err) == 0)
		assert_true(added);
	journal_page_abort(j);
	assert_int_equal(journal_bed_count(j, "s"), before);
	journal_bed_cursor(j, "s", "first");
	journal_close(j);
	return 0;
}

static void
test_full_disk(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	OK(fs_mkdirs(p->dir, 0700, &err));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER |
		    CLONE_NEWNS) != 0)
			_exit(77);
		if (mount("none", "/", "none", MS_REC | MS_PRIVATE,
		    NULL) != 0 ||
		    mount("none", p->dir, "tmpfs", 0, "size=1m") != 0)
			_exit(77);
		_exit(fill_disk(p));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_files_are_private),
		TEST(test_bare_name_and_linked_directory),
		TEST(test_one_writer_many_readers),
		TEST(test_lock_file_of_any_content),
		TEST(test_file_that_is_not_ours),
		TEST(test_file_cut_short_while_made),
		TEST(test_damage_is_told),
		TEST(test_full_disk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
