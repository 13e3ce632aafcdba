#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/af_row.h"
#include "core/jdoc.h"
#include "core/turn.h"

#define V1 "letta_v1_agent"
#define DATE "\"date\":\"2026-01-02T15:04:05+00:00\""
#define AT ",\"created_at\":\"2026-01-02T15:04:05+00:00\""
#define TIME "2026-01-02 03:04:05 PM UTC+0000"
#define ITEM(id, type) "{\"id\":\"" id "\",\"message_type\":\"" type "\"," \
    DATE ","
#define ROW(role) "{\"type\":\"message\",\"role\":\"" role "\","
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"

static int
collect(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct buf *out = ctx;

	(void)err;
	assert_int_equal(strlen(body), len);
	buf_str(out, id);
	buf_char(out, ' ');
	buf_str(out, body);
	buf_char(out, '\n');
	return 0;
}

static void
assert_rows(const char *agent_type, const char *page, const char *expected)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(64 * 1024);
	struct turn_page info;

	if (turn_page(agent_type, page, strlen(page), collect, &out, &info,
	    &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
}

static void
assert_refused(const char *page, const char *why)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(64 * 1024);
	struct turn_page info;

	assert_int_equal(turn_page(V1, page, strlen(page), collect, &out,
	    &info, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
	buf_clear(&out);
}

static void
test_user_and_system(void **state)
{
	(void)state;
	assert_rows(V1,
	    "[" ITEM("m1", "system_message") "\"content\":\"s\"},"
	    ITEM("m2", "user_message") "\"content\":\"hi\",\"name\":\"Bob\","
	    "\"sender_id\":\"identity-1\",\"otid\":\"x\",\"step_id\":\"st\","
	    "\"run_id\":null},"
	    ITEM("m3", "user_message") "\"content\":[" TEXT("a") ","
	    "{\"type\":\"image\",\"source\":{\"type\":\"letta\"}}]},"
	    ITEM("m4", "user_message") "\"content\":\"\"}]",
	    "m1 " ROW("system") "\"content\":[" TEXT("s") "]" AT "}\n"
	    "m2 " ROW("user") "\"content\":[" TEXT("hi") "]" AT
	    ",\"name\":\"Bob\",\"sender_id\":\"identity-1\","
	    "\"step_id\":\"st\"}\n"
	    "m3 " ROW("user") "\"content\":[" TEXT("a") ","
	    "{\"type\":\"image\",\"source\":{\"type\":\"letta\"}}]" AT "}\n"
	    "m4 " ROW("user") "\"content\":[" TEXT("") "]" AT "}\n");
}

/* Whatever item brings them: equal rows of two servers are equal up to here. */
static void
test_ids_of_a_server_come_last(void **state)
{
	(void)state;
	assert_rows(V1,
	    "[" ITEM("m1", "reasoning_message") "\"reasoning\":\"r\","
	    "\"source\":\"reasoner_model\",\"step_id\":\"st\"},"
	    ITEM("m1", "tool_call_message") "\"tool_calls\":[{"
	    "\"tool_call_id\":\"c\",\"name\":\"f\","
	    "\"arguments\":\"{}\"}],\"step_id\":\"other\","
	    "\"run_id\":\"ru\"}]",
	    "m1 " ROW("assistant") "\"content\":[{\"type\":\"reasoning\","
	    "\"is_native\":true,\"reasoning\":\"r\"}]" AT
	    ",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}],"
	    "\"step_id\":\"st\",\"run_id\":\"ru\"}\n");
}

static void
test_packed_user_text(void **state)
{
	(void)state;
	/* Would be unpacked again: packed once more. */
	assert_rows(V1, "[" ITEM("m1", "user_message") "\"content\":"
	    "\"{\\\"type\\\":\\\"user_message\\\",\\\"message\\\":1}\"}]",
	    "m1 " ROW("user") "\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"type\\\":\\\"user_message\\\",\\\"message\\\":"
	    "\\\"{\\\\\\\"type\\\\\\\":\\\\\\\"user_message\\\\\\\","
	    "\\\\\\\"message\\\\\\\":1}\\\"}\"}]" AT "}\n");
	/* Python takes blanks before it. */
	assert_rows(V1, "[" ITEM("m1", "user_message") "\"content\":"
	    "\" {\\\"type\\\":\\\"user_message\\\",\\\"message\\\":1}\"}]",
	    "m1 " ROW("user") "\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"type\\\":\\\"user_message\\\",\\\"message\\\":"
	    "\\\" {\\\\\\\"type\\\\\\\":\\\\\\\"user_message\\\\\\\","
	    "\\\\\\\"message\\\\\\\":1}\\\"}\"}]" AT "}\n");
	assert_rows(V1, "[" ITEM("m1", "user_message") "\"content\":"
	    "\"{\\\"type\\\":\\\"heartbeat\\\"}\"}]",
	    "m1 " ROW("user") "\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"type\\\":\\\"heartbeat\\\"}\"}]" AT "}\n");
}

static void
test_assistant(void **state)
{
	(void)state;
	assert_rows(V1,
	    "[" ITEM("m1", "reasoning_message") "\"source\":\"reasoner_model\","
	    "\"reasoning\":\"r\",\"signature\":\"sig\"},"
	    ITEM("m1", "hidden_reasoning_message") "\"state\":\"redacted\","
	    "\"hidden_reasoning\":\"zz\"},"
	    ITEM("m1", "hidden_reasoning_message") "\"state\":\"omitted\"},"
	    ITEM("m1", "assistant_message") "\"content\":\"t\"},"
	    ITEM("m1", "tool_call_message") "\"tool_call\":{},"
	    "\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"{}\","
	    "\"tool_call_id\":\"c1\"},{\"name\":\"g\",\"arguments\":\"\","
	    "\"tool_call_id\":\"c2\"}]}]",
	    "m1 " ROW("assistant") "\"content\":[{\"type\":\"reasoning\","
	    "\"is_native\":true,\"reasoning\":\"r\",\"signature\":\"sig\"},"
	    "{\"type\":\"redacted_reasoning\",\"data\":\"zz\"},"
	    "{\"type\":\"omitted_reasoning\"}," TEXT("t") "]" AT
	    ",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	    "{\"id\":\"c2\",\"type\":\"function\",\"function\":"
	    "{\"name\":\"g\",\"arguments\":\"\"}}]}\n");
}

static void
test_agent_type(void **state)
{
	static const char page[] =
	    "[" ITEM("m1", "reasoning_message") "\"source\":"
	    "\"non_reasoner_model\",\"reasoning\":\"r\"}]";

	(void)state;
	assert_rows("memgpt_v2_agent", page, "m1 " ROW("assistant")
	    "\"content\":[" TEXT("r") "]" AT "}\n");
	assert_rows(V1, page, "m1 " ROW("assistant") "\"content\":["
	    "{\"type\":\"reasoning\",\"is_native\":false,"
	    "\"reasoning\":\"r\"}]" AT "}\n");
	assert_rows("memgpt_v2_agent", "[" ITEM("m1", "reasoning_message")
	    "\"reasoning\":\"r\"}]", "m1 " ROW("assistant")
	    "\"content\":[" TEXT("r") "]" AT "}\n");
}

#define PACKED(status, text) "\"{\\\"status\\\":\\\"" status "\\\"," \
    "\\\"message\\\":\\\"" text "\\\",\\\"time\\\":\\\"" TIME "\\\"}\""

static void
test_tool_return(void **state)
{
	(void)state;
	assert_rows(V1,
	    "[" ITEM("m1", "tool_return_message") "\"tool_return\":\"x\","
	    "\"status\":\"error\",\"tool_call_id\":\"c1\",\"stdout\":null,"
	    "\"stderr\":[\"e\"]}]",
	    "m1 " ROW("tool") "\"content\":[{\"type\":\"text\",\"text\":"
	    PACKED("Failed", "x") "}]" AT ",\"tool_returns\":["
	    "{\"tool_call_id\":\"c1\",\"status\":\"error\","
	    "\"stderr\":[\"e\"],\"func_response\":" PACKED("Failed", "x")
	    "}],\"tool_call_id\":\"c1\"}\n");
	assert_rows(V1,
	    "[" ITEM("m1", "tool_return_message") "\"tool_return\":\"x\","
	    "\"status\":\"success\",\"tool_call_id\":\"c1\","
	    "\"tool_returns\":[{\"type\":\"tool\",\"tool_return\":\"x\","
	    "\"status\":\"success\",\"tool_call_id\":\"c1\"},"
	    "{\"type\":\"tool\",\"tool_return\":\"y\","
	    "\"status\":\"error\",\"tool_call_id\":\"c2\"}]}]",
	    "m1 " ROW("tool") "\"content\":[{\"type\":\"text\",\"text\":"
	    PACKED("OK", "x") "}]" AT ",\"tool_returns\":["
	    "{\"tool_call_id\":\"c1\",\"status\":\"success\","
	    "\"func_response\":" PACKED("OK", "x") "},"
	    "{\"tool_call_id\":\"c2\",\"status\":\"error\","
	    "\"func_response\":" PACKED("Failed", "y")
	    "}],\"tool_call_id\":\"c1\"}\n");
}

static void
test_approval(void **state)
{
	(void)state;
	assert_rows(V1,
	    "[" ITEM("m1", "assistant_message") "\"content\":\"may I\"},"
	    ITEM("m1", "approval_request_message") "\"tool_calls\":["
	    "{\"name\":\"f\",\"arguments\":\"{}\",\"tool_call_id\":\"c1\"}]},"
	    ITEM("m2", "approval_response_message") "\"approve\":false,"
	    "\"approval_request_id\":\"c1\",\"reason\":\"no\","
	    "\"approvals\":[{\"type\":\"approval\",\"tool_call_id\":\"c1\","
	    "\"approve\":false,\"reason\":\"no\"},{\"type\":\"tool\","
	    "\"tool_return\":\"x\",\"status\":\"success\","
	    "\"tool_call_id\":\"c2\"}]}]",
	    "m1 " ROW("approval") "\"content\":[" TEXT("may I") "]" AT
	    ",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}\n"
	    "m2 " ROW("approval") "\"content\":[]" AT ",\"approve\":false,"
	    "\"approval_request_id\":\"c1\",\"denial_reason\":\"no\","
	    "\"approvals\":[{\"type\":\"approval\",\"tool_call_id\":\"c1\","
	    "\"approve\":false,\"reason\":\"no\"},{\"tool_call_id\":\"c2\","
	    "\"status\":\"success\",\"func_response\":" PACKED("OK", "x")
	    "}]}\n");
}

static void
test_page_info(void **state)
{
	static const char page[] =
	    "[" ITEM("m1", "reasoning_message") "\"source\":\"reasoner_model\","
	    "\"reasoning\":\"r\"}," ITEM("m1", "assistant_message")
	    "\"content\":\"t\"}," ITEM("m2", "user_message")
	    "\"content\":\"u\"}]";
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(64 * 1024);
	struct turn_page info;

	(void)state;
	assert_int_equal(turn_page(V1, page, strlen(page), collect, &out,
	    &info, &err), 0);
	assert_int_equal(info.items, 3);
	assert_int_equal(info.rows, 2);
	assert_string_equal(info.last_id, "m2");
	assert_int_equal(turn_page(V1, "[]", 2, collect, &out, &info, &err),
	    0);
	assert_int_equal(info.items, 0);
	assert_string_equal(info.last_id, "");
	buf_clear(&out);
}

static void
test_refused(void **state)
{
	(void)state;
	assert_refused("{}", "not a list");
	assert_refused("[{\"message_type\":\"user_message\"}]", "/0: no id");
	assert_refused("[" ITEM("m1", "user_message") "\"content\":\"a\"},"
	    ITEM("m2", "event_message") "\"x\":1}]",
	    "/1 (m2): unknown message_type \"event_message\"");
	assert_refused("[{\"id\":\"m\\u001b\"," DATE "}]",
	    "/0 (m\\x1b): no message_type");
	assert_refused("[{\"id\":\"m1\",\"message_type\":\"user_message\","
	    "\"content\":\"a\",\"date\":\"soon\"}]", "(m1): date");
	assert_refused("[" ITEM("m1", "user_message") "\"content\":null}]",
	    "neither text nor a list");
	assert_refused("[" ITEM("m1", "tool_return_message")
	    "\"tool_return\":\"x\",\"status\":\"maybe\","
	    "\"tool_call_id\":\"c\"}]", "(m1): status of a tool return");
	assert_refused("[" ITEM("m1", "tool_return_message")
	    "\"tool_return\":\"x\",\"status\":\"success\"}]",
	    "without tool_call_id");
	assert_refused("[" ITEM("m1", "tool_call_message")
	    "\"tool_calls\":[{\"name\":\"f\",\"arguments\":\"\"}]}]",
	    "a tool call needs");
	assert_refused("[" ITEM("m1", "reasoning_message")
	    "\"source\":\"new\",\"reasoning\":\"x\"}]", "unknown source");
	assert_refused("[" ITEM("m1", "hidden_reasoning_message")
	    "\"state\":\"new\"}]", "unknown state");
}

/* Letta Cloud gives one id to different rows. */
static void
test_same_id(void **state)
{
	static const char page[] = "["
	    ITEM("m1", "user_message") "\"content\":\"a\"},"
	    ITEM("m1", "user_message") "\"content\":\"b\"},"
	    ITEM("m1", "assistant_message") "\"content\":\"c\"},"
	    "{\"id\":\"m1\",\"message_type\":\"assistant_message\","
	    "\"date\":\"2026-01-02T15:04:06+00:00\",\"content\":\"d\"}]";
	struct buf out = BUF_INIT(64 * 1024);
	struct turn_page info;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(turn_page(V1, page, strlen(page), collect, &out,
	    &info, &err), 0);
	assert_string_equal(buf_cstr(&out),
	    "m1 " ROW("user") "\"content\":[" TEXT("a") "]" AT "}\n"
	    "m1 " ROW("user") "\"content\":[" TEXT("b") "]" AT "}\n"
	    "m1 " ROW("assistant") "\"content\":[" TEXT("c") "]" AT "}\n"
	    "m1 " ROW("assistant") "\"content\":[" TEXT("d") "],"
	    "\"created_at\":\"2026-01-02T15:04:06+00:00\"}\n");
	assert_int_equal(info.rows, 4);
	assert_int_equal(info.items, 4);
	assert_string_equal(info.last_id, "m1");
	buf_clear(&out);
}

/* What 0.11.3 and Cloud say of a run that failed, and what they do not. */
static void
test_failed_run(void **state)
{
	static const char page[] = "["
	    ITEM("m1", "user_message") "\"content\":\"a\",\"is_err\":true},"
	    ITEM("m2", "assistant_message") "\"content\":\"b\","
	    "\"status\":\"error\"},"
	    ITEM("m3", "assistant_message") "\"content\":\"c\","
	    "\"is_err\":false,\"status\":\"completed\"},"
	    ITEM("m4", "tool_return_message") "\"tool_return\":\"x\","
	    "\"status\":\"error\",\"tool_call_id\":\"c\"}]";
	struct buf out = BUF_INIT(64 * 1024);
	struct turn_page info;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(turn_page(V1, page, strlen(page), collect, &out,
	    &info, &err), 0);
	assert_int_equal(info.errors, 2);
	assert_non_null(strstr(buf_cstr(&out), "m1 " ROW("user")
	    "\"content\":[" TEXT("a") "]" AT ",\"is_err\":true}\n"
	    "m2 " ROW("assistant") "\"content\":[" TEXT("b") "]" AT
	    ",\"is_err\":true}\n"
	    "m3 " ROW("assistant") "\"content\":[" TEXT("c") "]" AT "}\n"));
	buf_clear(&out);
}

/* 0.11.3 has an item for each call; 0.16.8 has returns of several parts. */
static void
test_versions(void **state)
{
	(void)state;
	assert_rows("memgpt_v2_agent",
	    "[" ITEM("m1", "tool_call_message") "\"tool_call\":{\"name\":"
	    "\"f\",\"arguments\":\"{}\",\"tool_call_id\":\"c1\"}},"
	    ITEM("m1", "tool_call_message") "\"tool_call\":{\"name\":"
	    "\"g\",\"arguments\":\"{}\",\"tool_call_id\":\"c2\"}}]",
	    "m1 " ROW("assistant") "\"content\":[]" AT ",\"tool_calls\":["
	    "{\"id\":\"c1\",\"type\":\"function\",\"function\":{"
	    "\"name\":\"f\",\"arguments\":\"{}\"}},"
	    "{\"id\":\"c2\",\"type\":\"function\",\"function\":{"
	    "\"name\":\"g\",\"arguments\":\"{}\"}}]}\n");
	assert_rows(V1, "[" ITEM("m1", "tool_return_message")
	    "\"tool_return\":\"see [image]\",\"status\":\"success\","
	    "\"tool_call_id\":\"c\",\"tool_returns\":[{\"tool_return\":["
	    TEXT("see") ",{\"type\":\"image\"}],\"status\":\"success\","
	    "\"tool_call_id\":\"c\"}]}]",
	    "m1 " ROW("tool") "\"content\":[{\"type\":\"text\",\"text\":"
	    "\"{\\\"status\\\":\\\"OK\\\",\\\"message\\\":"
	    "\\\"see [image]\\\",\\\"time\\\":\\\"" TIME "\\\"}\"}]" AT
	    ",\"tool_returns\":[{\"tool_call_id\":\"c\",\"status\":"
	    "\"success\",\"func_response\":[" TEXT("see")
	    ",{\"type\":\"image\"}]}],\"tool_call_id\":\"c\"}\n");
}

#define REASON(more) ROW("assistant") "\"content\":[{\"type\":" \
    "\"reasoning\",\"reasoning\":\"r\"}]" more "}"
#define SAID(more) ROW("assistant") "\"content\":[" TEXT("t") "]" more "}"
#define CALLED(more) ROW("assistant") "\"content\":[],\"tool_calls\":[1]" \
    more "}"

struct pair {
	const char *id, *body;
};

struct merged {
	struct buf *out;
	uint64_t pairs;
};

static int
collect_merged(void *ctx, const char *id, struct jdoc *take,
    unsigned int changes, struct err *err)
{
	struct merged *merged = ctx;

	(void)err;
	buf_printf(merged->out, "%s ", id);
	jdoc_write(take, merged->out);
	buf_char(merged->out, '\n');
	merged->pairs += changes >> AF_CHANGE_MERGED & 1;
	jdoc_free(take);
	return 0;
}

static uint64_t
merge(const struct pair *rows, struct buf *out)
{
	struct err err = ERR_INIT;
	struct merged merged = { .out = out };
	struct turn_merge m = { .each = collect_merged, .ctx = &merged };

	for (; rows->id; rows++)
		assert_int_equal(turn_merge_push(&m, rows->id,
		    jdoc_parse(rows->body, strlen(rows->body), &err), 0,
		    &err), 0);
	assert_int_equal(turn_merge_flush(&m, &err), 0);
	turn_merge_clear(&m);
	return merged.pairs;
}

static void
assert_apart(const char *first, const char *second)
{
	const struct pair rows[] = {
		{ "a", first }, { "b", second }, { NULL, NULL }
	};
	struct buf out = BUF_INIT(4096), expected = BUF_INIT(4096);

	buf_printf(&expected, "a %s\nb %s\n", first, second);
	assert_int_equal(merge(rows, &out), 0);
	assert_string_equal(buf_cstr(&out), buf_cstr(&expected));
	buf_clear(&expected);
	buf_clear(&out);
}

static void
assert_together(const char *first, const char *second, const char *expected)
{
	const struct pair rows[] = {
		{ "a", first }, { "b", second }, { NULL, NULL }
	};
	struct buf out = BUF_INIT(4096);

	assert_int_equal(merge(rows, &out), 1);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
}

static void
test_merge(void **state)
{
	(void)state;
	assert_together(REASON(""), SAID(",\"name\":\"n\""),
	    "b " ROW("assistant") "\"content\":[{\"type\":\"reasoning\","
	    "\"reasoning\":\"r\"}," TEXT("t") "],\"name\":\"n\","
	    "\"merged_id\":\"a\"}\n");
	assert_together(REASON(",\"step_id\":\"s\""),
	    CALLED(",\"step_id\":\"s\""),
	    "b " ROW("assistant") "\"content\":[{\"type\":\"reasoning\","
	    "\"reasoning\":\"r\"}],\"tool_calls\":[1],\"step_id\":\"s\","
	    "\"merged_id\":\"a\"}\n");
	assert_together(REASON(",\"step_id\":\"s\""), SAID(""),
	    "b " ROW("assistant") "\"content\":[{\"type\":\"reasoning\","
	    "\"reasoning\":\"r\"}," TEXT("t") "],\"merged_id\":\"a\"}\n");
}

static void
test_merge_apart(void **state)
{
	(void)state;
	assert_apart(REASON(",\"step_id\":\"s\""), SAID(",\"step_id\":\"t\""));
	assert_apart(REASON(",\"run_id\":\"s\""), SAID(",\"run_id\":\"t\""));
	assert_apart(REASON(""), REASON(""));
	assert_apart(SAID(""), SAID(""));
	assert_apart(SAID(""), REASON(""));
	assert_apart(REASON(",\"tool_calls\":[1]"), SAID(""));
	assert_apart(REASON(""), ROW("user") "\"content\":[]}");
	assert_apart(REASON(""), ROW("tool") "\"content\":[]}");
	assert_apart(REASON(""), ROW("assistant") "\"content\":[]}");
}

/* A row between two halves keeps them apart; the order stays. */
static void
test_merge_across_turns(void **state)
{
	static const struct pair rows[] = {
		{ "a", REASON("") },
		{ "b", ROW("user") "\"content\":[]}" },
		{ "c", SAID("") },
		{ "d", REASON("") },
		{ NULL, NULL }
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_int_equal(merge(rows, &out), 0);
	assert_string_equal(buf_cstr(&out), "a " REASON("") "\n"
	    "b " ROW("user") "\"content\":[]}\nc " SAID("") "\n"
	    "d " REASON("") "\n");
	buf_clear(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_and_system),
		cmocka_unit_test(test_ids_of_a_server_come_last),
		cmocka_unit_test(test_packed_user_text),
		cmocka_unit_test(test_assistant),
		cmocka_unit_test(test_agent_type),
		cmocka_unit_test(test_tool_return),
		cmocka_unit_test(test_approval),
		cmocka_unit_test(test_page_info),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_same_id),
		cmocka_unit_test(test_failed_run),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_apart),
		cmocka_unit_test(test_merge_across_turns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
