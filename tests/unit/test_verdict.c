#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "core/verdict_row.h"

#define AT ",\"created_at\":\"2026-01-02T03:04:05Z\""

static void
canonical(const char *body, struct buf *out)
{
	struct err err = ERR_INIT;
	struct jdoc *row = jdoc_parse(body, strlen(body), &err);

	if (!row || verdict_row_canonical(row, out, &err) != 0)
		fail_msg("%s: %s", body, err.text);
	jdoc_free(row);
}

static void
assert_same(const char *a, const char *b)
{
	struct buf x = BUF_INIT(4096), y = BUF_INIT(4096);

	canonical(a, &x);
	canonical(b, &y);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
}

static void
assert_difference(const char *a, const char *b, const char *line)
{
	struct buf x = BUF_INIT(64 * 1024), y = BUF_INIT(64 * 1024);
	struct buf out = BUF_INIT(4096);

	canonical(a, &x);
	canonical(b, &y);
	verdict_row_difference(buf_cstr(&x), buf_cstr(&y), &out);
	assert_string_equal(buf_cstr(&out), line);
	buf_clear(&x);
	buf_clear(&y);
	buf_clear(&out);
}

#define TEXT(t) "{\"type\":\"text\",\"text\":\"" t "\"}"
#define ROW(role, rest) "{\"role\":\"" role "\"" rest AT "}"

static void
test_row_same(void **state)
{
	(void)state;
	/* What is of one server alone, or null, or in another order. */
	assert_same(ROW("user", ",\"content\":[" TEXT("a") "]"),
	    "{\"content\":[{\"text\":\"a\",\"type\":\"text\",\"signature\":"
	    "null}],\"id\":\"m\",\"otid\":\"o\",\"step_id\":\"s\",\"run_id\":"
	    "\"r\",\"merged_id\":\"x\",\"agent_id\":\"a\",\"name\":null,"
	    "\"tool_calls\":[],\"type\":\"message\",\"role\":\"user\","
	    "\"created_at\":\"2026-01-02T05:04:05.999+02:00\"}");
	assert_same(ROW("assistant", ",\"content\":[]"),
	    ROW("assistant", ",\"content\":null"));
	/* Seams and is_native cannot be listed. */
	assert_same(ROW("assistant", ",\"content\":[" TEXT("a") ","
	    TEXT("b") "]"), ROW("assistant", ",\"content\":[" TEXT("ab")
	    "]"));
	assert_same(ROW("assistant", ",\"content\":[{\"type\":\"reasoning\","
	    "\"is_native\":true,\"reasoning\":\"a\",\"signature\":\"s\"},"
	    "{\"type\":\"reasoning\",\"reasoning\":\"b\",\"signature\":"
	    "\"t\"}," TEXT("x") "]"),
	    ROW("assistant", ",\"content\":[{\"type\":\"reasoning\","
	    "\"is_native\":false,\"reasoning\":\"ab\",\"signature\":"
	    "\"s\"}," TEXT("x") "]"));
}

/* Years that break listings are moved on the way, so they compare moved. */
static void
test_date_moved(void **state)
{
	(void)state;
	assert_same("{\"role\":\"user\",\"created_at\":"
	    "\"0001-01-01T00:00:00\"}",
	    "{\"role\":\"user\",\"created_at\":\"1900-01-01T00:00:00Z\"}");
	assert_same("{\"role\":\"user\",\"created_at\":"
	    "\"9999-12-31T23:59:59.9Z\"}",
	    "{\"role\":\"user\",\"created_at\":\"2999-12-31T23:59:59Z\"}");
}

static void
test_return_same(void **state)
{
	(void)state;
	/* In content or in tool_returns, whatever its time. */
	assert_same(ROW("tool", ",\"tool_call_id\":\"c\",\"content\":["
	    TEXT("{\\\"status\\\":\\\"OK\\\",\\\"message\\\":\\\"m\\\","
	    "\\\"time\\\":\\\"1\\\"}") "]"),
	    ROW("tool", ",\"tool_call_id\":\"c\",\"content\":[],"
	    "\"tool_returns\":[{\"tool_call_id\":\"c\",\"stdout\":[],"
	    "\"status\":\"success\",\"func_response\":"
	    "\"{\\\"message\\\":\\\"m\\\"}\"}]"));
}

