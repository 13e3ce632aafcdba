#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"

static void
test_set_and_context(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&err, ERR_DATA, "row %d", 7), -1);
	assert_int_equal(err_ctx(&err, "read %s", "page"), -1);
	assert_int_equal(err_ctx(&err, "%s", ""), -1);
	assert_string_equal(err.text, ": read page: row 7");
	assert_int_equal(err.kind, ERR_DATA);
	assert_false(err.transient);
	assert_int_equal(err_transient(&err), -1);
	assert_true(err.transient);
	err_clear(&err);
	assert_int_equal(err.kind, ERR_NONE);
	assert_false(err.transient);
	assert_string_equal(err.text, "");
}

static void
test_errno_is_told(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&err, ERR_MISSING, "open %s", "x"), -1);
	assert_string_equal(err.text, "open x: No such file or directory");
}

static void
test_transient_by_kind(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	(void)err_set(&err, ERR_UNREACHABLE, "x");
	assert_true(err.transient);
	(void)err_set(&err, ERR_AUTH, "x");
	assert_false(err.transient);
	(void)err_set(&err, ERR_AGAIN, "x");
	assert_true(err.transient);
}

/* Whatever comes in front, the cause stays whole, up to a full buffer. */
static void
test_cause_is_kept(void **state)
{
	struct err err = ERR_INIT;
	char cause[2 * ERR_TEXT_MAX];
	int len, i;

	(void)state;
	for (len = 0; len < ERR_TEXT_MAX; len++) {
		memset(cause, 'c', sizeof(cause));
		cause[len] = '\0';
		(void)err_set(&err, ERR_FAILED, "%s", cause);
		for (i = 0; i < 3; i++)
			(void)err_ctx(&err, "%0*d", 600, i);
		assert_in_range(strlen(err.text), len, ERR_TEXT_MAX - 1);
		assert_string_equal(err.text + strlen(err.text) - len, cause);
	}
	memset(cause, 'c', sizeof(cause) - 1);
	cause[sizeof(cause) - 1] = '\0';
	(void)err_set(&err, ERR_FAILED, "%s", cause);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	errno = EIO;
	(void)err_sys(&err, ERR_FAILED, "%s", cause);
	assert_in_range(strlen(err.text), 1, ERR_TEXT_MAX - 1);
}

/* The numbers and words that sanctumctl(8) and --json promise. */
static void
test_exit_codes_and_words(void **state)
{
	static const struct {
		enum err_kind kind;
		int code;
		const char *word;
	} cases[] = {
		{ ERR_NONE, 0, "none" }, { ERR_FAILED, 1, "failed" },
		{ ERR_DATA, 1, "data" }, { ERR_MISSING, 1, "missing" },
		{ ERR_USAGE, 2, "usage" }, { ERR_PARTIAL, 3, "partial" },
		{ ERR_UNREACHABLE, 10, "unreachable" },
		{ ERR_LOCKED, 11, "locked" }, { ERR_AUTH, 12, "auth" },
		{ ERR_HOSTKEY, 13, "hostkey" },
		{ ERR_VERDICT, 14, "verdict" }, { ERR_STALE, 15, "stale" },
		{ ERR_AGAIN, 75, "again" },
		{ ERR_INTERRUPTED, 130, "interrupted" },
	};
	struct err err = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err.kind = cases[i].kind;
		assert_int_equal(err_exit(&err), cases[i].code);
		assert_string_equal(err_word(err.kind), cases[i].word);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_context),
		cmocka_unit_test(test_errno_is_told),
		cmocka_unit_test(test_transient_by_kind),
		cmocka_unit_test(test_cause_is_kept),
		cmocka_unit_test(test_exit_codes_and_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
