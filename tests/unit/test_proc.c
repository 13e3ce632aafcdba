#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/proc.h"

#define LONG_MS (120 * 1000)	/* never reached when all is well */

/* The result is cleared by the next call, or by forget. */
static struct proc_result result;

static void
forget(void)
{
	proc_result_clear(&result);
}

static int
run_for(const char *const *argv, const char *input, uint64_t timeout_ms,
    struct err *err)
{
	struct proc_spec spec = {
		.argv = argv,
		.input = input,
		.input_len = input ? strlen(input) : 0,
		.timeout_ms = timeout_ms,
	};

	forget();
	proc_result_init(&result, 64 * 1024);
	return proc_run(&spec, &result, err);
}

static int
run_sh(const char *script, uint64_t timeout_ms, struct err *err)
{
	const char *argv[] = { "sh", "-c", script, NULL };

	return run_for(argv, NULL, timeout_ms, err);
}

static int
set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *dir = mem_printf("%s/proc-XXXXXX", base ? base : "/tmp");

	*state = dir;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct err err = ERR_INIT;
	int rc;

	forget();
	rc = chdir("/");
	if (rc == 0)
		rc = fs_remove(*state, &err);
	free(*state);
	return rc;
}

static void
captures_both_outputs_and_the_exit_code(void **state)
{
	const char *argv[] = { "sh", "-c", "cat; echo oops >&2; exit 7",
	    NULL };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run_for(argv, "a 'b' $c", LONG_MS, &err), 0);
	assert_int_equal(result.status, 7);
	assert_string_equal(buf_cstr(&result.out), "a 'b' $c");
	assert_string_equal(buf_cstr(&result.err_out), "oops\n");
}

static void
words_pass_as_they_are(void **state)
{
	const char *argv[] = { "printf", "%s|", "a b", "", "$(x)", "*", "\n",
	    NULL };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run_for(argv, NULL, LONG_MS, &err), 0);
	assert_string_equal(buf_cstr(&result.out), "a b||$(x)|*|\n|");
}

static void
feeds_more_than_a_pipe_holds_both_ways(void **state)
{
	const char *argv[] = { "cat", NULL };
	size_t len = 3 * 1024 * 1024;
	char *input = mem_alloc(len);
	struct proc_spec spec = {
		.argv = argv,
		.input = input,
		.input_len = len,
		.timeout_ms = LONG_MS,
	};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < len; i++)
		input[i] = (char)(i * 31 >> 3);
	forget();
	proc_result_init(&result, len);
	assert_int_equal(proc_run(&spec, &result, &err), 0);
	assert_int_equal(result.out.len, len);
	assert_memory_equal(result.out.data, input, len);
	free(input);
}

static void
output_over_the_maximum_is_dropped(void **state)
{
	const char *argv[] = { "sh", "-c",
	    "i=0; while [ $i -lt 9999 ]; do echo 0123456789; i=$((i+1)); "
	    "done; exit 3", NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = LONG_MS };
	struct err err = ERR_INIT;

	(void)state;
	forget();
	proc_result_init(&result, 25);
	assert_int_equal(proc_run(&spec, &result, &err), 0);
	assert_int_equal(result.status, 3);
	assert_true(result.out.full);
	assert_string_equal(buf_cstr(&result.out),
	    "0123456789\n0123456789\n012");
	assert_false(result.err_out.full);
}

static void
input_that_nobody_reads_is_no_failure(void **state)
{
	const char *argv[] = { "true", NULL };
	struct proc_spec spec = {
		.argv = argv,
		.input = mem_zero(1, 1024 * 1024),
		.input_len = 1024 * 1024,
		.timeout_ms = LONG_MS,
	};
	struct err err = ERR_INIT;

	(void)state;
	forget();
	proc_result_init(&result, 10);
	assert_int_equal(proc_run(&spec, &result, &err), 0);
	assert_int_equal(result.status, 0);
	free((void *)(uintptr_t)spec.input);
}

