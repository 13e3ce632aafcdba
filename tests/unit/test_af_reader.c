#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_reader.h"
#include "core/jdoc.h"

#define SEEN_MAX (1024 * 1024)

/* One line a part, as the tests compare them. */
static int
note(void *ctx, const struct af_part *part, struct err *err)
{
	static const char marks[] = {
		[AF_PART_VALUE] = '=', [AF_PART_BEGIN] = '<',
		[AF_PART_END] = '>'
	};
	struct buf *seen = ctx;

	(void)err;
	buf_printf(seen, "%c %s", marks[part->event], part->at);
	if (part->event == AF_PART_VALUE) {
		assert_int_equal(strlen(part->text), part->len);
		buf_printf(seen, " %s", part->text);
	}
	buf_char(seen, '\n');
	return 0;
}

/* Read text, piece bytes at a time. */
static int
try(const char *text, size_t len, size_t piece, bool legacy,
    struct buf *seen, enum af_form *form, struct err *err)
{
	struct af_reader_each each = {
		.part = note, .ctx = seen, .legacy = legacy,
	};
	struct af_reader *r = af_reader_new(&each);
	size_t n;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		rc = af_reader_feed(r, text + at, n, err);
	}
	if (rc == 0)
		rc = af_reader_end(r, err);
	*form = af_reader_form(r);
	af_reader_free(r);
	return rc;
}

static void
assert_parts_of(const char *text, size_t len, bool legacy,
    enum af_form expected_form, const char *expected)
{
	struct buf seen = BUF_INIT(SEEN_MAX);
	struct err err = ERR_INIT;
	enum af_form form;

	for (size_t piece = 1; piece <= len; piece++) {
		buf_truncate(&seen, 0);
		if (try(text, len, piece, legacy, &seen, &form, &err) != 0)
			fail_msg("%s", err.text);
		assert_string_equal(buf_cstr(&seen), expected);
		assert_int_equal(form, expected_form);
	}
	buf_clear(&seen);
}

static void
assert_parts(const char *text, const char *expected)
{
	assert_parts_of(text, strlen(text), false, AF_FORM_AGENTS, expected);
}

