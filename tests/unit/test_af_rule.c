#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_ids.h"
#include "core/af_rule.h"
#include "core/jdoc.h"
#include "core/lint.h"

#define TEXT_MAX (1024 * 1024)

/* One line of words: "rule effect" of each finding, "+" when repaired. */
static int
note(void *ctx, const struct af_rule_finding *finding, struct err *err)
{
	struct buf *seen = ctx;

	(void)err;
	buf_printf(seen, "%s%s %s%s", seen->len > 0 ? "; " : "",
	    finding->rule, af_rule_effect_word(finding->effect),
	    finding->repaired ? "+" : "");
	return 0;
}

static int
note_place(void *ctx, const struct af_rule_finding *finding, struct err *err)
{
	struct buf *seen = ctx;

	(void)err;
	buf_printf(seen, "%s%s", seen->len > 0 ? " " : "", finding->at);
	return 0;
}

/* A file with one thing put in the place of another. */
struct parts {
	const char *rows;	/* behind the system row and a call */
	const char *members;	/* of the agent, behind a comma */
	const char *context;
	const char *name, *llm, *blocks, *tools;
	const char *top;	/* behind a comma */
};

static const struct parts plain = {
	.rows = "", .members = "", .context = "[\"message-0\"]",
	.name = "\"Sage\"", .blocks = "[]", .tools = "[]", .top = "",
	.llm = "{\"model\":\"m\",\"model_endpoint_type\":\"openai\","
	    "\"context_window\":8000}",
};

static void
write_file(const struct parts *p, struct buf *out)
{
	buf_printf(out, "{\"agents\":[{\"id\":\"agent-0\",\"name\":%s,"
	    "\"llm_config\":%s,\"embedding_config\":{"
	    "\"embedding_endpoint_type\":\"openai\",\"embedding_model\":"
	    "\"e\",\"embedding_dim\":3},\"in_context_message_ids\":%s,"
	    "\"messages\":[{\"role\":\"system\",\"id\":\"message-0\","
	    "\"content\":[{\"type\":\"text\",\"text\":\"s\"}]},"
	    "{\"role\":\"assistant\",\"id\":\"message-1\",\"content\":[],"
	    "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}%s%s]%s}],"
	    "\"groups\":[],\"blocks\":%s,\"files\":[],\"sources\":[],"
	    "\"tools\":%s,\"mcp_servers\":[]%s}", p->name, p->llm,
	    p->context, *p->rows ? "," : "", p->rows, p->members, p->blocks,
	    p->tools, p->top);
}

static void
assert_found(const struct parts *p, unsigned int targets,
    const char *expected)
{
	struct buf text = BUF_INIT(TEXT_MAX), seen = BUF_INIT(TEXT_MAX);
	struct af_rule_report report = {
		.found = note, .ctx = &seen, .targets = targets,
	};
	struct err err = ERR_INIT;

	write_file(p, &text);
	if (af_rule_file(text.data, text.len, &report, &err) != 0)
		fail_msg("%s: %s", text.data, err.text);
	if (!str_eq(buf_cstr(&seen), expected))
		fail_msg("%s\nfound    %s\nexpected %s", text.data,
		    buf_cstr(&seen), expected);
	buf_clear(&text);
	buf_clear(&seen);
}

/* What each server was seen to do; NULL: as the first. */
struct sample {
	const char *json;
	const char *on_162, *on_168;
};

static void
assert_samples(const struct sample *s, size_t n, size_t member_offset)
{
	struct parts p;

	for (size_t i = 0; i < n; i++, s++) {
		p = plain;
		memcpy((char *)&p + member_offset, &s->json,
		    sizeof(s->json));
		assert_found(&p, AF_RULE_0_16_2, s->on_162);
		assert_found(&p, AF_RULE_0_16_8, s->on_168 ? s->on_168 :
		    s->on_162);
	}
}

#define ASSERT_SAMPLES(list, member) assert_samples(list, \
    sizeof(list) / sizeof((list)[0]), offsetof(struct parts, member))

#define ID "\"id\":\"message-5\""
#define TEXT(t) "\"content\":[{\"type\":\"text\",\"text\":\"" t "\"}]"
#define USER(more) "{" ID ",\"role\":\"user\"," TEXT("u") more "}"
#define SAYS(content) "{" ID ",\"role\":\"assistant\",\"content\":" content "}"
#define TOOL(t) "{" ID ",\"role\":\"tool\",\"tool_call_id\":\"c1\"," \
    TEXT(t) "}"