static void
a_signal_is_128_and_its_number(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run_sh("kill -9 $$", LONG_MS, &err), 0);
	assert_int_equal(result.status, 128 + SIGKILL);
}

static bool
under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static void
a_program_that_is_not_there_is_told(void **state)
{
	const char *none[] = { "no-such-program-here", NULL };
	const char *path[] = { "./none", NULL };
	const char *script[] = { "./script", NULL };
	const char *text[] = { "./text", NULL };
	const struct fs_meta meta = { .mode = 0755, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run_for(none, NULL, LONG_MS, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);
	assert_string_equal(err.text,
	    "no-such-program-here: no such program in PATH");
	assert_int_equal(run_for(path, NULL, LONG_MS, &err), -1);
	assert_int_equal(err.kind, ERR_MISSING);

	/* valgrind 3.19 ends a program whose execve fails in this way. */
	assert_int_equal(fs_replace("script", "#!/none/sh\n", 11, &meta,
	    &err), 0);
	if (!under_valgrind()) {
		assert_int_equal(run_for(script, NULL, LONG_MS, &err), -1);
		assert_int_equal(err.kind, ERR_MISSING);
		assert_non_null(strstr(err.text, "interpreter"));
	}

	/* No shell steps in for what is not executable. */
	assert_int_equal(fs_replace("text", "echo hi\n", 8, &meta, &err), 0);
	assert_int_equal(run_for(text, NULL, LONG_MS, &err), -1);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_non_null(strstr(err.text, "Exec format error"));
}

static void
environment_is_added_and_overridden(void **state)
{
	const char *argv[] = { "sh", "-c", "echo $OLD,$NEW,$KEPT", NULL };
	const char *env[] = { "OLD=2", "NEW=a b", NULL };
	struct proc_spec spec = {
		.argv = argv,
		.env = env,
		.timeout_ms = LONG_MS,
	};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(setenv("OLD", "1", 1), 0);
	assert_int_equal(setenv("KEPT", "k", 1), 0);
	forget();
	proc_result_init(&result, 100);
	assert_int_equal(proc_run(&spec, &result, &err), 0);
	assert_string_equal(buf_cstr(&result.out), "2,a b,k\n");
	assert_string_equal(getenv("OLD"), "1");
}

static void
no_descriptor_or_disposition_leaks(void **state)
{
	const char *argv[] = { "sh", "-c",
	    "ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status", NULL };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	struct err err = ERR_INIT;
	int fd = open("/dev/null", O_RDONLY);
	uint64_t ignored;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 200), 200);
	assert_int_equal(sigaction(SIGUSR1, &ignore, &old), 0);
	assert_int_equal(run_for(argv, NULL, LONG_MS, &err), 0);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	(void)close(200);
	(void)close(fd);

	/* 0, 1, 2 and the one that ls reads the directory with. */
	assert_true(str_starts(buf_cstr(&result.out), "4\nSigIgn:\t"));
	ignored = strtoull(strchr(buf_cstr(&result.out), '\t'), NULL, 16);

	/*
	 * Signals 32 and 33 are glibc's own: its posix_spawn(3), by which
	 * make starts us, leaves them ignored, and sigaction(3) refuses them.
	 */
	assert_int_equal(ignored & ~(UINT64_C(3) << 31), 0);
}

static void
works_with_its_own_standard_fds_closed(void **state)
{
	struct err err = ERR_INIT;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		(void)close(0);
		(void)close(1);
		(void)close(2);
		_exit(run_sh("cat; echo out; echo err >&2", LONG_MS,
		    &err) == 0 &&
		    strcmp(buf_cstr(&result.out), "out\n") == 0 &&
		    strcmp(buf_cstr(&result.err_out), "err\n") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Read until nobody holds the write end any more: all are dead. */
static void
await_all_closed(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0)
		;
}

static void
the_whole_group_ends_at_the_deadline(void **state)
{
	struct err err = ERR_INIT;
	int fd;

	(void)state;
	assert_int_equal(mkfifo("alive", 0600), 0);
	fd = open("alive", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);

	/* Both ignore SIGTERM; the pipe's write end dies with the last. */
	assert_int_equal(run_sh("exec 3>alive; trap '' TERM; echo begun; "
	    "(while :; do sleep 1000; done) & while :; do sleep 1000; done",
	    2000, &err), -1);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_true(err.transient);
	assert_string_equal(err.text,
	    "sh: had not ended after 2000 ms and was stopped");
	assert_string_equal(buf_cstr(&result.out), "begun\n");
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	await_all_closed(fd);
	(void)close(fd);
}

static void
a_deadline_holds_for_one_that_closed_its_pipes(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run_sh("exec >&- 2>&-; exec sleep 1000", 200, &err),
	    -1);
	assert_true(err.transient);
	assert_int_equal(result.status, 128 + SIGTERM);
}

