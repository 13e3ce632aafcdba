#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "bed_hosts.h"
#include "io/host.h"

/* Processes, on the hosts of bed_hosts.h: all are this machine. */

/* How a child shows itself. */
struct child {
	const char *cwd;	/* or NULL */
	const char *open;	/* a file to hold open, or NULL */
	bool ignore_term;
};

/* A child that is as it is said to be when this returns, and waits. */
static pid_t
start_child(const struct child *c)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *const argv[] = { (char *)(uintptr_t)"sleep",
			(char *)(uintptr_t)"600", NULL };
		char *const env[] = { (char *)(uintptr_t)"AGENT_ID=agent-1",
			(char *)(uintptr_t)"AGENT_ID_OLD=no",
			(char *)(uintptr_t)"EMPTY=",
			(char *)(uintptr_t)"PATH=/bin:/usr/bin", NULL };

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (c->ignore_term)
			(void)signal(SIGTERM, SIG_IGN);
		if ((c->cwd && chdir(c->cwd) != 0) ||
		    (c->open && open(c->open, O_RDONLY) < 0))
			_exit(1);
		/* The pipe closes as the program begins. */
		(void)execve("/bin/sleep", argv, env);
		_exit(1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	(void)close(ready[0]);
	return pid;
}

static void
end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* What is listed of one pid. */
struct seen {
	pid_t pid;
	size_t all;
	bool found;
	struct procs_info info;
	char text[3][256];	/* exe, cwd, second word of argv */
};

static int
look(void *ctx, const struct procs_info *info, struct err *err)
{
	struct seen *s = ctx;
	size_t len = strlen(info->argv);

	(void)err;
	s->all++;
	if (info->pid != s->pid)
		return 0;
	s->found = true;
	s->info = *info;
	(void)snprintf(s->text[0], sizeof(s->text[0]), "%s", info->exe);
	(void)snprintf(s->text[1], sizeof(s->text[1]), "%s", info->cwd);
	(void)snprintf(s->text[2], sizeof(s->text[2]), "%s",
	    info->argv_len > len + 1 ? info->argv + len + 1 : "");
	return 0;
}

static bool
find(struct host *h, const char *dir, pid_t pid, struct seen *s)
{
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	s->pid = pid;
	ok(host_processes(h, dir, look, s, &err), &err);
	return s->found;
}

static char *
make_dir(size_t i, const char *name)
{
	char *dir = bed_hosts_in(&bed, i, name);
	struct err err = ERR_INIT;

	ok(host_mkdirs(bed.hosts[i], dir, 0755, &err), &err);
	return dir;
}

static void
test_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		char *tree = make_dir(i, "list"), *sub = make_dir(i,
		    "list/broca"), *other = make_dir(i, "list-not");
		const struct child in = { .cwd = sub };
		const pid_t pid = start_child(&in);
		struct seen s;

		assert_true(find(bed.hosts[i], tree, pid, &s));
		assert_int_equal(s.all, 1);
		assert_int_equal(s.info.why, PROCS_CWD);
		assert_int_equal(s.info.ppid, getpid());
		assert_int_equal(s.info.uid, getuid());
		assert_true(s.info.start > 0);
		assert_string_equal(s.text[1], sub);
		assert_string_equal(s.text[2], "600");
		assert_int_equal(s.info.argv_len, strlen("sleep") + 5);
		assert_true(str_ends(s.text[0], "/sleep") ||
		    strstr(s.text[0], "coreutils") ||
		    strstr(s.text[0], "busybox"));

		/* A neighbour whose name begins likewise is another one. */
		assert_false(find(bed.hosts[i], other, pid, &s));
		assert_int_equal(s.all, 0);
		assert_true(find(bed.hosts[i], NULL, pid, &s));
		assert_true(s.all > 1);
		assert_int_equal(s.info.why, 0);
		end_child(pid);
		assert_false(find(bed.hosts[i], tree, pid, &s));
		free(other);
		free(sub);
		free(tree);
	}
}

/* By a file held open alone, also one that was removed since. */
static void
test_open_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		const struct fs_meta meta = { .mode = 0600,
			.uid = (uid_t)-1, .gid = (gid_t)-1 };
		char *tree = make_dir(i, "fd"), *file = bed_hosts_in(&bed, i,
		    "fd/sanctum.db");
		const struct child in = { .cwd = "/", .open = file };
		struct err err = ERR_INIT;
		struct seen s;
		pid_t pid;

		ok(host_replace(bed.hosts[i], file, "x", 1, &meta, &err),
		    &err);
		pid = start_child(&in);
		assert_true(find(bed.hosts[i], tree, pid, &s));
		assert_int_equal(s.info.why, PROCS_FD);
		ok(host_remove(bed.hosts[i], tree, &err), &err);
		assert_true(find(bed.hosts[i], tree, pid, &s));
		end_child(pid);
		free(file);
		free(tree);
	}
}

