#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

/* With the points on, however this tree was configured. */
#ifndef ENABLE_FAULT_POINTS
#define ENABLE_FAULT_POINTS 1
#endif
#include "base/fault.c"

static int
set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = mem_printf("%s/test_fault.XXXXXX", tmp ? tmp : "/tmp");
	int fd = mkstemp(path);

	*state = path;
	return fd >= 0 ? close(fd) : -1;
}

static int
tear_down(void **state)
{
	char *path = *state;
	int rc = unlink(path);

	free(path);
	return rc;
}

/* Pass four points in a child; its exit code. */
static int
pass(const char *stop, const char *path)
{
	static const char *const names[] = { "a", "b", "b", "c" };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)unsetenv("SANCTUMCTL_FAULT_STOP");
		(void)unsetenv("SANCTUMCTL_FAULT_COUNT");
		if (stop)
			(void)setenv("SANCTUMCTL_FAULT_STOP", stop, 1);
		if (path)
			(void)setenv("SANCTUMCTL_FAULT_COUNT", path, 1);
		for (int i = 0; i < 4; i++)
			fault_point(names[i]);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
expect_file(const char *path, const char *want)
{
	char text[256] = { 0 };
	FILE *in = fopen(path, "re");

	assert_non_null(in);
	(void)!fread(text, 1, sizeof(text) - 1, in);
	(void)fclose(in);
	assert_string_equal(text, want);
}

static void
test_nothing_is_asked(void **state)
{
	assert_int_equal(pass(NULL, NULL), 0);
	expect_file(*state, "");
}

static void
test_points_are_counted(void **state)
{
	assert_int_equal(pass(NULL, *state), 0);
	expect_file(*state, "a\nb\nb\nc\n");

	/* A second run adds to the file. */
	assert_int_equal(pass(NULL, *state), 0);
	expect_file(*state, "a\nb\nb\nc\na\nb\nb\nc\n");
	assert_int_equal(pass(NULL, "/none/at/all"), 0);
}

static void
test_stops_at_the_point(void **state)
{
	assert_int_equal(pass("3", *state), FAULT_EXIT);
	expect_file(*state, "a\nb\nb\n");
	assert_int_equal(pass("1", NULL), FAULT_EXIT);
	assert_int_equal(pass("4", NULL), FAULT_EXIT);
	assert_int_equal(pass("5", NULL), 0);
	assert_int_equal(pass("0", NULL), 0);
	assert_int_equal(pass("", NULL), 0);
	assert_int_equal(pass("2x", NULL), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(test_nothing_is_asked),
		TEST(test_points_are_counted),
		TEST(test_stops_at_the_point),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
