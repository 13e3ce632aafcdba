#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/letta.h"
#include "core/letta_code.h"

/* The server that is wanted; "" when it will do, or nothing is known. */
static const char *
wanted(const char *code, const char *server)
{
	const struct letta_code_need *need;
	struct letta_caps caps;

	letta_caps_of(server, &caps);
	need = letta_code_unmet(code, &caps);
	return need ? need->server : "";
}

static void
test_needs(void **state)
{
	(void)state;
	assert_string_equal(wanted("0.12.8", "0.11.3"), "");
	assert_string_equal(wanted("0.13.0", "0.11.3"), "0.16.2");
	assert_string_equal(wanted("0.13.0", "0.16.1"), "0.16.2");
	assert_string_equal(wanted("0.13.0", "0.16.2"), "");
	assert_string_equal(wanted("0.18.0", "0.16.2"), "0.16.6");
	assert_string_equal(wanted("0.30.29", "0.11.3"), "0.16.2");
	assert_string_equal(wanted("0.30.29", "0.16.6"), "");
	assert_string_equal(wanted("1.0.0", "1.0.0"), "");
	assert_string_equal(wanted("next", "0.11.3"), "");
	assert_string_equal(wanted(NULL, "0.11.3"), "");
}

static void
test_rows_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < letta_code_n_needs; i++) {
		assert_non_null(letta_code_needs[i].fact);
		assert_true(strlen(letta_code_needs[i].what) > 0);
		assert_true(i == 0 || !letta_code_needs[i].fails);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_rows_are_whole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
