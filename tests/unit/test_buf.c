#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"

static void
test_text_is_put_together(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_null(b.data);
	assert_string_equal(buf_cstr(&b), "");
	buf_str(&b, "ab");
	buf_char(&b, 'c');
	buf_add(&b, "d\0e", 3);
	buf_add(&b, NULL, 0);
	buf_printf(&b, "%03d", 7);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abcd\0e007", 10);
	buf_drop(&b, 0);
	buf_drop(&b, 5);
	assert_string_equal(b.data, "e007");
	buf_truncate(&b, 2);
	assert_string_equal(b.data, "e0");
	buf_drop(&b, 2);
	assert_string_equal(b.data, "");
	buf_clear(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 100);
	buf_truncate(&b, 0);
	assert_null(b.data);
	buf_clear(&b);
}

/* The maximum fits; one more does not, changes nothing, and is told. */
static void
test_maximum(void **state)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT(4), none = BUF_INIT(0);

	(void)state;
	buf_str(&b, "abcd");
	assert_int_equal(buf_check(&b, "body", &err), 0);
	buf_char(&b, 'e');
	assert_true(b.full);
	assert_string_equal(buf_cstr(&b), "abcd");
	assert_int_equal(buf_check(&b, "body", &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_string_equal(err.text, "body is larger than 4 bytes");

	/* Once something is missing nothing is added after the gap. */
	buf_truncate(&b, 1);
	buf_char(&b, 'x');
	assert_string_equal(buf_cstr(&b), "a");
	buf_clear(&b);
	buf_printf(&b, "%s", "abcde");
	assert_true(b.full);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	buf_printf(&b, "%s", "wxyz");
	assert_false(b.full);
	buf_add(&b, "x", SIZE_MAX);
	assert_true(b.full);
	assert_string_equal(buf_cstr(&b), "wxyz");
	buf_clear(&b);

	buf_str(&none, "");
	assert_false(none.full);
	assert_string_equal(buf_cstr(&none), "");
	buf_char(&none, 'x');
	assert_true(none.full);
	buf_clear(&none);
}

static void
test_growth_keeps_every_byte(void **state)
{
	struct buf b = BUF_INIT(100000);
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		buf_char(&b, (char)(i * 31));
	assert_false(b.full);
	for (i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], (char)(i * 31));
	assert_int_equal(b.data[b.len], 0);
	buf_wipe(&b);
	assert_null(b.data);
}

static void
test_take(void **state)
{
	struct buf b = BUF_INIT(10);
	char *text;

	(void)state;
	text = buf_take(&b);
	assert_string_equal(text, "");
	free(text);
	buf_str(&b, "abc");
	text = buf_take(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	assert_int_equal(b.max, 10);
	free(text);
	buf_wipe(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_put_together),
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_growth_keeps_every_byte),
		cmocka_unit_test(test_take),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
