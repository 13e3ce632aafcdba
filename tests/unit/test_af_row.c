#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/af_row.h"
#include "core/jdoc.h"

#define BIT(change) AF_CHANGE_BIT(AF_CHANGE_##change)
#define TEXT(t) "{\"type\":\"text\",\"text\":" t "}"
#define ROW(role, content) "{\"role\":\"" role "\",\"content\":" content "}"
#define CALL(id) "{\"id\":\"" id "\",\"type\":\"function\"," \
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define CALLS(list) "{\"role\":\"assistant\",\"content\":[]," \
    "\"tool_calls\":[" list "]}"

/* Convert one row; what became of it, or the failure. */
static unsigned int
convert(struct af_convert *c, const char *text, struct buf *out,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, strlen(text), err);
	struct af_row row = {
		.id = "m", .doc = doc,
		.changes = af_row_look(text, strlen(text)),
	};

	assert_non_null(doc);
	buf_truncate(out, 0);
	if (af_row_convert(c, &row, err) == 0)
		jdoc_write(row.doc, out);
	jdoc_free(doc);
	return row.changes;
}

static void
assert_converted(const struct af_rules *rules, const char *text,
    unsigned int changes, const char *expected)
{
	struct af_convert c = { .rules = *rules };
	struct buf out = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;

	assert_int_equal(convert(&c, text, &out, &err), changes);
	assert_string_equal(buf_cstr(&out), expected);
	for (unsigned int i = 0; i < AF_CHANGES; i++)
		assert_int_equal(c.counts[i], changes >> i & 1);
	af_convert_clear(&c);
	buf_clear(&out);
}

static const struct af_rules plain;

static void
assert_changed(const char *text, unsigned int changes, const char *expected)
{
	assert_converted(&plain, text, changes, expected);
}

static void
assert_kept(const char *text)
{
	assert_converted(&plain, text, 0, text);
}

static void
test_kept(void **state)
{
	(void)state;
	assert_kept(ROW("user", "[" TEXT("\"a\"") "]"));
	assert_kept(ROW("assistant", "[]"));
	assert_kept("{\"role\":\"assistant\",\"content\":[" TEXT("\"t\"")
	    "],\"tool_calls\":[" CALL("x") "],\"step_id\":\"s\"}");
	assert_kept(ROW("user", "[{\"type\":\"image\"},{\"type\":\"image\"}]"));
	assert_kept(ROW("summary", "[" TEXT("\"{}\"") "]"));
	assert_kept("{\"role\":\"user\",\"content\":[" TEXT("\"a\"") "],"
	    "\"created_at\":\"2026-01-02T03:04:05.678+02:00\"}");
}

static void
test_content(void **state)
{
	(void)state;
	assert_changed(ROW("user", "\"hi\""), BIT(CONTENT),
	    ROW("user", "[" TEXT("\"hi\"") "]"));
	assert_changed(ROW("assistant", "null"), BIT(CONTENT),
	    ROW("assistant", "[]"));
	assert_changed("{\"role\":\"assistant\"}", BIT(CONTENT),
	    ROW("assistant", "[]"));
	assert_changed(ROW("user", "[]"), BIT(CONTENT),
	    ROW("user", "[" TEXT("\"\"") "]"));
	assert_changed(ROW("system", "[" TEXT("\"a\"") "," TEXT("\"b\"") "]"),
	    BIT(CONTENT), ROW("system", "[" TEXT("\"ab\"") "]"));
	/* What is no text is not thrown away: core/af_rule.h refuses it. */
	assert_kept(ROW("system", "[" TEXT("\"a\"") ",{\"type\":\"image\"}]"));
	assert_kept(ROW("user", "7"));
}

static void
test_date(void **state)
{
	(void)state;
	assert_changed("{\"role\":\"user\",\"content\":[1],\"created_at\":"
	    "\"0001-01-01T00:00:00Z\"}", BIT(DATE),
	    "{\"role\":\"user\",\"content\":[1],\"created_at\":"
	    "\"1900-01-01T00:00:00Z\"}");
}

