#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/diff.h"

#define HEAD "--- a\n+++ b\n"

static const struct {
	const char *old;
	const char *new;
	const char *diff;
} cases[] = {
	{ "", "", "" },
	{ "x\n", "x\n", "" },
	{ "", "x\n", HEAD "@@ -0,0 +1 @@\n+x\n" },
	{ "x\ny\n", "", HEAD "@@ -1,2 +0,0 @@\n-x\n-y\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	    HEAD "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n" },
	/* Six equal lines between two changes: one hunk. */
	{ "a\n1\n2\n3\n4\n5\n6\nb\n", "1\n2\n3\n4\n5\n6\n",
	    HEAD "@@ -1,8 +1,6 @@\n-a\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n" },
	/* Seven: two. */
	{ "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "1\n2\n3\n4\n5\n6\n7\nc\n",
	    HEAD "@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n"
	    "@@ -6,4 +5,4 @@\n 5\n 6\n 7\n-b\n+c\n" },
	{ "a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
	    HEAD "@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n" },
	{ "x", "x\n", HEAD "@@ -1 +1 @@\n-x\n\\ No newline at end of file\n"
	    "+x\n" },
	{ "x\ny", "x\nz", HEAD "@@ -1,2 +1,2 @@\n x\n-y\n"
	    "\\ No newline at end of file\n+z\n"
	    "\\ No newline at end of file\n" },
	{ "x\ny", "z\ny", HEAD "@@ -1,2 +1,2 @@\n-x\n+z\n y\n"
	    "\\ No newline at end of file\n" },
	{ "x\r\n", "x\n", HEAD "@@ -1 +1 @@\n-x\\x0d\n+x\n" },
	{ "", "\ta\tb\033[2J\xff\t\n",
	    HEAD "@@ -0,0 +1 @@\n+\ta\tb\\x1b[2J\\xff\t\n" },
	{ "", "\n\n", HEAD "@@ -0,0 +1,2 @@\n+\n+\n" },
};

static void
test_cases(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(diff_unified("a", cases[i].old,
		    strlen(cases[i].old), "b", cases[i].new,
		    strlen(cases[i].new), &out, &err), 0);
		assert_string_equal(buf_cstr(&out), cases[i].diff);
		buf_clear(&out);
	}
	assert_int_equal(diff_unified("a", NULL, 0, "b", NULL, 0, &out,
	    &err), 0);
	assert_int_equal(out.len, 0);
}

static void
test_names_are_escaped(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(diff_unified("/dev/null", "", 0, "a\n\033", "x\n", 2,
	    &out, &err), 0);
	assert_string_equal(out.data,
	    "--- /dev/null\n+++ a\\x0a\\x1b\n@@ -0,0 +1 @@\n+x\n");
	buf_clear(&out);
}

/* Further apart than the search goes: all out, all in, ends kept. */
static void
test_too_different(void **state)
{
	struct buf a = BUF_INIT(DIFF_MAX_BYTES), b = BUF_INIT(DIFF_MAX_BYTES);
	struct buf out = BUF_INIT(4 * DIFF_MAX_BYTES);
	struct err err = ERR_INIT;

	(void)state;
	buf_str(&a, "head\n");
	buf_str(&b, "head\n");
	for (int i = 0; i < 2000; i++) {
		buf_printf(&a, "a%d\nsame\n", i);
		buf_printf(&b, "b%d\nsame\n", i);
	}
	assert_int_equal(diff_unified("a", a.data, a.len, "b", b.data, b.len,
	    &out, &err), 0);
	assert_non_null(strstr(out.data, "@@ -1,4001 +1,4001 @@\n head\n"
	    "-a0\n-same\n-a1\n"));
	assert_non_null(strstr(out.data, "-a1999\n+b0\n+same\n"));
	assert_non_null(strstr(out.data, "+b1999\n same\n"));
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&out);
}

static void
test_bounds(void **state)
{
	struct buf a = BUF_INIT(DIFF_MAX_BYTES + 1), out = BUF_INIT(8);
	struct err err = ERR_INIT;

	(void)state;
	while (!a.full)
		buf_char(&a, '\n');
	assert_int_equal(diff_unified("a", a.data, a.len, "b", "", 0, &out,
	    &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_string_equal(err.text, "a: larger than 1048576 bytes: too "
	    "large to compare by line");
	assert_int_equal(diff_unified("a", "x\n", 2, "b", "y\n", 2, &out,
	    &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	buf_clear(&a);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_names_are_escaped),
		cmocka_unit_test(test_too_different),
		cmocka_unit_test(test_bounds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