static void
test_row_difference(void **state)
{
	(void)state;
	assert_difference(ROW("user", ""), ROW("user", ""), "");
	assert_difference(ROW("user", ""), ROW("assistant", ""),
	    "/role: \"user\" and \"assistant\"");
	assert_difference(ROW("user", ",\"name\":\"n\""), ROW("user", ""),
	    "/name: only at the source: \"n\"");
	assert_difference(ROW("user", ""), ROW("user", ",\"name\":\"n\""),
	    "/name: only at the target: \"n\"");
	assert_difference(
	    ROW("user", ",\"content\":[" TEXT("a") "," TEXT("b") "]"),
	    ROW("user", ",\"content\":[" TEXT("a") "]"),
	    "/content/1: only at the source: "
	    "{\"text\":\"b\",\"type\":\"text\"}");
	assert_difference(
	    ROW("user", ",\"content\":[" TEXT("a\\u001b[2J") "]"),
	    ROW("user", ",\"content\":[" TEXT("a") "]"),
	    "/content/0/text: \"a\\x1b[2J\" and \"a\"");
	assert_difference(
	    ROW("user", ",\"content\":[" TEXT("0123456789012345678901x") "]"),
	    ROW("user", ",\"content\":[" TEXT("0123456789012345678901y") "]"),
	    "/content/0/text: from byte 22, \"x\" and \"y\"");
	assert_difference("{\"role\":\"user\",\"created_at\":"
	    "\"2026-01-02T03:04:06Z\"}", ROW("user", ""),
	    "/created_at: \"2026-01-02T03:04:06Z\" and "
	    "\"2026-01-02T03:04:05Z\"");
	assert_difference(ROW("user", ",\"content\":[" TEXT("a") "]"),
	    ROW("user", ",\"content\":[{\"type\":\"text\",\"text\":7}]"),
	    "/content/0/text: \"a\" and 7");
	assert_difference(
	    ROW("tool", ",\"tool_call_id\":\"c\",\"content\":["
	    TEXT("{\\\"status\\\":\\\"Failed\\\"}") "]"),
	    ROW("tool", ",\"tool_call_id\":\"c\",\"content\":["
	    TEXT("{\\\"status\\\":\\\"OK\\\"}") "]"),
	    "/returns/0/text: \"{\"status\":\"Failed\"}\" and "
	    "\"{\"status\":\"OK\"}\"");
	assert_difference(
	    ROW("tool", ",\"tool_call_id\":\"c\",\"content\":["
	    TEXT("{\\\"status\\\":\\\"Failed\\\",\\\"message\\\":1}") "]"),
	    ROW("tool", ",\"tool_call_id\":\"c\",\"content\":["
	    TEXT("{\\\"status\\\":\\\"OK\\\",\\\"message\\\":\\\"1\\\"}") "]"),
	    "/returns/0/status: \"error\" and \"success\"");
}

static void
test_row_bounds(void **state)
{
	static const char head[] = "{\"role\":\"user\",\"name\":\"";
	struct buf a = BUF_INIT(64 * 1024), x = BUF_INIT(64 * 1024);
	struct buf out = BUF_INIT(4096);

	(void)state;
	buf_str(&a, head);
	for (size_t i = 0; i < 20000; i++)
		buf_char(&a, 'n');
	buf_str(&a, "\"" AT "}");
	canonical(buf_cstr(&a), &x);
	verdict_row_difference(buf_cstr(&x), "{}", &out);
	assert_in_range(out.len, 20, 300);
	buf_clear(&a);
	buf_clear(&x);
	buf_clear(&out);
}

#define PACKED(m) "{\\\"type\\\":\\\"user_message\\\"," \
    "\\\"message\\\":\\\"" m "\\\"}"