static void
test_look(void **state)
{
	static const struct {
		const char *text;
		unsigned int found;
	} cases[] = {
		{ "plain \xf0\x9f\x98\x80", 0 },
		{ "\\ud83d\\ude00", 0 },
		{ "\\ud83d", BIT(SURROGATE) },
		{ "\\uDE00x", BIT(SURROGATE) },
		{ "\\ud83d\\ud83d\\ude00", BIT(SURROGATE) },
		{ "\\ud83d\\n", BIT(SURROGATE) },
		{ "\\\\ud83d", 0 },
		{ "\\\\\\ud83d", BIT(SURROGATE) },
		{ "\\u0000", BIT(NUL) },
		{ "\\\\u0000", 0 },
		{ "\\ud83\\u00e9", 0 },
		{ "\\", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (af_row_look(cases[i].text, strlen(cases[i].text)) !=
		    cases[i].found)
			fail_msg("%s", cases[i].text);
	}
}

static void
test_unicode(void **state)
{
	(void)state;
	assert_changed(ROW("user", "[" TEXT("\"a\\u0000b\\u0000\"") "]"),
	    BIT(NUL), ROW("user", "[" TEXT("\"ab\"") "]"));
	assert_changed("{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":"
	    "[],\"tool_returns\":[{\"tool_call_id\":\"c\",\"stdout\":[\"x\","
	    "\"\\u0000\"],\"func_response\":\"{}\"}]}", BIT(NUL),
	    "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":"
	    "[],\"tool_returns\":[{\"tool_call_id\":\"c\",\"stdout\":[\"x\","
	    "\"\"],\"func_response\":\"{}\"}]}");
	assert_changed(ROW("user", "[" TEXT("\"\\ud83d!\"") "]"),
	    BIT(SURROGATE),
	    ROW("user", "[" TEXT("\"\xef\xbf\xbd!\"") "]"));
	/* In a key there is nothing to take out. */
	assert_changed("{\"role\":\"user\",\"content\":[" TEXT("\"\\ud83d\\"
	    "u0000\"") "]}", BIT(SURROGATE) | BIT(NUL),
	    ROW("user", "[" TEXT("\"\xef\xbf\xbd\"") "]"));
}

/* before and after are the JSON text of a return, as a JSON string. */
static void
assert_return(bool neutral, const char *before, unsigned int changes,
    const char *after)
{
	static const char head[] = "{\"role\":\"tool\",\"tool_call_id\":"
	    "\"c\",\"content\":[";
	struct af_rules rules = { .neutral_failures = neutral };
	struct buf text = BUF_INIT(4096), expected = BUF_INIT(4096);

	buf_printf(&text, "%s" TEXT("%s") "]}", head, before);
	buf_printf(&expected, "%s" TEXT("%s") "]}", head, after);
	assert_converted(&rules, buf_cstr(&text), changes,
	    buf_cstr(&expected));
	/* The same in tool_returns, and the row's copy of it follows. */
	buf_truncate(&text, 0);
	buf_truncate(&expected, 0);
	buf_printf(&text, "%s" TEXT("%s") "],\"tool_returns\":[{"
	    "\"tool_call_id\":\"c\",\"func_response\":%s}]}", head, before,
	    before);
	buf_printf(&expected, "%s" TEXT("%s") "],\"tool_returns\":[{"
	    "\"tool_call_id\":\"c\",\"func_response\":%s}]}", head, after,
	    after);
	assert_converted(&rules, buf_cstr(&text), changes,
	    buf_cstr(&expected));
	buf_clear(&text);
	buf_clear(&expected);
}

#define Q(key) "\\\"" key "\\\""

static void
test_returns(void **state)
{
	(void)state;
	assert_return(false, "\"It worked\"", BIT(PACKED),
	    "\"{" Q("status") ":" Q("OK") "," Q("message") ":"
	    Q("It worked") "}\"");
	assert_return(false, "\"\"", BIT(PACKED),
	    "\"{" Q("status") ":" Q("OK") "," Q("message") ":" Q("") "}\"");
	assert_return(false, "\"[1]\"", BIT(PACKED),
	    "\"{" Q("status") ":" Q("OK") "," Q("message") ":" Q("[1]") "}\"");
	assert_return(false, "\"{" Q("status") ":" Q("error") "}\"",
	    BIT(STATUS), "\"{" Q("status") ":" Q("Failed") "}\"");
	assert_return(false, "\"{" Q("status") ":200}\"", BIT(STATUS),
	    "\"{" Q("status") ":" Q("OK") "}\"");
	assert_return(false, "\"{" Q("message") ":null}\"", BIT(MESSAGE),
	    "\"{" Q("message") ":" Q("None") "}\"");
	assert_return(false, "\"{" Q("message") ":false}\"", BIT(MESSAGE),
	    "\"{" Q("message") ":" Q("False") "}\"");
	assert_return(false, "\"{" Q("message") ":[1.50]}\"", BIT(MESSAGE),
	    "\"{" Q("message") ":" Q("[1.50]") "}\"");
	/* A line break within it is taken by servers: a failure stays one. */
	assert_return(false, "\"{" Q("status") ":" Q("Failed") "," Q("message")
	    ":" Q("a\\nb") "}\"", BIT(PACKED), "\"{" Q("status") ":"
	    Q("Failed") "," Q("message") ":" Q("a\\\\nb") "}\"");
	assert_return(false, "\"{" Q("x") ":1}\"", 0, "\"{" Q("x") ":1}\"");
	assert_return(false, "\"{" Q("status") ":" Q("Failed") "}\"", 0,
	    "\"{" Q("status") ":" Q("Failed") "}\"");
}

static void
test_neutral(void **state)
{
	(void)state;
	assert_return(true, "\"{" Q("status") ":" Q("Failed") "," Q("message")
	    ":" Q("m") "," Q("time") ":" Q("t") "}\"", BIT(NEUTRAL),
	    "\"{" Q("ok") ":false," Q("message") ":" Q("m") "}\"");
	assert_return(true, "\"{" Q("status") ":" Q("error") "," Q("message")
	    ":" Q("m") "}\"", BIT(NEUTRAL) | BIT(STATUS),
	    "\"{" Q("ok") ":false," Q("message") ":" Q("m") "}\"");
	assert_return(true, "\"{" Q("status") ":" Q("OK") "}\"", 0,
	    "\"{" Q("status") ":" Q("OK") "}\"");
}

/* 0.16.8 stores a list of parts, and its import would replace it. */
static void
test_return_parts(void **state)
{
	(void)state;
	assert_changed("{\"role\":\"tool\",\"content\":[" TEXT("\"{}\"") "],"
	    "\"tool_call_id\":\"c\",\"tool_returns\":[{\"tool_call_id\":"
	    "\"c\",\"func_response\":[{\"type\":\"image\"}]}]}", BIT(PACKED),
	    "{\"role\":\"tool\",\"content\":[" TEXT("\"{}\"") "],"
	    "\"tool_call_id\":\"c\",\"tool_returns\":[{\"tool_call_id\":"
	    "\"c\",\"func_response\":\"{" Q("status") ":" Q("OK") ","
	    Q("message") ":\\\"[{\\\\\\\"type\\\\\\\":"
	    "\\\\\\\"image\\\\\\\"}]\\\"}\"}]}");
}

static void
test_thoughts(void **state)
{
	static const char row[] = "{\"role\":\"assistant\",\"content\":["
	    TEXT("\"hm\"") "],\"tool_calls\":[" CALL("x") "]}";
	struct af_rules rules;

	(void)state;
	af_rules_for(&rules, "memgpt_v2_agent", true, false);
	assert_true(rules.inner_thoughts);
	assert_converted(&rules, row, BIT(THOUGHTS), "{\"role\":\"assistant\","
	    "\"content\":[{\"type\":\"reasoning\",\"is_native\":false,"
	    "\"reasoning\":\"hm\"}],\"tool_calls\":[" CALL("x") "]}");
	assert_converted(&rules, ROW("assistant", "[" TEXT("\"hm\"") "]"), 0,
	    ROW("assistant", "[" TEXT("\"hm\"") "]"));
	af_rules_for(&rules, "memgpt_v2_agent", false, false);
	assert_converted(&rules, row, 0, row);
	af_rules_for(&rules, "letta_v1_agent", true, false);
	assert_converted(&rules, row, 0, row);
	assert_string_equal(af_row_agent_type("react_agent", true),
	    "letta_v1_agent");
	assert_string_equal(af_row_agent_type("react_agent", false),
	    "react_agent");
	assert_string_equal(af_row_agent_type("sleeptime_agent", true),
	    "sleeptime_agent");
}

static void
test_summary(void **state)
{
	struct af_rules rules;

	(void)state;
	af_rules_for(&rules, "letta_v1_agent", false, true);
	assert_converted(&rules, ROW("summary", "[" TEXT("\"{}\"") "]"),
	    BIT(SUMMARY), ROW("user", "[" TEXT("\"{}\"") "]"));
}

/* The rows but the last are calls and returns before it. */
static void
assert_call_found(const char *const rows[], const char *id)
{
	struct af_convert c = { .rules = plain };
	struct buf out = BUF_INIT(4096), wanted = BUF_INIT(256);
	struct err err = ERR_INIT;
	unsigned int changes = 0;

	for (size_t i = 0; rows[i]; i++) {
		assert_int_equal(err.kind, ERR_NONE);
		changes = convert(&c, rows[i], &out, &err);
	}
	if (id) {
		assert_int_equal(changes, BIT(CALL_ID));
		buf_printf(&wanted, "\"tool_call_id\":\"%s\"", id);
		assert_non_null(strstr(buf_cstr(&out), buf_cstr(&wanted)));
	} else {
		assert_int_equal(err.kind, ERR_DATA);
		assert_non_null(strstr(err.text, "without tool_call_id"));
	}
	af_convert_clear(&c);
	buf_clear(&out);
	buf_clear(&wanted);
}

#define ANSWER "{\"role\":\"tool\",\"content\":[" TEXT("\"{}\"") "]}"
#define ANSWERS(id) "{\"role\":\"tool\",\"tool_call_id\":\"" id \
    "\",\"content\":[" TEXT("\"{}\"") "]}"
#define RETURNS(list) "{\"role\":\"tool\",\"content\":[]," \
    "\"tool_returns\":[" list "]}"
#define RETURN(id) "{\"tool_call_id\":" id ",\"func_response\":\"{}\"}"

static void
test_call_id(void **state)
{
	static const char *const one[] = { CALLS(CALL("x")), ANSWER, NULL };
	static const char *const left[] = {
		CALLS(CALL("x") "," CALL("y")), ANSWERS("x"),
		ROW("user", "[1]"), ANSWER, NULL
	};
	static const char *const own[] = {
		CALLS(CALL("x") "," CALL("y")), RETURNS(RETURN("\"z\"")), NULL
	};
	static const char *const empty[] = {
		CALLS(CALL("x")), RETURNS(RETURN("null")), NULL
	};
	static const char *const none[] = { ANSWER, NULL };
	static const char *const two[] = {
		CALLS(CALL("x") "," CALL("y")), ANSWER, NULL
	};
	static const char *const done[] = {
		CALLS(CALL("x")), ANSWERS("x"), ANSWER, NULL
	};
	static const char *const other[] = {
		CALLS(CALL("x")), RETURNS(RETURN("\"x\"") ","
		    RETURN("null")), NULL
	};

	(void)state;
	assert_call_found(one, "x");
	assert_call_found(left, "y");
	assert_call_found(own, "z");
	assert_call_found(empty, "x");
	assert_call_found(none, NULL);
	assert_call_found(two, NULL);
	assert_call_found(done, NULL);
	assert_call_found(other, NULL);
	assert_kept("{\"role\":\"tool\",\"content\":[],\"tool_returns\":["
	    RETURN("\"x\"") "," RETURN("\"y\"") "]}");
}

static void
test_listed(void **state)
{
	static const struct {
		const char *text;
		bool listed;
	} cases[] = {
		{ ROW("assistant", "[]"), false },
		{ ROW("assistant", "[{\"type\":\"tool_call\"}]"), false },
		{ ROW("assistant", "[" TEXT("\"\"") "]"), true },
		{ ROW("assistant", "[{\"type\":\"omitted_reasoning\"}]"),
		    true },
		{ CALLS(CALL("x")), true },
		{ ROW("approval", "[]"), true },
		{ ROW("user", "[]"), true },
	};
	struct err err = ERR_INIT;
	struct jdoc *row;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		row = jdoc_parse(cases[i].text, strlen(cases[i].text), &err);
		if (af_row_is_listed(row) != cases[i].listed)
			fail_msg("%s", cases[i].text);
		assert_false(af_row_is_dropped(row));
		jdoc_set(row, "is_err", jdoc_new_bool(true));
		assert_true(af_row_is_dropped(row));
		jdoc_free(row);
	}
}