static void
assert_error_of(const char *text, size_t len, enum af_form expected_form,
    const char *expected)
{
	struct buf seen = BUF_INIT(SEEN_MAX);
	struct err err = ERR_INIT;
	enum af_form form;

	for (size_t piece = 1; piece <= len + 1; piece++) {
		buf_truncate(&seen, 0);
		assert_int_equal(try(text, len, piece, false, &seen, &form,
		    &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		if (!strstr(err.text, expected))
			fail_msg("\"%s\" does not say \"%s\"", err.text,
			    expected);
		assert_int_equal(form, expected_form);
	}
	buf_clear(&seen);
}

static void
assert_error(const char *text, enum af_form form, const char *expected)
{
	assert_error_of(text, strlen(text), form, expected);
}

static void
test_parts(void **state)
{
	(void)state;
	assert_parts(" {\"created_at\" : \"x\\\"]\" ,\"agents\":[{\"name\":"
	    "\"n\",\"messages\":[ {\"a\":[1,{}]} , 2.5e1, \"s\" ],"
	    "\"tags\":[]},{}, 7],\"tools\":[{\"x\":\"}\\\\\"},null]}\n ",
	    "= /created_at \"x\\\"]\"\n"
	    "< /agents\n"
	    "< /agents/0\n"
	    "= /agents/0/name \"n\"\n"
	    "< /agents/0/messages\n"
	    "= /agents/0/messages/0 {\"a\":[1,{}]}\n"
	    "= /agents/0/messages/1 2.5e1\n"
	    "= /agents/0/messages/2 \"s\"\n"
	    "> /agents/0/messages\n"
	    "= /agents/0/tags []\n"
	    "> /agents/0\n"
	    "< /agents/1\n"
	    "> /agents/1\n"
	    "= /agents/2 7\n"
	    "> /agents\n"
	    "< /tools\n"
	    "= /tools/0 {\"x\":\"}\\\\\"}\n"
	    "= /tools/1 null\n"
	    "> /tools\n");
}

/* Lists that are none, keys with escapes, messages in a second agent. */
static void
test_shapes(void **state)
{
	(void)state;
	assert_parts("{\"agents\":{\"messages\":[1]},\"tools\":null}",
	    "= /agents {\"messages\":[1]}\n= /tools null\n");
	assert_parts("{\"\\u0061gents\":[{\"messages\":null,\"a/b~c\":1}],"
	    "\"\\u001b\":2}",
	    "< /agents\n< /agents/0\n= /agents/0/messages null\n"
	    "= /agents/0/a~1b~0c 1\n> /agents/0\n> /agents\n= /\\x1b 2\n");
	assert_parts("{\"agents\":[],\"messages\":[1],\"skills\":[]}",
	    "< /agents\n> /agents\n< /messages\n= /messages/0 1\n"
	    "> /messages\n< /skills\n> /skills\n");
	assert_parts("\xef\xbb\xbf{\"agents\":[]}",
	    "< /agents\n> /agents\n");
	assert_parts("{\"agents\":[{\"x\":1},{\"x\":2}]}",
	    "< /agents\n< /agents/0\n= /agents/0/x 1\n> /agents/0\n"
	    "< /agents/1\n= /agents/1/x 2\n> /agents/1\n> /agents\n");
}

static void
test_legacy(void **state)
{
	static const char text[] = "{\"messages\":[{}],\"core_memory\":[]}";

	(void)state;
	assert_parts_of(text, strlen(text), true, AF_FORM_LEGACY,
	    "< /messages\n= /messages/0 {}\n> /messages\n"
	    "= /core_memory []\n");
	assert_error(text, AF_FORM_LEGACY, "version 1");
	/* A member that servers ignore makes no legacy file. */
	assert_parts("{\"core_memory\":1,\"agents\":[]}",
	    "= /core_memory 1\n< /agents\n> /agents\n");
	assert_error("{\"x\":1}", AF_FORM_UNKNOWN, "no `agents`");
}

static void
test_encoded(void **state)
{
	(void)state;
	assert_error("\"{\\\"agents\\\":[]}\"", AF_FORM_ENCODED,
	    "encoded twice");
	assert_error(" \"{", AF_FORM_ENCODED, "jq -r .");
}

static void
test_refused(void **state)
{
	(void)state;
	assert_error("", AF_FORM_UNKNOWN, "empty");
	assert_error(" \n", AF_FORM_UNKNOWN, "empty");
	assert_error("[]", AF_FORM_UNKNOWN, "no JSON object at byte 0");
	assert_error("\xef\xbb{", AF_FORM_UNKNOWN, "not UTF-8 at byte 2");
	assert_error("\xff\xfe{", AF_FORM_UNKNOWN, "UTF-16");
	assert_error_of("\0{", 2, AF_FORM_UNKNOWN, "UTF-16");
	assert_error("{\"agents\":[]} x", AF_FORM_AGENTS,
	    "more behind its end at byte 14");
	assert_error("{\"agents\":[]}{", AF_FORM_AGENTS, "at byte 13");
	assert_error("{\"agents\":[{\"messages\":[{\"a\":\"\xe9\"}]}]}",
	    AF_FORM_AGENTS, "/agents/0/messages/0: not UTF-8 at byte 30");
	assert_error("{\"agents\":[{\"a\":1,\"a\":2}]}", AF_FORM_AGENTS,
	    "/agents/0: two members of one key");
	assert_error("{\"agents\":[],\"agents\":[]}", AF_FORM_AGENTS,
	    "two members of one key");
	assert_error("{\"agents\" []}", AF_FORM_AGENTS,
	    "unexpected character at byte 10");
	assert_error("{\"agents\":[}", AF_FORM_AGENTS, "at byte 11");
	assert_error("{\"agents\":[{]}", AF_FORM_AGENTS, "at byte 12");
	assert_error("{\"agents\":[],}", AF_FORM_AGENTS, "at byte 13");
	assert_error("{\"x\":+1}", AF_FORM_UNKNOWN, "/x: unexpected");
	assert_error("{\"a\\q\":1}", AF_FORM_UNKNOWN, "key at byte 1");
	assert_error("{\"a\\u0000\":1}", AF_FORM_UNKNOWN, "U+0000");
}

/* Cut at every byte, a file is never taken for whole. */
static void
test_cut_short(void **state)
{
	static const char text[] = "\xef\xbb\xbf{\"agents\":[{\"name\":\"n\","
	    "\"messages\":[{\"a\":1},[2]]}],\"tools\":[]}";
	struct buf seen = BUF_INIT(SEEN_MAX);
	struct err err = ERR_INIT;
	enum af_form form;

	(void)state;
	for (size_t len = 4; len < strlen(text); len++) {
		err_clear(&err);
		assert_int_equal(try(text, len, 3, false, &seen, &form,
		    &err), -1);
		if (!strstr(err.text, "cut short at byte"))
			fail_msg("%s", err.text);
	}
	assert_error("{\"agents\":[{\"messages\":[1,{\"x\":", AF_FORM_AGENTS,
	    "/agents/0/messages/1: cut short at byte 31");
	buf_clear(&seen);
}

static void
feed_again(struct af_reader *r, const char *text, size_t times)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < times; i++) {
		if (af_reader_feed(r, text, strlen(text), &err) != 0)
			fail_msg("%s", err.text);
	}
}