/* A raw row beside what a listing shows of it. */
static void
test_row_shown(void **state)
{
	(void)state;
	assert_same(ROW("user", ",\"content\":[" TEXT(PACKED("hi")) "]"),
	    ROW("user", ",\"content\":[" TEXT("hi") "]"));
	/* Only once, and only when it stands alone. */
	assert_difference(ROW("user", ",\"content\":[" TEXT("a") ","
	    TEXT(PACKED("b")) "]"), ROW("user", ",\"content\":[" TEXT("a")
	    "," TEXT("b") "]"), "/content/1/text: \"{\"type\":"
	    "\"user_message\",\"message\":\"b\"}\" and \"b\"");
	assert_same(ROW("summary", ",\"content\":[" TEXT("s") "]"),
	    ROW("user", ",\"content\":[" TEXT("s") "]"));
	/* Parts and members that no listing shows. */
	assert_same(ROW("assistant", ",\"content\":[" TEXT("a") ","
	    "{\"type\":\"tool_call\",\"id\":\"c\"}," TEXT("b") "]"),
	    ROW("assistant", ",\"content\":[" TEXT("ab") "]"));
	assert_same(ROW("assistant", ",\"content\":[{\"type\":"
	    "\"reasoning\",\"reasoning\":\"r\"}],\"sender_id\":\"i\""),
	    ROW("assistant", ",\"content\":[{\"type\":\"reasoning\","
	    "\"reasoning\":\"r\"}]"));
	assert_same(ROW("assistant", ",\"content\":[{\"type\":"
	    "\"summarized_reasoning\",\"summary\":[{\"text\":\"a\"},"
	    "{\"text\":\"b\"}],\"encrypted_content\":\"e\"}]"),
	    ROW("assistant", ",\"content\":[{\"type\":\"reasoning\","
	    "\"reasoning\":\"a\\n\\nb\",\"signature\":\"e\"}]"));
	/* An image has an id of each server's own. */
	assert_same(ROW("user", ",\"content\":[{\"type\":\"image\","
	    "\"source\":{\"type\":\"letta\",\"file_id\":\"f\","
	    "\"media_type\":\"image/png\",\"data\":\"AA==\"}}]"),
	    ROW("user", ",\"content\":[{\"type\":\"image\","
	    "\"source\":{\"type\":\"base64\",\"media_type\":"
	    "\"image/png\",\"data\":\"AA==\"}}]"));
	/* The request is named by its call. */
	assert_same(ROW("approval", ",\"approve\":true,"
	    "\"approval_request_id\":\"message-1\",\"approvals\":[{"
	    "\"type\":\"approval\",\"tool_call_id\":\"c\","
	    "\"approve\":true}]"), ROW("approval", ",\"approve\":true,"
	    "\"approval_request_id\":\"c\""));
}

static void
test_row_refused(void **state)
{
	static const char *const bad[] = {
		"1", "[]", "{}", "{\"role\":\"user\"}",
		"{\"role\":\"user\",\"created_at\":\"x\"}",
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(4096);
	struct jdoc *row;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		row = jdoc_parse(bad[i], strlen(bad[i]), &err);
		assert_non_null(row);
		assert_int_equal(verdict_row_canonical(row, &out, &err), -1);
		assert_false(verdict_row_is_system(row));
		jdoc_free(row);
	}
	row = jdoc_parse(ROW("system", ""), strlen(ROW("system", "")), &err);
	assert_true(verdict_row_is_system(row));
	jdoc_free(row);
	buf_clear(&out);
}

static void
test_overall(void **state)
{
	struct verdict v = { 0 };

	(void)state;
	assert_int_equal(verdict_overall(&v), VERDICT_NOT_COMPARED);
	verdict_add_blind(&v);
	assert_int_equal(verdict_overall(&v), VERDICT_NOT_COMPARED);
	verdict_add(&v, "messages", VERDICT_SAME, 3, 3, NULL);
	assert_int_equal(verdict_overall(&v), VERDICT_SAME);
	verdict_add(&v, "passages", VERDICT_DIFFERENT, 3, 2, "one less");
	verdict_add(&v, "blocks", VERDICT_SAME, 1, 1, NULL);
	assert_int_equal(verdict_overall(&v), VERDICT_DIFFERENT);
	verdict_clear(&v);
	verdict_clear(&v);
}

