#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/meminfo.h"

static void
test_what_is_available_is_told_in_bytes(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_true(meminfo_available("MemTotal:        2014216 kB\n"
	    "MemFree:          104392 kB\nMemAvailable:    1024001 kB\n"
	    "Buffers: 1 kB\n", &bytes));
	assert_int_equal(bytes, UINT64_C(1024001) * 1024);
}

static void
test_what_is_not_said_is_not_guessed(void **state)
{
	static const char *const texts[] = { "", "MemTotal: 1 kB\n",
	    "MemAvailable:\n", "MemAvailable: 12 MB\n",
	    "MemAvailable: 99999999999999999999 kB\n",
	    "MemAvailable: 36893488147419103232 kB\n",
	    " MemAvailable: 1 kB\n" };
	uint64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_false(meminfo_available(texts[i], &bytes));
	assert_int_equal(bytes, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_available_is_told_in_bytes),
		cmocka_unit_test(test_what_is_not_said_is_not_guessed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