static int
parse_part(void *ctx, const struct af_part *part, struct err *err)
{
	struct jdoc *doc;

	if (part->event != AF_PART_VALUE)
		return 0;
	(*(size_t *)ctx)++;
	doc = af_part_parse(part, err);
	jdoc_free(doc);
	return doc ? 0 : -1;
}

/* Depth costs nothing until somebody parses the part. */
static void
test_deep(void **state)
{
	struct buf seen = BUF_INIT(SEEN_MAX);
	size_t parts = 0;
	struct af_reader_each each = { .part = parse_part, .ctx = &parts };
	struct af_reader *r = af_reader_new(&each);
	struct err err = ERR_INIT;

	(void)state;
	feed_again(r, "{\"agents\":[{\"messages\":[{\"a\":", 1);
	feed_again(r, "[", 100000);
	feed_again(r, "]", 100000);
	assert_int_equal(parts, 0);
	assert_int_equal(af_reader_feed(r, "}]}]}", 5, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "/agents/0/messages/0, which "
	    "begins at byte 24: JSON: nested too deeply at byte "));
	af_reader_free(r);
	buf_clear(&seen);
}

/* A text of 2 GB ends when 64 MiB of it were read, and costs no more. */
static void
test_huge(void **state)
{
	static char piece[65537];
	size_t parts = 0, fed = 0;
	struct af_reader_each each = { .part = parse_part, .ctx = &parts };
	struct af_reader *r = af_reader_new(&each);
	struct err err = ERR_INIT;
	int rc = 0;

	(void)state;
	memset(piece, 'x', sizeof(piece) - 1);
	feed_again(r, "{\"agents\":[{\"messages\":[{},{\"a\":\"", 1);
	while (rc == 0 && fed < UINT32_C(1) << 31) {
		rc = af_reader_feed(r, piece, sizeof(piece) - 1, &err);
		fed += sizeof(piece) - 1;
	}
	assert_int_equal(rc, -1);
	assert_true(fed <= AF_PART_MAX + sizeof(piece));
	assert_int_equal(err.kind, ERR_DATA);
	assert_string_equal(err.text, "agent file: /agents/0/messages/1: a "
	    "value larger than 64 MiB, which begins at byte 27");
	assert_int_equal(parts, 1);
	af_reader_free(r);
}

static void
test_keys(void **state)
{
	struct buf text = BUF_INIT(SEEN_MAX);

	(void)state;
	buf_str(&text, "{\"");
	for (size_t i = 0; i <= AF_KEY_MAX; i++)
		buf_char(&text, 'k');
	buf_str(&text, "\":1}");
	assert_error(buf_cstr(&text), AF_FORM_UNKNOWN, "too long");
	buf_truncate(&text, 0);
	buf_str(&text, "{\"");
	for (size_t i = 0; i < 7 * AF_KEY_MAX; i++)
		buf_char(&text, 'k');
	assert_error(buf_cstr(&text), AF_FORM_UNKNOWN, "too long");
	buf_truncate(&text, 0);
	for (size_t i = 0; i <= AF_MEMBERS_MAX; i++)
		buf_printf(&text, "%c\"%zu\":1", i == 0 ? '{' : ',', i);
	assert_error(buf_cstr(&text), AF_FORM_UNKNOWN, "one too many");
	buf_clear(&text);
}

static int
stop_at_second(void *ctx, const struct af_part *part, struct err *err)
{
	size_t *n = ctx;

	(void)part;
	return ++*n == 2 ? err_set(err, ERR_STALE, "enough") : 0;
}

static void
test_callback_stops(void **state)
{
	static const char text[] = "{\"a\":1,\"b\":2,\"c\":3}";
	size_t n = 0;
	struct af_reader_each each = { .part = stop_at_second, .ctx = &n };
	struct af_reader *r = af_reader_new(&each);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(af_reader_feed(r, text, strlen(text), &err), -1);
	assert_int_equal(err.kind, ERR_STALE);
	assert_int_equal(n, 2);
	af_reader_free(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_callback_stops),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