static void
test_written(void **state)
{
	struct verdict v = { 0 };
	struct buf out = BUF_INIT(4096);

	(void)state;
	verdict_add(&v, "messages", VERDICT_SAME, 340, 340, NULL);
	verdict_add(&v, "passages", VERDICT_DIFFERENT, 3, 2, "%s", "a\n\x1b");
	verdict_add(&v, "identities", VERDICT_NOT_COMPARED, 0, 0, "why \"x\"");
	verdict_write_text(&v, &out);
	assert_string_equal(buf_cstr(&out),
	    "messages               same                340        340\n"
	    "passages               different             3          2"
	    "  a \\x1b\n"
	    "identities             not compared                      "
	    "  why \"x\"\n"
	    "verdict: different\n");
	buf_clear(&out);
	verdict_clear(&v);
}

#define BLOCK(label, value, more) "{\"label\":\"" label "\",\"value\":\"" \
    value "\",\"limit\":9" more "}"
#define TOOL(name, type, source) "{\"name\":\"" name "\",\"tool_type\":\"" \
    type "\",\"source_code\":\"" source "\"}"

static void
shell_of(const char *blocks, const char *tools, const char *agent,
    struct af_shell *out)
{
	struct err err = ERR_INIT;
	char text[2048];

	(void)snprintf(text, sizeof(text), "{\"agents\":[{\"name\":\"n\"%s}],"
	    "\"blocks\":[%s],\"tools\":[%s]}", agent, blocks, tools);
	if (af_shell_read(text, strlen(text), out, &err) != 0)
		fail_msg("%s", err.text);
}

/* Text of the one check that compare made, "" when it says same. */
static void
assert_shells(void (*compare)(struct verdict *, const struct af_shell *,
    const struct af_shell *), const char *const a[3], const char *const b[3],
    const char *reason)
{
	struct verdict v = { 0 };
	struct af_shell x, y;

	shell_of(a[0], a[1], a[2], &x);
	shell_of(b[0], b[1], b[2], &y);
	compare(&v, &x, &y);
	assert_int_equal(v.n_checks, 1);
	assert_string_equal(v.checks[0].reason, reason);
	assert_int_equal(v.checks[0].state, *reason ? VERDICT_DIFFERENT :
	    VERDICT_SAME);
	verdict_clear(&v);
	af_shell_clear(&x);
	af_shell_clear(&y);
}

static void
assert_blocks(const char *a, const char *b, const char *reason)
{
	const char *const x[] = { a, "", "" }, *const y[] = { b, "", "" };

	assert_shells(verdict_blocks, x, y, reason);
}

static void
test_blocks(void **state)
{
	(void)state;
	assert_blocks("", "", "");
	assert_blocks(BLOCK("a", "1", "") "," BLOCK("b", "2", ""),
	    BLOCK("b", "2", ",\"id\":\"x\",\"read_only\":false") ","
	    BLOCK("a", "1", ",\"description\":\"\""), "");
	assert_blocks(BLOCK("a", "1", ""), BLOCK("a", "2", ""), "a: value");
	assert_blocks(BLOCK("a", "1", ""), "", "a: not at the target");
	assert_blocks("", BLOCK("a", "1", ""), "a: not at the source");
	assert_blocks(BLOCK("a", "1", ",\"read_only\":true"),
	    BLOCK("a", "1", ""), "a: read_only");
	assert_blocks(BLOCK("a", "1", ",\"description\":\"d\""),
	    BLOCK("a", "1", ""), "a: description");
	assert_blocks(BLOCK("a", "1", ""),
	    "{\"label\":\"a\",\"value\":\"1\",\"limit\":8}", "a: limit");
	assert_blocks(BLOCK("a", "1", "") "," BLOCK("a", "1", ""),
	    BLOCK("a", "1", ""), "a label is there more than once");
}

