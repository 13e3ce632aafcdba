#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"

static void
test_questions(void **state)
{
	(void)state;
	assert_true(str_eq("", ""));
	assert_false(str_eq("a", "ab"));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("c", "bc"));
}

static void
test_numbers(void **state)
{
	static const char *const wrong[] = { "", " 1", "1 ", "+1", "-1",
		"0x1", "1.0", "18446744073709551616",
		"99999999999999999999999", "18446744073709551615x" };
	uint64_t n = 42;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(str_u64(wrong[i], UINT64_MAX, &n));
	assert_false(str_u64("65536", 65535, &n));
	assert_int_equal(n, 42);
	assert_true(str_u64("18446744073709551615", UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_true(str_u64("0065535", 65535, &n));
	assert_int_equal(n, 65535);
	assert_true(str_u64("0", 0, &n));
	assert_int_equal(n, 0);
}

static void
test_nearest(void **state)
{
	static const char *const names[] = { "address", "host_key", "user",
		"users", NULL };
	static const char *const none[] = { NULL };

	(void)state;
	assert_string_equal(str_nearest("adress", names), "address");
	assert_string_equal(str_nearest("hostkey", names), "host_key");
	assert_string_equal(str_nearest("user", names), "user");
	assert_string_equal(str_nearest("userz", names), "user");
	assert_null(str_nearest("completely_else", names));
	assert_null(str_nearest("", names));
	assert_null(str_nearest("user", none));
}

static void
test_hex(void **state)
{
	char out[9];

	(void)state;
	str_hex("\x00\x9f\xff\x10", 4, out);
	assert_string_equal(out, "009fff10");
	str_hex("", 0, out);
	assert_string_equal(out, "");
}

/* Compare what text becomes, given with its length. */
static void
expect_printable(const char *text, size_t len, const char *want)
{
	struct buf out = BUF_INIT(1000);

	str_printable(&out, text, len);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

#define PRINTABLE(text, want) \
	expect_printable(text, sizeof(text) - 1, want)

static void
test_printable(void **state)
{
	(void)state;
	PRINTABLE("", "");
	PRINTABLE("a ~", "a ~");
	PRINTABLE("a\0b\n\t", "a\\x00b\\x0a\\x09");
	PRINTABLE("\033[2J\x7f", "\\x1b[2J\\x7f");
	PRINTABLE("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
	    "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");

	/* C1 controls, one of which begins a terminal's sequence (CSI). */
	PRINTABLE("\xc2\x9b" "2J", "\\xc2\\x9b2J");
	PRINTABLE("\x9b" "2J", "\\x9b2J");

	/* Overlong, surrogate, beyond U+10FFFF, cut, alone. */
	PRINTABLE("\xc0\xaf", "\\xc0\\xaf");
	PRINTABLE("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	PRINTABLE("\xed\xa0\x80", "\\xed\\xa0\\x80");
	PRINTABLE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	PRINTABLE("\xe2\x82", "\\xe2\\x82");
	PRINTABLE("\xe2\x82z", "\\xe2\\x82z");
	PRINTABLE("\xff\xfe", "\\xff\\xfe");

	/* A length that ends inside of a character. */
	expect_printable("\xe2\x82\xac", 2, "\\xe2\\x82");
	PRINTABLE("\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf",
	    "\xe2\x80\xa9\\u202a\\u202e\xe2\x80\xaf");
	PRINTABLE("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
	    "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa");
}

static void
test_url(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	str_url(&out, "agent-10_Az~");
	assert_string_equal(buf_cstr(&out), "agent-10_Az~");
	buf_clear(&out);
	str_url(&out, "../?a=b&c#%+ \xc3\xa4\r\n");
	assert_string_equal(buf_cstr(&out),
	    "%2E%2E%2F%3Fa%3Db%26c%23%25%2B%20%C3%A4%0D%0A");
	buf_clear(&out);
	str_url(&out, "");
	assert_string_equal(buf_cstr(&out), "");
	buf_clear(&out);
}

static void
test_words(void **state)
{
	(void)state;
	assert_true(str_has_word("nginx certbot", "nginx"));
	assert_true(str_has_word("nginx certbot", "certbot"));
	assert_false(str_has_word("nginx-light certbot", "nginx"));
	assert_false(str_has_word("nginx certbot", "cert"));
	assert_false(str_has_word("", "nginx"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
