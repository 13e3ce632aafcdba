#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "flow/worker_stop.h"
#include "io/host.h"

/* A worker's directory with a tree, and processes that are not Broca. */
struct bed {
	char dir[64];
	char *tree;
	struct host *host;
};

static const char *const trees[] = { "broca", NULL };

static void
open_bed(struct bed *bed)
{
	const struct host_spec spec = { .name = "here", .local = true };
	struct err err = ERR_INIT;
	char *file;
	FILE *made;

	(void)snprintf(bed->dir, sizeof(bed->dir), "/tmp/test_stop.XXXXXX");
	assert_non_null(mkdtemp(bed->dir));
	bed->tree = mem_printf("%s/broca", bed->dir);
	assert_int_equal(mkdir(bed->tree, 0700), 0);
	file = mem_printf("%s/main.py", bed->tree);
	made = fopen(file, "w");
	assert_non_null(made);
	assert_int_equal(fclose(made), 0);
	free(file);
	assert_int_equal(host_open(&spec, &bed->host, &err), 0);
}

static void
close_bed(struct bed *bed)
{
	struct err err = ERR_INIT;

	assert_int_equal(host_remove(bed->host, bed->dir, &err), 0);
	host_close(bed->host);
	free(bed->tree);
}

/* A shell that waits, under another name and with one word more. */
static pid_t
start_child(const char *cwd, const char *name, const char *last)
{
	const char *const words[] = { name, "-c", "sleep 600; :", last, NULL };
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setpgid(0, 0);
		if (chdir(cwd) == 0)
			(void)execv("/bin/sh", (char *const *)(uintptr_t)words);
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
	(void)kill(-pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool
is_worker(const struct bed *bed, pid_t pid)
{
	struct worker_processes all;
	struct err err = ERR_INIT;
	bool found = false;

	assert_int_equal(worker_processes(bed->host, bed->dir, trees, &all,
	    &err), 0);
	for (size_t i = 0; i < all.n; i++)
		found |= all.list[i].pid == pid;
	worker_processes_clear(&all);
	return found;
}

static bool
would_stop(const struct bed *bed, const char *cwd, const char *name,
    const char *last)
{
	const pid_t pid = start_child(cwd, name, last);
	const bool found = is_worker(bed, pid);

	end_child(pid);
	return found;
}

static void
test_whose(void **state)
{
	struct bed bed;
	char *path;

	(void)state;
	open_bed(&bed);
	path = mem_printf("%s/main.py", bed.tree);
	assert_true(would_stop(&bed, bed.tree, "python3", "main.py"));
	assert_true(would_stop(&bed, bed.tree, "/opt/python3.11",
	    "./main.py"));
	assert_false(would_stop(&bed, bed.tree, "python3", "other.py"));
	assert_false(would_stop(&bed, "/", "python3", "main.py"));

	/* From elsewhere, by what it runs. */
	assert_true(would_stop(&bed, "/", "python3", path));
	assert_true(would_stop(&bed, bed.dir, "python3", "broca/main.py"));
	assert_false(would_stop(&bed, "/tmp", "python3", "broca/main.py"));

	/* An operator's, who has the file before him. */
	assert_false(would_stop(&bed, bed.tree, "vim", "main.py"));
	assert_false(would_stop(&bed, bed.tree, "less", path));
	assert_false(would_stop(&bed, bed.tree, "SCREEN", "main.py"));
	free(path);
	close_bed(&bed);
}

/* Both are there; one of them is to go. */
static void
test_stop(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t killed;
	pid_t worker, editor;

	(void)state;
	open_bed(&bed);
	editor = start_child(bed.tree, "vim", "main.py");
	worker = start_child(bed.tree, "python3", "main.py");
	assert_int_equal(worker_stop(bed.host, bed.dir, trees, false, &killed,
	    &err), 0);
	assert_int_equal(killed, 0);
	assert_int_equal(waitpid(editor, NULL, WNOHANG), 0);
	end_child(worker);
	end_child(editor);
	close_bed(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_stop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