/* A tree that was renamed, and one seen through a symlink. */
static void
test_renamed(void **state)
{
	char *tree = make_dir(0, "before"), *sub = make_dir(0, "before/smcp");
	char *after = bed_hosts_in(&bed, 0, "after");
	char *link = bed_hosts_in(&bed, 0, "link");
	const struct child in = { .cwd = sub };
	const pid_t pid = start_child(&in);
	struct seen s;

	(void)state;
	assert_int_equal(rename(tree, after), 0);
	assert_int_equal(symlink(after, link), 0);
	assert_true(find(bed.hosts[0], after, pid, &s));
	assert_int_equal(s.info.why, PROCS_CWD);
	assert_true(find(bed.hosts[0], link, pid, &s));
	assert_false(find(bed.hosts[0], tree, pid, &s));
	end_child(pid);
	free(link);
	free(after);
	free(sub);
	free(tree);
}

/* One whose end nobody has waited for holds nothing any more. */
static void
test_zombie(void **state)
{
	char *tree = make_dir(0, "zombie");
	const struct child in = { .cwd = tree };
	const pid_t pid = start_child(&in);
	struct err err = ERR_INIT;
	struct seen s, gone;
	siginfo_t ended;
	bool there = true;

	(void)state;
	assert_true(find(bed.hosts[0], tree, pid, &s));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT),
	    0);
	assert_false(find(bed.hosts[0], tree, pid, &gone));
	assert_false(find(bed.hosts[0], NULL, pid, &gone));
	ok(host_signal(bed.hosts[0], pid, s.info.start, 0, &there, &err),
	    &err);
	assert_false(there);
	end_child(pid);
	free(tree);
}

static void
test_signal(void **state)
{
	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		const struct child deaf = { .ignore_term = true };
		const pid_t pid = start_child(&deaf);
		struct host *h = bed.hosts[i];
		struct err err = ERR_INIT;
		bool there = false;
		struct seen s;
		int status;

		assert_true(find(h, NULL, pid, &s));
		ok(host_signal(h, pid, s.info.start, 0, &there, &err), &err);
		assert_true(there);
		/* Another process of that pid is not the one that is meant. */
		ok(host_signal(h, pid, s.info.start + 1, SIGKILL, &there,
		    &err), &err);
		assert_false(there);
		ok(host_signal(h, pid, s.info.start, SIGTERM, &there, &err),
		    &err);
		assert_true(there);
		ok(host_signal(h, pid, s.info.start, SIGKILL, &there, &err),
		    &err);
		assert_true(there);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		ok(host_signal(h, pid, s.info.start, SIGTERM, &there, &err),
		    &err);
		assert_false(there);
		assert_int_equal(host_signal(h, 0, 0, SIGTERM, &there, &err),
		    -1);
	}
}

static void
test_env(void **state)
{
	static const char *const names[] = { "EMPTY", "AGENT_ID", "NONE",
		NULL };
	static const char want[] = "AGENT_ID=agent-1\0EMPTY=";
	struct err errs[BED_HOSTS];

	(void)state;
	memset(errs, 0, sizeof(errs));
	for (size_t i = 0; i < BED_HOSTS; i++) {
		const struct child in = { .cwd = "/" };
		const pid_t pid = start_child(&in);
		struct host *h = bed.hosts[i];
		struct buf out = BUF_INIT(4096), small = BUF_INIT(3);
		struct err err = ERR_INIT;
		struct seen s;

		assert_true(find(h, NULL, pid, &s));
		ok(host_process_env(h, pid, s.info.start, names, &out, &err),
		    &err);
		assert_int_equal(out.len, sizeof(want));
		assert_memory_equal(out.data, want, sizeof(want));
		assert_int_equal(host_process_env(h, pid, s.info.start,
		    names, &small, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		assert_int_equal(host_process_env(h, pid, s.info.start - 1,
		    names, &out, &errs[i]), -1);
		assert_int_equal(errs[i].kind, ERR_MISSING);
		end_child(pid);
		buf_wipe(&small);
		buf_wipe(&out);
	}
}

static int
refuse(void *ctx, const struct procs_info *info, struct err *err)
{
	size_t *n = ctx;

	(void)info;
	++*n;
	return err_set(err, ERR_STALE, "enough");
}

/* A callback that fails ends the list, and the host goes on to answer. */
static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < BED_HOSTS; i++) {
		struct err err = ERR_INIT;
		struct fs_meta meta;
		size_t n = 0;

		assert_int_equal(host_processes(bed.hosts[i], NULL, refuse,
		    &n, &err), -1);
		assert_int_equal(n, 1);
		assert_int_equal(err.kind, ERR_STALE);
		assert_non_null(strstr(err.text, "enough"));
		ok(host_stat(bed.hosts[i], "/", &meta, &err), &err);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_open_file),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_zombie),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, open_bed, close_bed);
}