static void
test_texts(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < AF_CHANGES; i++)
		assert_true(strlen(af_change_text(i)) > 10);
}

#define DATED(date) "{\"role\":\"assistant\",\"content\":[],"		\
    "\"created_at\":\"" date "\"}"

/* A server would date such a row by the import. */
static void
test_no_date(void **state)
{
	struct af_convert c = { .rules = { .date_all = true } };
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(convert(&c, ROW("assistant", "[]"), &out, &err),
	    BIT(UNDATED));
	assert_string_equal(buf_cstr(&out), DATED("1970-01-01T00:00:00Z"));
	assert_int_equal(convert(&c, DATED("2025-01-02T03:04:05Z"), &out,
	    &err), 0);
	assert_int_equal(convert(&c, "{\"role\":\"assistant\",\"content\":[],"
	    "\"created_at\":null}", &out, &err), BIT(UNDATED));
	assert_string_equal(buf_cstr(&out), DATED("2025-01-02T03:04:05Z"));
	/* What is no date is another rule's. */
	assert_int_equal(convert(&c, DATED("yesterday"), &out, &err), 0);
	af_convert_clear(&c);
	buf_clear(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_unicode),
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_neutral),
		cmocka_unit_test(test_return_parts),
		cmocka_unit_test(test_thoughts),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_call_id),
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_no_date),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