#define RETURNS(content, list) "{" ID ",\"role\":\"tool\"," \
    "\"tool_call_id\":\"c1\",\"content\":" content ",\"tool_returns\":[" \
    list "]}"
#define RETURN(response) "{\"tool_call_id\":\"c1\",\"status\":\"success\"," \
    "\"func_response\":" response "}"
#define OK_TEXT "[{\"type\":\"text\",\"text\":\"{}\"}]"
#define CALL(more) "{" ID ",\"role\":\"assistant\",\"content\":[]," \
    "\"tool_calls\":[" more "]}"
#define FUNCTION(name, args) "{\"id\":\"c\",\"type\":\"function\"," \
    "\"function\":{\"name\":" name ",\"arguments\":" args "}}"
#define APPROVAL(more) "{" ID ",\"role\":\"approval\",\"content\":[]" more "}"

static void
test_content(void **state)
{
	static const struct sample samples[] = {
		{ "", "", NULL },
		{ USER(""), "", NULL },
		{ SAYS("null"), "content-null refused+", NULL },
		{ "{" ID ",\"role\":\"user\"}", "content-null refused+",
		    NULL },
		{ SAYS("\"x\""), "content-text refused+", NULL },
		{ SAYS("7"), "content-type refused", NULL },
		{ SAYS("{}"), "content-type refused", NULL },
		{ SAYS("[]"), "content-empty notice", NULL },
		{ SAYS("[{\"type\":\"foo\"}]"), "content-part refused",
		    NULL },
		{ SAYS("[\"x\"]"), "content-part refused", NULL },
		{ SAYS("[{\"type\":\"text\",\"text\":null}]"),
		    "content-part refused", NULL },
		{ SAYS("[{\"type\":\"reasoning\",\"reasoning\":\"r\"}]"),
		    "content-part refused", NULL },
		{ SAYS("[{\"type\":\"reasoning\",\"reasoning\":\"r\","
		    "\"is_native\":true},{\"type\":\"text\",\"text\":"
		    "\"t\"}]"), "", NULL },
		{ SAYS("[{\"type\":\"redacted_reasoning\"}]"),
		    "content-part refused", NULL },
		{ SAYS("[{\"type\":\"omitted_reasoning\"}]"), "", NULL },
		{ SAYS("[{\"type\":\"summarized_reasoning\",\"id\":\"r\","
		    "\"summary\":[]}]"), "content-part refused", NULL },
		{ "{" ID ",\"role\":\"user\",\"content\":[]}",
		    "content-user listing+", NULL },
		{ "{" ID ",\"role\":\"user\",\"content\":[{\"type\":"
		    "\"reasoning\",\"reasoning\":\"r\",\"is_native\":true}]}",
		    "content-user listing", NULL },
		{ "{" ID ",\"role\":\"user\",\"content\":[{\"type\":"
		    "\"image\",\"source\":{\"type\":\"base64\","
		    "\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]}",
		    "", NULL },
		{ "{" ID ",\"role\":\"user\",\"content\":[{\"type\":"
		    "\"image\",\"source\":{\"type\":\"url\",\"url\":"
		    "\"http://h/\"}}]}", "image-url listing", NULL },
		{ "{" ID ",\"role\":\"user\",\"content\":[{\"type\":"
		    "\"image\"}]}", "content-part refused", NULL },
		{ "{" ID ",\"role\":\"system\",\"content\":[]}",
		    "content-system listing+", NULL },
		{ "{" ID ",\"role\":\"system\",\"content\":[{\"type\":"
		    "\"omitted_reasoning\"}]}", "content-system listing",
		    NULL },
		{ "7", "row-shape refused", NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, rows);
}

static void
test_rows(void **state)
{
	static const struct sample samples[] = {
		{ "{" ID "," TEXT("x") ",\"role\":\"summary\"}",
		    "role-summary refused+", "" },
		{ "{" ID ",\"content\":[],\"role\":\"summary\"}",
		    "role-summary refused+", "content-summary listing+" },
		{ "{" ID "," TEXT("x") ",\"role\":\"function\"}",
		    "role refused", NULL },
		{ "{" ID "," TEXT("x") "}", "role refused", NULL },
		{ "{" ID "," TEXT("x") ",\"role\":null}", "role refused",
		    NULL },
		{ "{\"role\":\"user\"," TEXT("x") "}", "row-id refused+",
		    NULL },
		{ "{\"id\":5,\"role\":\"user\"," TEXT("x") "}",
		    "row-id refused+", NULL },
		{ "{\"id\":\"message-0x5\",\"role\":\"user\"," TEXT("x") "}",
		    "row-id refused+", NULL },
		{ "{\"id\":\"message-\",\"role\":\"user\"," TEXT("x") "}",
		    "row-id refused+", NULL },
		{ "{\"id\":\"message-1_0 \",\"role\":\"user\"," TEXT("x")
		    "}", "", NULL },
		{ "{\"id\":\"message--5\",\"role\":\"user\"," TEXT("x") "}",
		    "", NULL },
		{ "{\"id\":\"message-00\",\"role\":\"user\"," TEXT("x") "}",
		    "", NULL },
		{ "{\"id\":\"message-1\",\"role\":\"user\"," TEXT("x") "}",
		    "row-id-twice refused+", NULL },
		{ USER(",\"type\":\"foo\""), "row-type refused", NULL },
		{ USER(",\"type\":null,\"foo\":1"), "", NULL },
		{ USER(",\"name\":5"), "row-member refused", NULL },
		{ "{" ID ",\"role\":\"user\"," TEXT("a\\ud83d") "}",
		    "text-surrogate listing+", "text-surrogate spoiled+" },
		{ "{" ID ",\"role\":\"user\"," TEXT("\\ud83d\\ude00") "}",
		    "", NULL },
		{ "{" ID ",\"role\":\"user\"," TEXT("\\\\ud83d\\\\u0000")
		    "}", "", NULL },
		{ "{" ID ",\"role\":\"user\"," TEXT("a\\u0000") "}",
		    "text-nul spoiled+", NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, rows);
}

static void
test_dates(void **state)
{
	static const char good[] = "";
	static const char bad[] = "date refused";
	static const char edge[] = "date-edge listing+";
	static const struct sample samples[] = {
		{ USER(",\"created_at\":\"2024-01-01\""), good, NULL },
		{ USER(",\"created_at\":\"2024-01-01t00:00:00,5z\""), good,
		    NULL },
		{ USER(",\"created_at\":\"2024-01-01 00:00:00+0200\""),
		    good, NULL },
		{ USER(",\"created_at\":1704067200.5"), good, NULL },
		{ USER(",\"created_at\":1704067200000"), good, NULL },
		{ USER(",\"created_at\":\"1704067200\""), good, NULL },
		{ USER(",\"created_at\":null"), "date-null refused", NULL },
		{ USER(",\"created_at\":\"yesterday\""), bad, NULL },
		{ USER(",\"created_at\":\"\""), bad, NULL },
		{ USER(",\"created_at\":true"), bad, NULL },
		{ USER(",\"created_at\":\"2024-01-01T00:00:00+02\""), bad,
		    NULL },
		{ USER(",\"created_at\":100000000000000000"), bad, NULL },
		{ USER(",\"created_at\":\"2024-02-30T00:00:00Z\""), bad,
		    NULL },
		{ USER(",\"created_at\":\"-0001-01-01T00:00:00Z\""), bad,
		    NULL },
		{ USER(",\"created_at\":\"0001-01-01T00:00:00Z\""), edge,
		    NULL },
		{ USER(",\"created_at\":\"9999-12-31T23:59:59.999999Z\""),
		    edge, NULL },
		{ USER(",\"created_at\":\"9999-12-31T23:59:59Z\""),
		    "date-far notice+", NULL },
		{ USER(",\"created_at\":\"1899-06-01T00:00:00Z\""),
		    "date-far notice+", NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, rows);
}

static void
test_returns(void **state)
{
	static const char bad[] = "return-body listing+";
	static const struct sample samples[] = {
		{ TOOL("{}"), "", NULL },
		{ TOOL("{\\\"status\\\":\\\"Failed\\\"}"), "", NULL },
		{ TOOL("hello"), bad, NULL },
		{ TOOL(""), bad, NULL },
		{ TOOL("[1,2]"), bad, NULL },
		{ TOOL("5"), bad, NULL },
		{ TOOL("{\\\"status\\\":\\\"error\\\"}"), bad, NULL },
		{ TOOL("{\\\"status\\\":\\\"ok\\\"}"), bad, NULL },
		{ TOOL("{\\\"status\\\":200}"), bad, NULL },
		{ TOOL("{\\\"status\\\":null}"), bad, NULL },
		{ "{" ID ",\"role\":\"tool\",\"tool_call_id\":\"c1\","
		    "\"content\":[]}", "return-none listing+", NULL },
		{ "{" ID ",\"role\":\"tool\",\"tool_call_id\":\"c1\","
		    "\"content\":[{\"type\":\"omitted_reasoning\"}]}",
		    "return-none listing", NULL },
		/* The row before makes one call, so it is known which. */
		{ "{" ID ",\"role\":\"tool\"," TEXT("{}") "}",
		    "return-id listing+", NULL },
		{ TOOL("{}") ",{\"id\":\"message-6\",\"role\":\"tool\","
		    TEXT("{}") "}", "return-id listing", NULL },
		/* One return and one text: the text is what is listed. */
		{ RETURNS(OK_TEXT, RETURN("\"x\"")), "", NULL },
		{ RETURNS(OK_TEXT, RETURN("null")), "", NULL },
		{ RETURNS("[]", RETURN("\"{}\"")), "", NULL },
		{ RETURNS("[]", RETURN("\"x\"")), bad, NULL },
		{ RETURNS("[]", "{\"status\":\"success\",\"func_response\":"
		    "\"{}\"}"), "", NULL },
		{ RETURNS("[]", RETURN("\"{}\"") ",{\"status\":\"error\","
		    "\"func_response\":\"{}\"}"), "return-id listing",
		    NULL },
		{ RETURNS(OK_TEXT, RETURN("\"{}\"") "," RETURN("\"x\"")),
		    bad, NULL },
		{ RETURNS(OK_TEXT, "{\"tool_call_id\":\"c1\"}"),
		    "return-shape refused", NULL },
		{ RETURNS(OK_TEXT, "{\"tool_call_id\":5,\"status\":"
		    "\"success\"}"), "return-id listing", NULL },
		{ RETURNS(OK_TEXT, RETURN("[\"x\"]")),
		    "return-shape refused+", NULL },
		{ RETURNS(OK_TEXT, RETURN("[{\"type\":\"text\","
		    "\"text\":\"x\"}]")), "return-list refused+", "" },
		{ TOOL("\xef\xbb\xbf{}"), "return-body listing", NULL },
		{ RETURNS(OK_TEXT, "{\"status\":\"OK\"}"),
		    "return-shape refused", NULL },
		{ RETURNS(OK_TEXT, "{\"status\":\"error\",\"stdout\":"
		    "\"x\"}"), "return-shape refused", NULL },
		{ TOOL("{\\\"message\\\":\\\"\\\\ud83d\\\"}"),
		    "return-surrogate listing", "" },
	};

	(void)state;
	ASSERT_SAMPLES(samples, rows);
}

static void
test_calls(void **state)
{
	static const char bad[] = "call-shape refused";
	static const struct sample samples[] = {
		{ CALL(FUNCTION("\"f\"", "\"x\"")), "", NULL },
		{ CALL("null"), bad, NULL },
		{ CALL("{\"id\":\"c\",\"function\":{\"name\":\"f\","
		    "\"arguments\":\"\"}}"), bad, NULL },
		{ CALL(FUNCTION("\"f\"", "{}")), bad, NULL },
		{ CALL(FUNCTION("null", "\"{}\"")), bad, NULL },
		{ CALL(FUNCTION("\"send_message\"",
		    "\"{\\\"message\\\":\\\"m\\\"}\"")), "", NULL },
		{ CALL(FUNCTION("\"send_message\"", "\"{}\"")),
		    "call-send-message spoiled", "" },
		{ CALL(FUNCTION("\"send_message\"", "\"x\"")),
		    "call-send spoiled", NULL },
		{ APPROVAL(",\"tool_calls\":[" FUNCTION("\"f\"", "\"{}\"")
		    "]"), "", NULL },
		{ APPROVAL(""), "approval-empty listing", NULL },
		{ APPROVAL(",\"tool_calls\":[]"), "approval-empty listing",
		    NULL },
		{ APPROVAL(",\"approve\":true"), "approval-empty listing",
		    NULL },
		{ APPROVAL(",\"approve\":true,\"approval_request_id\":"
		    "\"message-1\""), "", NULL },
		{ APPROVAL(",\"approvals\":[{\"tool_call_id\":\"c1\","
		    "\"approve\":false}]"), "", NULL },
		{ APPROVAL(",\"approvals\":[{\"type\":\"approval\"}]"),
		    "approval-shape refused", NULL },
		{ APPROVAL(",\"approvals\":[" RETURN("\"{}\"") "]"), "",
		    NULL },
		{ APPROVAL(",\"approvals\":[" RETURN("\"x\"") "]"),
		    "return-body listing+", NULL },
		{ APPROVAL(",\"approve\":\"x\""), "approval-shape refused",
		    NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, rows);
}

static void
test_names(void **state)
{
	static const char bad[] = "agent-name refused+";
	static const struct sample samples[] = {
		{ "\"\"", "", NULL },
		{ "\"O'Neil_2 -x\"", "", NULL },
		{ "\"AI/ML Expert\"", bad, NULL },
		{ "\"a.b\"", bad, NULL },
		{ "\"a\\u0000\"", "metadata-nul spoiled; agent-name refused+",
		    NULL },
		{ "null", bad, NULL },
		{ "5", bad, NULL },
		{ "\"\xe6\xbc\xa2\xe5\xad\x97 \xc2\xb2 \xe2\x85\xa7\"", "",
		    NULL },
		{ "\"\xf0\x9f\x98\x80\"", bad, NULL },
		{ "\"\xe2\x82\xac\"", bad, NULL },
		{ "\"e\xcc\x81\"", bad, NULL },
		{ "\"\xe0\xa4\xb9\xe0\xa4\xbf\"", bad, NULL },
		{ "\"a\xe2\x80\x8d" "b\"", bad, NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, name);
}

static void
test_members(void **state)
{
	static const char bad[] = "agent-member refused";
	static const struct sample samples[] = {
		{ ",\"agent_type\":\"react_agent\"", "", NULL },
		{ ",\"agent_type\":\"foo\"", "agent-kind refused", NULL },
		{ ",\"agent_type\":\"voice_convo_agent\"",
		    "agent-kind refused", NULL },
		{ ",\"agent_type\":\"voice_convo_agent\","
		    "\"enable_sleeptime\":true", "", NULL },
		{ ",\"tags\":\"x\"", bad, NULL },
		{ ",\"system\":5", bad, NULL },
		{ ",\"metadata\":\"x\"", bad, NULL },
		{ ",\"tool_exec_environment_variables\":{\"K\":null}", bad,
		    NULL },
		{ ",\"secrets\":{\"K\":\"\"}", "", NULL },
		{ ",\"model\":\"x\"", "agent-handle refused", NULL },
		{ ",\"model\":\"x/y\"", "", NULL },
		{ ",\"identity_ids\":[\"identity-1\"]",
		    "agent-identity refused", NULL },
		{ ",\"tools\":[\"f\"]", "agent-tool-names notice", NULL },
		{ ",\"tool_ids\":[\"tool-9\"]", "reference refused", NULL },
		{ ",\"block_ids\":[\"block-9\"]", "reference refused",
		    NULL },
		{ ",\"source_ids\":[\"source-9\"]", "reference refused",
		    NULL },
		{ ",\"group_ids\":[\"group-9\"]", "", NULL },
		{ ",\"files_agents\":[{\"file_id\":\"file-0\"}]",
		    "reference refused", NULL },
		{ ",\"tool_rules\":[{\"type\":\"foo\"}]", bad, NULL },
		{ ",\"tool_rules\":[{\"type\":\"exit_loop\"}]", "", NULL },
		{ ",\"block_ids\":[5]", bad, NULL },
		{ ",\"system\":\"a\\u0000\"", "nul refused", NULL },
		{ ",\"description\":\"\\udc00\"", "surrogate refused+",
		    NULL },
		{ ",\"metadata\":{\"k\":\"\\ud83d\"}",
		    "metadata-surrogate spoiled+", NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, members);
}

static void
test_llm(void **state)
{
	static const struct sample samples[] = {
		{ "null", "llm-missing refused", NULL },
		{ "{}", "llm-shape refused", NULL },
		{ "{\"model\":\"m\",\"model_endpoint_type\":\"foo\","
		    "\"context_window\":1}", "llm-shape refused", NULL },
		{ "{\"model\":\"m\",\"model_endpoint_type\":\"openrouter\","
		    "\"context_window\":1}", "llm-new refused", "" },
	};

	(void)state;
	ASSERT_SAMPLES(samples, llm);
}

static void
test_context(void **state)
{
	static const struct sample samples[] = {
		{ "[]", "context-empty spoiled+", NULL },
		{ "[\"message-0\",\"message-99\"]",
		    "context-unknown refused+", NULL },
		{ "[\"message-1\"]",
		    "context-first spoiled+; context-call notice", NULL },
		{ "null", "agent-member refused; context-empty spoiled+",
		    NULL },
	};
	struct parts p = plain;

	(void)state;
	ASSERT_SAMPLES(samples, context);

	/* Wherever the list stands, before the rows or behind them. */
	p.rows = TOOL("{}");
	p.context = "[\"message-0\",\"message-5\"]";
	assert_found(&p, 0, "context-return notice+");
	p.context = "[\"message-0\",\"message-1\",\"message-5\"]";
	assert_found(&p, 0, "");
}

/* The list of those in context behind the rows. */
static void
test_context_last(void **state)
{
	static const char text[] = "{\"groups\":[],\"blocks\":[],\"files\":"
	    "[],\"sources\":[],\"tools\":[],\"mcp_servers\":[],\"agents\":["
	    "{\"messages\":[{\"role\":\"user\",\"id\":\"message-0\"," TEXT("s")
	    "}," TOOL("{}") "],\"in_context_message_ids\":[\"message-0\","
	    "\"message-5\",\"message-7\"],\"id\":\"agent-0\"}]}";
	struct buf seen = BUF_INIT(TEXT_MAX);
	struct af_rule_report report = { .found = note_place, .ctx = &seen };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(af_rule_file(text, strlen(text), &report, &err), 0);
	assert_string_equal(buf_cstr(&seen), "/agents/0/llm_config "
	    "/agents/0/embedding_config "
	    "/agents/0/in_context_message_ids/2 "
	    "/agents/0/in_context_message_ids "
	    "/agents/0/in_context_message_ids/1");
	buf_clear(&seen);
}

static void
test_blocks(void **state)
{
	static const struct sample samples[] = {
		{ "[{\"id\":\"block-0\",\"label\":\"\",\"value\":\"abc\","
		    "\"limit\":3}]", "", NULL },
		{ "[{\"id\":\"block-0\",\"label\":\"a\",\"value\":\"abc\","
		    "\"limit\":2}]", "block-over refused+", "" },
		{ "[{\"id\":\"block-0\",\"label\":\"a\",\"value\":"
		    "\"\xc3\xa4\xc3\xa4\",\"limit\":2}]", "", NULL },
		{ "[{\"id\":\"block-0\",\"label\":\"a\"}]", "", NULL },
		{ "[{\"id\":\"block-0\",\"label\":null,\"value\":\"\"}]",
		    "block-shape refused", NULL },
		{ "[{\"id\":\"block-0\",\"label\":\"a\",\"limit\":null}]",
		    "block-shape refused", NULL },
		{ "[{\"id\":\"block-0\",\"label\":\"a\",\"limit\":\"9\"}]",
		    "block-limit-type refused", "" },
		{ "[{\"id\":\"block-x\",\"label\":\"a\"}]", "id refused",
		    NULL },
		{ "[{\"id\":\"block-0\",\"label\":\"a\"},{\"id\":"
		    "\"block-0\",\"label\":\"b\"}]", "id-twice refused",
		    NULL },
		{ "[{\"id\":\"block-0\",\"label\":\"a\\u0000\"}]",
		    "block-nul refused; nul refused",
		    "block-nul spoiled; nul refused" },
		{ "[{\"id\":\"block-0\",\"label\":\"a\",\"value\":"
		    "\"\\u0000\"}]", "block-nul refused",
		    "block-nul spoiled" },
	};
	struct parts p = plain;

	(void)state;
	ASSERT_SAMPLES(samples, blocks);

	p.blocks = "[{\"id\":\"block-0\",\"label\":\"a\"},{\"id\":"
	    "\"block-1\",\"label\":\"a\"}]";
	assert_found(&p, 0, "");	/* not attached */
	p.members = ",\"block_ids\":[\"block-1\",\"block-0\"]";
	assert_found(&p, 0, "block-twice spoiled");
	p.members = ",\"block_ids\":[\"block-1\",\"block-1\"]";
	assert_found(&p, 0, "");
}

#define A_TOOL "\"id\":\"tool-0\",\"name\":\"f\",\"source_type\":" \
    "\"python\",\"source_code\":\"x\""

static void
test_tools(void **state)
{
	static const char bad[] = "tool-shape refused";
	static const struct sample samples[] = {
		{ "[{" A_TOOL ",\"metadata_\":{},\"tags\":[]}]", "", NULL },
		{ "[{" A_TOOL ",\"created_at\":null,\"updated_at\":\"x\"}]",
		    "tool-dates refused+; tool-dates refused+", NULL },
		{ "[{" A_TOOL ",\"foo\":1}]", "tool-key refused", NULL },
		{ "[{" A_TOOL ",\"tool_type\":\"foo\"}]", bad, NULL },
		{ "[{" A_TOOL ",\"tags\":null}]", bad, NULL },
		{ "[{" A_TOOL ",\"return_char_limit\":0}]", bad, NULL },
		{ "[{\"id\":\"tool-0\",\"name\":\"f\"}]", bad, NULL },
		{ "[{\"id\":\"tool-0\",\"name\":\"f\",\"source_type\":"
		    "\"python\"}]", bad, NULL },
		{ "[{\"id\":\"tool-0\",\"name\":\"f\",\"source_type\":"
		    "\"python\",\"tool_type\":\"letta_core\"}]", "", NULL },
		{ "[{\"name\":\"f\",\"source_type\":\"python\","
		    "\"tool_type\":\"letta_core\"}]", "id refused", NULL },
		{ "[{" A_TOOL ",\"description\":\"\\u0000\"}]",
		    "nul refused", NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, tools);
}

static void
test_top(void **state)
{
	static const struct sample samples[] = {
		{ ",\"metadata\":{\"a\":\"b\"},\"created_at\":null,\"x\":1",
		    "", NULL },
		{ ",\"metadata\":{\"a\":1}", "top-type refused", NULL },
		{ ",\"metadata\":null", "top-type refused", NULL },
		{ ",\"created_at\":\"x\"", "top-type refused", NULL },
		{ ",\"skills\":[{\"name\":\"s\"}]", "", "top-skill refused" },
		{ ",\"skills\":5", "", "top-skill refused" },
		{ ",\"skills\":[{\"name\":\"s\",\"source_url\":\"u\"}]", "",
		    NULL },
	};
	static const struct sample lists[] = {
		{ "null", "top-list refused", NULL },
		{ "{}", "top-list refused", NULL },
	};

	(void)state;
	ASSERT_SAMPLES(samples, top);
	ASSERT_SAMPLES(lists, tools);
}

static void
test_missing(void **state)
{
	static const char text[] = "{\"agents\":[7,{\"id\":\"agent-0\"},"
	    "{\"id\":\"agent-0\"}],\"tools\":[]}";
	struct buf seen = BUF_INIT(TEXT_MAX);
	struct af_rule_report report = { .found = note_place, .ctx = &seen };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(af_rule_file(text, strlen(text), &report, &err), 0);
	assert_string_equal(buf_cstr(&seen), "/agents/0 "
	    "/agents/1/llm_config /agents/1/embedding_config "
	    "/agents/1/in_context_message_ids /agents/2/id "
	    "/agents/2/llm_config /agents/2/embedding_config "
	    "/agents/2/in_context_message_ids /groups /blocks /files "
	    "/sources /mcp_servers /agents");
	buf_clear(&seen);
}

static void
assert_target(const char *version, unsigned int expected)
{
	struct err err = ERR_INIT;
	unsigned int targets = 0;

	assert_int_equal(af_rule_target(version, &targets, &err),
	    expected == 0 ? -1 : 0);
	assert_int_equal(targets, expected);
	assert_int_equal(err.kind, expected == 0 ? ERR_USAGE : ERR_NONE);
}

static void
test_targets(void **state)
{
	(void)state;
	assert_target("0.16.2", AF_RULE_0_16_2);
	assert_target("0.16.8", AF_RULE_0_16_8);
	assert_target("0.16.5", AF_RULE_BOTH);
	assert_target("0.16.1", 0);
	assert_target("0.16.9", 0);
	assert_target("0.16.", 0);
	assert_target("0.17.2", 0);
	assert_target("latest", 0);
}

/* What cannot be read is no finding: it ends the check, with its place. */
static void
test_unreadable(void **state)
{
	static const char text[] = "{\"agents\":[{\"messages\":[{\"a\":1,"
	    "\"a\":2}]}]}";
	struct buf seen = BUF_INIT(TEXT_MAX);
	struct af_rule_report report = { .found = note, .ctx = &seen };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(af_rule_file(text, strlen(text), &report, &err),
	    -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "/agents/0/messages/0, which begins "
	    "at byte 24"));
	buf_clear(&seen);
}

static void
test_ids(void **state)
{
	struct af_ids ids = { 0 };
	unsigned int flags = 9;
	char id[64];

	(void)state;
	assert_false(af_ids_find(&ids, af_ids_key("message-0"), NULL));
	for (unsigned int i = 0; i < 10000; i++) {
		(void)snprintf(id, sizeof(id), i % 2 ? "message-%u" :
		    "block-%u", i);
		assert_true(af_ids_add(&ids, af_ids_key(id), i % 4 == 1));
		assert_false(af_ids_add(&ids, af_ids_key(id), 0));
	}
	assert_int_equal(ids.n, 10000);
	assert_true(8 * ids.n >= 3 * ids.cap);
	assert_true(af_ids_find(&ids, af_ids_key("message-5"), &flags));
	assert_int_equal(flags, AF_IDS_SYSTEM);
	assert_true(af_ids_find(&ids, af_ids_key("message-7"), &flags));
	assert_int_equal(flags, 0);
	assert_false(af_ids_find(&ids, af_ids_key("message-8"), NULL));
	assert_false(af_ids_find(&ids, af_ids_key("message-05"), NULL));
	assert_true(af_ids_key("message-0") != af_ids_key("message-00"));
	assert_true(af_ids_key("message-0") != af_ids_key("block-0"));
	af_ids_clear(&ids);
}

static int
count(void *ctx, const struct af_rule_finding *finding, uint64_t nth,
    struct err *err)
{
	uint64_t *last = ctx;

	(void)finding;
	(void)err;
	*last = nth;
	return 0;
}

static void
test_lint(void **state)
{
	struct parts p = plain;
	struct buf text = BUF_INIT(TEXT_MAX);
	uint64_t nth = 0;
	struct lint_watch watch = { .found = count, .ctx = &nth };
	struct lint *lint = lint_new(&watch);
	const struct lint_result *result = lint_result(lint);
	struct err err = ERR_INIT;

	(void)state;
	p.rows = "{\"role\":\"user\",\"id\":\"message-2\"},"
	    "{\"role\":\"user\",\"id\":\"message-3\"},"
	    "{\"role\":\"user\",\"id\":\"message-4\",\"content\":7},"
	    USER(",\"created_at\":\"1800-01-01T00:00:00Z\"");
	write_file(&p, &text);
	assert_int_equal(lint_feed(lint, text.data, text.len, &err), 0);
	assert_int_equal(lint_end(lint, &err), 0);
	assert_int_equal(result->agents, 1);
	assert_int_equal(result->messages, 6);
	assert_int_equal(result->found, 3);
	assert_int_equal(result->repaired, 2);
	assert_int_equal(result->notices, 1);
	assert_int_equal(result->n_kinds, 3);
	assert_string_equal(result->kinds[0].rule, "content-null");
	assert_int_equal(result->kinds[0].found, 2);
	assert_int_equal(result->kinds[0].repaired, 2);
	assert_int_equal(result->kinds[1].effect, AF_RULE_REFUSED);
	assert_int_equal(nth, 0);
	lint_free(lint);
	buf_clear(&text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_llm),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_context_last),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_lint),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
