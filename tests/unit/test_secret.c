#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"

static void
test_bytes_are_kept(void **state)
{
	char mine[] = "to\0ken";
	struct secret *s = secret_new(mine, 6);

	(void)state;
	secret_wipe(mine, sizeof(mine));
	assert_memory_equal(mine, "\0\0\0\0\0\0\0", 7);
	assert_int_equal(secret_len(s), 6);
	assert_memory_equal(secret_bytes(s), "to\0ken", 7);
	secret_free(s);
	secret_free(NULL);
	s = secret_new("", 0);
	assert_int_equal(secret_len(s), 0);
	assert_string_equal(secret_bytes(s), "");
	secret_free(s);
}

/* Around the end of a page, whatever stands before the bytes in it. */
static void
test_every_size_has_room(void **state)
{
	char *text = mem_alloc(8300);
	struct secret *s;

	(void)state;
	memset(text, 's', 8300);
	for (size_t len = 4000; len <= 8300; len++) {
		s = secret_new(text, len);
		assert_int_equal(strlen(secret_bytes(s)), len);
		secret_free(s);
	}
	free(text);
}

/* The "VmFlags:" line of the mapping that p lies in. */
static void
flags_of(const void *p, char *flags, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	uintptr_t low, high, at = (uintptr_t)p;
	char line[512], *rest;
	bool inside = false;

	flags[0] = '\0';
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		low = (uintptr_t)strtoull(line, &rest, 16);
		if (*rest == '-') {
			high = (uintptr_t)strtoull(rest + 1, NULL, 16);
			inside = at >= low && at < high;
		}
		if (inside && str_starts(line, "VmFlags:"))
			(void)snprintf(flags, size, "%s", line);
	}
	(void)fclose(maps);
}

/* Up to the last byte, where it stands at the end of a page, too. */
static void
test_not_in_a_core_dump(void **state)
{
	char text[4100] = { 0 }, flags[512];
	struct secret *s;

	(void)state;
	flags_of(text, flags, sizeof(flags));
	if (!flags[0])
		skip();
	assert_null(strstr(flags, " dd"));
	for (size_t len = 4060; len <= sizeof(text); len++) {
		s = secret_new(text, len);
		flags_of(secret_bytes(s) + len, flags, sizeof(flags));
		secret_free(s);
		assert_non_null(strstr(flags, " dd"));
	}
}

static int
guarded(void)
{
	struct rlimit core;

	secret_guard_process();
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 ||
	    core.rlim_max != 0)
		return 1;
#ifndef __SANITIZE_ADDRESS__
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 2;
#endif
	return 0;
}

/* In a child: it cannot be taken back. */
static void
test_guard(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(guarded());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_kept),
		cmocka_unit_test(test_every_size_has_room),
		cmocka_unit_test(test_not_in_a_core_dump),
		cmocka_unit_test(test_guard),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