#define LIMITED(value, limit) "{\"label\":\"a\",\"value\":\"" value \
    "\",\"limit\":" limit "}"

/* The import raises the limit of a value that is longer: four letters. */
static void
test_raised_limit(void **state)
{
	struct verdict v = { 0 };
	struct af_shell x, y;

	(void)state;
	shell_of(LIMITED("abc\xc3\xa9", "3"), "", "", &x);
	shell_of(LIMITED("abc\xc3\xa9", "4"), "", "", &y);
	verdict_blocks(&v, &x, &y);
	assert_int_equal(v.checks[0].state, VERDICT_SAME);
	assert_string_equal(v.checks[0].reason,
	    "1 limits raised to the value's length");
	verdict_clear(&v);
	verdict_blocks(&v, &y, &x);
	assert_int_equal(v.checks[0].state, VERDICT_DIFFERENT);
	verdict_clear(&v);
	af_shell_clear(&x);
	af_shell_clear(&y);
	assert_blocks(LIMITED("abcd", "3"), LIMITED("abcd", "5"), "a: limit");
}

static void
assert_tools(const char *a, const char *b, const char *reason)
{
	const char *const x[] = { "", a, "" }, *const y[] = { "", b, "" };

	assert_shells(verdict_tools, x, y, reason);
}

static void
test_tools(void **state)
{
	(void)state;
	assert_tools(TOOL("f", "custom", "x") "," TOOL("g", "letta_core", "1"),
	    TOOL("g", "letta_core", "2") "," TOOL("f", "custom", "x"), "");
	assert_tools(TOOL("f", "custom", "x"), TOOL("f", "custom", "y"),
	    "f: source_code (the target had a tool of this name, which was "
	    "left as it is)");
	assert_tools(TOOL("f", "custom", "x"), "", "f: not at the target");
	assert_tools("", TOOL("f", "custom", "x"), "f: not at the source");
	assert_tools(TOOL("f", "custom", "x"), TOOL("f", "letta_core", "x"),
	    "f: tool_type");
}

static void
assert_agents(const char *a, const char *b, const char *reason)
{
	const char *const x[] = { "", "", a }, *const y[] = { "", "", b };

	assert_shells(verdict_agent, x, y, reason);
}

static void
test_agent(void **state)
{
	(void)state;
	assert_agents("", ",\"agent_type\":\"letta_v1_agent\"", "");
	assert_agents(",\"tags\":[\"a\",\"b\"]", ",\"tags\":[\"b\",\"a\"]",
	    "");
	assert_agents(",\"tags\":[\"a\"]", ",\"tags\":[\"b\",\"a\"]", "tags");
	assert_agents(",\"tags\":[\"a\"]", "", "tags");
	assert_agents(",\"system\":\"a\"", ",\"system\":\"b\"",
	    "system prompt");
	assert_agents(",\"description\":\"a\"", "", "description");
	assert_agents("", ",\"agent_type\":\"react_agent\"", "agent_type");
	assert_agents(",\"metadata\":{\"a\":1,\"b\":{\"c\":2,\"d\":3}}",
	    ",\"metadata\":{\"b\":{\"d\":3,\"c\":2},\"a\":1}", "");
	assert_agents(",\"metadata\":{}", ",\"metadata\":null", "");
	assert_agents(",\"metadata\":{\"a\":1}", "", "metadata");
	assert_agents(",\"metadata\":{\"a\":1}", ",\"metadata\":{\"a\":2}",
	    "metadata");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_same),
		cmocka_unit_test(test_date_moved),
		cmocka_unit_test(test_return_same),
		cmocka_unit_test(test_row_difference),
		cmocka_unit_test(test_row_bounds),
		cmocka_unit_test(test_row_shown),
		cmocka_unit_test(test_row_refused),
		cmocka_unit_test(test_overall),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_raised_limit),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_agent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