static void
a_polite_program_may_say_a_last_word(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(run_sh("trap 'echo bye; exit 0' TERM; "
	    "while :; do sleep 0.05; done", 2000, &err), -1);
	assert_string_equal(buf_cstr(&result.out), "bye\n");
	assert_int_equal(result.status, 0);
}

static void
a_daemon_left_behind_does_not_hold_us(void **state)
{
	struct err err = ERR_INIT;
	uint64_t pid;

	(void)state;
	assert_int_equal(run_sh("sleep 1000 & echo $!", LONG_MS, &err), 0);
	assert_int_equal(result.status, 0);
	pid = strtoull(buf_cstr(&result.out), NULL, 10);
	assert_true(pid > 1);

	/* It lives on. */
	assert_int_equal(kill((pid_t)pid, 0), 0);
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

/* In a child: the flag stays set for good. */
static int
stop_while_running(void)
{
	struct err err = ERR_INIT;
	char script[64];

	stop_catch();
	if (stop_asked() || stop_check(&err) != 0)
		return 1;
	(void)snprintf(script, sizeof(script),
	    "kill -INT %ld; exec sleep 1000", (long)getpid());
	if (run_sh(script, LONG_MS, &err) == 0)
		return 2;
	if (err.kind != ERR_INTERRUPTED ||
	    strcmp(err.text, "sh: interrupted by SIGINT") != 0)
		return 3;
	if (result.status != 128 + SIGTERM)
		return 4;

	/* From now on nothing is started. */
	if (run_sh("touch started", LONG_MS, &err) == 0 ||
	    access("started", F_OK) == 0)
		return 5;
	(void)raise(SIGTERM);
	(void)raise(SIGPIPE);
	err_clear(&err);
	return stop_check(&err) != 0 &&
	    strcmp(err.text, "interrupted by SIGINT") == 0 ? 0 : 6;
}

static void
a_signal_ends_the_program_and_says_so(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(stop_while_running());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
no_child_and_no_descriptor_is_left(void **state)
{
	struct err err = ERR_INIT;
	int before, after;

	(void)state;
	before = dup(0);
	(void)close(before);
	for (int i = 0; i < 20; i++)
		assert_int_equal(run_sh("echo x", LONG_MS, &err), 0);
	after = dup(0);
	(void)close(after);
	assert_int_equal(before, after);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(captures_both_outputs_and_the_exit_code),
		TEST(words_pass_as_they_are),
		TEST(feeds_more_than_a_pipe_holds_both_ways),
		TEST(output_over_the_maximum_is_dropped),
		TEST(input_that_nobody_reads_is_no_failure),
		TEST(a_signal_is_128_and_its_number),
		TEST(a_program_that_is_not_there_is_told),
		TEST(environment_is_added_and_overridden),
		TEST(no_descriptor_or_disposition_leaks),
		TEST(works_with_its_own_standard_fds_closed),
		TEST(the_whole_group_ends_at_the_deadline),
		TEST(a_deadline_holds_for_one_that_closed_its_pipes),
		TEST(a_polite_program_may_say_a_last_word),
		TEST(a_daemon_left_behind_does_not_hold_us),
		TEST(a_signal_ends_the_program_and_says_so),
		TEST(no_child_and_no_descriptor_is_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
