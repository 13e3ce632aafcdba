#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/jdoc.h"
#include "core/jscan.h"

static struct jdoc *
parse(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, strlen(text), &err);

	if (!doc)
		fail_msg("%s: %s", text, err.text);
	return doc;
}

static void
assert_written(const char *text, const char *expected, bool canonical)
{
	struct jdoc *doc = parse(text);
	struct buf out = BUF_INIT(1 << 20);

	if (canonical)
		jdoc_write_canonical(doc, &out);
	else
		jdoc_write(doc, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
	jdoc_free(doc);
}

static void
assert_refused_n(const char *text, size_t len, const char *why)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, len, &err);

	if (doc)
		fail_msg("taken: %s", text);
	assert_int_equal(err.kind, ERR_DATA);
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text,
		    why);
}

static void
assert_refused(const char *text, const char *why)
{
	assert_refused_n(text, strlen(text), why);
}

static void
test_text_is_kept(void **state)
{
	static const char *const texts[] = {
		"0.7", "1e400", "1.10", "-0.0", "1E+05", "0", "-1",
		"18446744073709551615", "-9223372036854775808",
		"true", "false", "null", "\"\"", "[]", "{}",
		"{\"b\":1,\"a\":[null,{\"z\":{},\"y\":1.50}]}",
		"\"a\\u0000b\"", "\"/\\\"\\\\\\b\\f\\n\\r\\t\\u001f\"",
		"\"\xf0\x9f\x98\x80 \xe4\xb8\xad \xd7\xa9\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_written(texts[i], texts[i], false);
	assert_written(" [ 1 , 2 ]\r\n", "[1,2]", false);
	assert_written("\xef\xbb\xbf{}", "{}", false);
	assert_written("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", false);
	assert_written("\"x\\ud83dy\"", "\"x\xef\xbf\xbdy\"", false);
	assert_written("\"\\/\"", "\"/\"", false);
}

static void
test_canonical(void **state)
{
	(void)state;
	assert_written("{\"b\":{\"d\":null,\"c\":1},\"a\":[null,2],\"B\":null}",
	    "{\"a\":[null,2],\"b\":{\"c\":1}}", true);
	assert_written("{\"ab\":1,\"a\":2,\"\":3}",
	    "{\"\":3,\"a\":2,\"ab\":1}", true);
}

static void
test_refused(void **state)
{
	(void)state;
	assert_refused("", "empty at byte 0");
	assert_refused("  ", "cut short at byte 2");
	assert_refused("{", "cut short at byte 1");
	assert_refused("[1,", "cut short at byte 3");
	assert_refused("[1,]", "unexpected character at byte 3");
	assert_refused("[1 2]", "unexpected character at byte 3");
	assert_refused("{\"a\" 1}", "unexpected character at byte 5");
	assert_refused("{\"a\":}", "unexpected character at byte 5");
	assert_refused("{\"a\":1,}", "unexpected character at byte 7");
	assert_refused("{a:1}", "unexpected character at byte 1");
	assert_refused("[}", "unexpected character at byte 1");
	assert_refused("[1}", "unexpected character at byte 2");
	assert_refused("]", "unexpected character at byte 0");
	assert_refused("{} x", "more behind the document at byte 3");
	assert_refused("{}{}", "more behind the document at byte 2");
	assert_refused("01", "leading zero at byte 1");
	assert_refused("-", "cut short at byte 1");
	assert_refused("+1", "unexpected character at byte 0");
	assert_refused("1.", "cut short");
	assert_refused("1.e5", "unexpected character");
	assert_refused("1e", "cut short");
	assert_refused("NaN", "unexpected character at byte 0");
	assert_refused("-Infinity", "unexpected character at byte 1");
	assert_refused("True", "unexpected character at byte 0");
	assert_refused("nul", "unexpected character at byte 0");
	assert_refused("'a'", "unexpected character at byte 0");
	assert_refused("/**/1", "unexpected character at byte 0");
	assert_refused("\"a", "string without end at byte 2");
	assert_refused("\"\\x\"", "unknown escape at byte 2");
	assert_refused("\"\\u12g4\"", "unknown escape");
	assert_refused("\"\\u12", "cut short");
	assert_refused("\"a\nb\"", "control character in a string at byte 2");
	assert_refused_n("{}\0", 3, "more behind the document at byte 2");
	assert_refused_n("\"a\0b\"", 5, "control character");
	assert_refused("{\"a\\u0000b\":1}", "key with U+0000");
}

static void
test_integers_beyond_64_bits(void **state)
{
	(void)state;
	assert_refused("18446744073709551616", "beyond 64 bits");
	assert_refused("[-9223372036854775809]", "beyond 64 bits");
	assert_refused("99999999999999999999999", "beyond 64 bits");
	assert_written("99999999999999999999999.0",
	    "99999999999999999999999.0", false);
}

static void
test_not_utf8(void **state)
{
	static const char *const bad[] = {
		"\"\x80\"", "\"\xc0\xaf\"", "\"\xe0\x80\x80\"",
		"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf8\"",
		"\"\xe4\xb8\"", "\"\xf0\x80\x80\x80\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i], "not UTF-8 at byte 1");
}

static void
test_key_twice(void **state)
{
	(void)state;
	assert_refused("{\"a\":1,\"a\":2}", "same key twice");
	assert_refused("[{\"x\":{\"a\":1,\"\\u0061\":1}}]", "same key twice");
	assert_written("[{\"a\":1},{\"a\":1}]", "[{\"a\":1},{\"a\":1}]",
	    false);
}

static void
test_depth(void **state)
{
	char text[2 * (JSCAN_DEPTH + 1) + 2];

	(void)state;
	memset(text, '[', JSCAN_DEPTH);
	text[JSCAN_DEPTH] = '1';
	memset(text + JSCAN_DEPTH + 1, ']', JSCAN_DEPTH);
	text[2 * JSCAN_DEPTH + 1] = '\0';
	assert_written(text, text, false);

	memset(text, '[', JSCAN_DEPTH + 1);
	memset(text + JSCAN_DEPTH + 1, ']', JSCAN_DEPTH + 1);
	text[2 * (JSCAN_DEPTH + 1)] = '\0';
	assert_refused(text, "nested too deeply at byte 64");
}

static void
test_too_many_containers(void **state)
{
	size_t n = JSCAN_CONTAINERS + 1, i;
	char *text = malloc(3 * n + 1);

	(void)state;
	assert_non_null(text);
	text[0] = '[';
	for (i = 0; i < n; i++)
		memcpy(text + 1 + 3 * i, "[],", 3);
	text[3 * n] = ']';
	assert_refused_n(text, 3 * n + 1, "more values than we take");
	free(text);
}

/* With "e" left out. */
static void
assert_cut(const char *text, const char *expected)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(4096);
	struct jdoc *doc;

	doc = jdoc_parse_without(text, strlen(text), "e", &err);
	if (!doc)
		fail_msg("%s: %s", text, err.text);
	jdoc_write(doc, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
	jdoc_free(doc);
}

static void
assert_not_cut(const char *text, const char *why)
{
	struct err err = ERR_INIT;

	assert_null(jdoc_parse_without(text, strlen(text), "e", &err));
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text,
		    why);
}

static void
test_without(void **state)
{
	static const char text[] =
	    "[{\"text\":\"a\",\"embedding\":[0.1,{\"embedding\":2,\"a\":1}],"
	    "\"n\":{\"embedding\":\"x\"}},{\"embedding\":null},"
	    "\"embedding\",{\"embedding\":3}]";
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(4096);
	struct jdoc *doc;

	(void)state;
	doc = jdoc_parse_without(text, strlen(text), "embedding", &err);
	assert_non_null(doc);
	jdoc_write(doc, &out);
	assert_string_equal(buf_cstr(&out),
	    "[{\"text\":\"a\",\"embedding\":null,"
	    "\"n\":{\"embedding\":null}},{\"embedding\":null},"
	    "\"embedding\",{\"embedding\":null}]");
	buf_clear(&out);
	jdoc_free(doc);

	doc = jdoc_parse_without("{\"embedding\":[}", 15, "embedding", &err);
	assert_null(doc);
	err_clear(&err);
	assert_cut("{\"e\":[1,-2.5e+3,0.1 , 4],\"a\":[5,6]}",
	    "{\"e\":null,\"a\":[5,6]}");
	assert_cut("{\"e\":[[1,2],[3],null,4,\"5\",6,{}]}",
	    "{\"e\":null}");
	assert_not_cut("{\"e\":[1,]}", "unexpected character at byte 8");
	assert_not_cut("{\"e\":[1, ]}", "unexpected character at byte 9");
	assert_not_cut("{\"e\":[1,2", "cut short at byte 9");
	assert_not_cut("{\"e\":[1,2}", "unexpected character at byte 9");
	assert_not_cut("{\"e\":[1x]}", "unexpected character at byte 7");
	err_clear(&err);
	doc = jdoc_parse_without("{\"embedding\":1,\"embedding\":2}", 29,
	    "embedding", &err);
	assert_null(doc);
}

static void
test_set(void **state)
{
	static const char *const texts[][2] = {
		{ "{\"a\":null,\"b\":1}", "{\"b\":1}" },
		{ "{\"b\":1,\"a\":null}", "{\"b\":1}" },
		{ "{ \"b\" : 1 , \"a\" : null }", "{\"b\":1}" },
		{ "{\"b\":1,\"a\":null,\"x\":{\"x\":[null,{}]},\"c\":2}",
		    "{\"b\":1,\"c\":2}" },
		{ "{\"a\":null,\"x\":[{\"n\":null}]}", "{}" },
		{ "{\"a\":null , \"c\":{\"d\":null,\"x\":1,\"e\":null}}",
		    "{\"c\":{}}" },
		{ "[null,{\"a\":null},\"x\"]", "[null,{},\"x\"]" },
		{ "{\"b\":\"x,\",\"a\":null}", "{\"b\":\"x,\"}" },
		{ "null", "null" },
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(4096);
	struct jdoc *doc;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		doc = jdoc_parse_set(texts[i][0], strlen(texts[i][0]), "x",
		    &err);
		assert_non_null(doc);
		buf_truncate(&out, 0);
		jdoc_write(doc, &out);
		assert_string_equal(buf_cstr(&out), texts[i][1]);
		jdoc_free(doc);
	}
	buf_clear(&out);
	assert_null(jdoc_parse_set("{\"a\":nul}", 9, NULL, &err));
	err_clear(&err);
	assert_null(jdoc_parse_set("{\"a\":null,}", 11, NULL, &err));
	err_clear(&err);
	assert_null(jdoc_parse_set("{\"a\":1,\"a\":2}", 13, NULL, &err));
	err_clear(&err);
}

static void
test_questions(void **state)
{
	struct jdoc *doc = parse("{\"s\":\"a\\u0000b\",\"n\":12,\"t\":true,"
	    "\"z\":null,\"a\":[1,\"x\"],\"f\":1.9,\"u\":18446744073709551615}");
	const struct jdoc *array = jdoc_get(doc, "a");

	(void)state;
	assert_int_equal(jdoc_type(doc), JDOC_OBJECT);
	assert_int_equal(jdoc_len(doc), 7);
	assert_string_equal(jdoc_get_str(doc, "s"), "a");
	assert_int_equal(jdoc_str_len(jdoc_get(doc, "s")), 3);
	assert_int_equal(jdoc_int(jdoc_get(doc, "n")), 12);
	assert_int_equal(jdoc_int(jdoc_get(doc, "f")), 1);
	assert_true(jdoc_int(jdoc_get(doc, "u")) == INT64_MAX);
	assert_true(jdoc_bool(jdoc_get(doc, "t")));
	assert_true(jdoc_has(doc, "z"));
	assert_false(jdoc_has(doc, "y"));
	assert_int_equal(jdoc_type(jdoc_get(doc, "z")), JDOC_NULL);
	assert_int_equal(jdoc_len(array), 2);
	assert_string_equal(jdoc_str(jdoc_at(array, 1)), "x");

	/* Another type, or nothing, is no error. */
	assert_null(jdoc_at(array, 2));
	assert_null(jdoc_at(doc, 0));
	assert_null(jdoc_get(array, "a"));
	assert_null(jdoc_get(NULL, "a"));
	assert_null(jdoc_get_str(doc, "n"));
	assert_int_equal(jdoc_int(jdoc_get(doc, "s")), 0);
	assert_false(jdoc_bool(jdoc_get(doc, "n")));
	assert_int_equal(jdoc_len(jdoc_get(doc, "s")), 0);
	assert_int_equal(jdoc_str_len(NULL), 0);
	jdoc_free(doc);
}

static void
test_null_document(void **state)
{
	struct jdoc *doc = parse("null"), *copy = jdoc_copy(doc);
	struct jdoc *array = jdoc_new_array();
	struct buf out = BUF_INIT(64);

	(void)state;
	assert_int_equal(jdoc_type(doc), JDOC_NULL);
	assert_null(jdoc_get(doc, "a"));
	jdoc_push(array, copy);
	jdoc_write(array, &out);
	assert_string_equal(buf_cstr(&out), "[null]");
	buf_clear(&out);
	jdoc_free(array);
	jdoc_free(doc);
	jdoc_free(NULL);
}

static void
test_walk(void **state)
{
	struct jdoc *doc = parse("{\"z\":1,\"a\":null,\"m\":\"x\"}");
	struct jdoc *empty = jdoc_new_object();
	struct jdoc_member m = { 0 };
	char order[8] = "";
	size_t n = 0;

	(void)state;
	while (jdoc_next(doc, &m))
		order[n++] = m.key[0];
	assert_string_equal(order, "zam");
	m = (struct jdoc_member){ 0 };
	assert_false(jdoc_next(empty, &m));
	assert_false(jdoc_next(NULL, &m));
	jdoc_free(empty);
	jdoc_free(doc);
}

static void
test_build_and_copy(void **state)
{
	struct jdoc *doc = jdoc_new_object(), *list = jdoc_new_array();
	struct jdoc *copy;
	struct buf out = BUF_INIT(4096);

	(void)state;
	jdoc_set_str(doc, "name", "caf\xc3\xa9 \xff\xc3");
	jdoc_set(doc, "list", list);
	jdoc_push(list, jdoc_new_int(INT64_MIN));
	jdoc_push(list, jdoc_new_bool(false));
	jdoc_push(list, jdoc_new_strn("a\0b", 3));
	jdoc_push(list, parse("1e400"));
	jdoc_push(list, parse("{\"k\":0.70}"));
	jdoc_set_null(doc, "none");
	jdoc_set_str(doc, "gone", "x");
	jdoc_remove(doc, "gone");
	copy = jdoc_copy(doc);
	jdoc_set_str(jdoc_edit_at(jdoc_edit(doc, "list"), 4), "k", "new");
	jdoc_set_str(doc, "name", "other");
	jdoc_free(doc);
	jdoc_write(copy, &out);
	assert_string_equal(buf_cstr(&out),
	    "{\"name\":\"caf\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\",\"list\":"
	    "[-9223372036854775808,false,\"a\\u0000b\",1e400,"
	    "{\"k\":0.70}],\"none\":null}");
	buf_clear(&out);
	jdoc_free(copy);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_kept),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_integers_beyond_64_bits),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_key_twice),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_too_many_containers),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_null_document),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_build_and_copy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
