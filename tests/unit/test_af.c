#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_row.h"
#include "core/af_rule.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "golden.h"

#define SHELL_MAX (1024 * 1024)
#define CALL(id) "{\"id\":\"" id "\",\"type\":\"function\"," \
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define SYSTEM "{\"role\":\"system\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"s\"}]}"
#define USER "{\"role\":\"user\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"u\"}]}"
#define CALLS(id) "{\"role\":\"assistant\",\"content\":[]," \
    "\"tool_calls\":[" CALL(id) "]}"
#define RETURNS(id) "{\"role\":\"tool\",\"content\":[{\"type\":\"text\"," \
    "\"text\":\"{}\"}],\"tool_call_id\":\"" id "\"}"

/* An export as far as the writer looks at it. */
static const char shell[] =
    "{\"agents\":[{\"name\":\"Sage/1\",\"id\":\"agent-0\",\"agent_type\":"
    "\"letta_v1_agent\",\"system\":\"p\",\"messages\":[1,2,3],"
    "\"in_context_message_ids\":[\"message-9\"],\"metadata\":{\"k\":1},"
    "\"tags\":[\"t\"],\"llm_config\":{\"temperature\":0.70},"
    "\"secrets\":{\"KEY\":\"\"}}],\"groups\":[],"
    "\"blocks\":[{\"label\":\"human\",\"value\":\"h\xc3\xa4h\\u0000\","
    "\"limit\":3,\"id\":\"block-0\",\"read_only\":true},"
    "{\"label\":\"persona\",\"value\":\"p\",\"limit\":20000,"
    "\"description\":\"d\",\"metadata\":{},\"id\":\"block-1\"}],"
    "\"files\":[],\"sources\":[],\"tools\":[{\"name\":\"f\",\"id\":\"tool-0\","
    "\"tool_type\":\"custom\",\"source_code\":\"x\",\"created_at\":null,"
    "\"updated_at\":1,\"metadata_\":{}}],\"mcp_servers\":[],"
    "\"metadata\":{\"revision_id\":\"r\"}}";

struct row {
	const char *id, *body;
};

/* What flow/agent_feed.h does with staged rows, without a journal. */
struct feed {
	const struct row *at;
	struct af_convert convert;
	struct jdoc *doc;
};

static int
next_row(void *ctx, struct af_row *row, struct err *err)
{
	struct feed *feed = ctx;
	const char *body = feed->at->body;

	if (!feed->at->id)
		return 0;
	if (!body)
		return err_set(err, ERR_UNREACHABLE, "rows are gone");
	jdoc_free(feed->doc);
	feed->doc = jdoc_parse(body, strlen(body), err);
	if (!feed->doc)
		return -1;
	*row = (struct af_row){
		.id = feed->at->id, .doc = feed->doc,
		.changes = af_row_look(body, strlen(body)),
	};
	if (af_row_convert(&feed->convert, row, err) != 0)
		return -1;
	feed->at++;
	return 1;
}

static struct jdoc *
parse(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, strlen(text), &err);

	if (!doc)
		fail_msg("%s", err.text);
	return doc;
}

/* The whole file, read piece bytes at a time. */
static int
make(const char *export, const struct row *rows, const char *in_context,
    size_t piece, struct buf *out, struct af_stats *stats, struct err *err)
{
	struct jdoc *ids = parse(in_context);
	struct feed feed = { .at = rows };
	struct af_source source = {
		.shell = export, .shell_len = strlen(export),
		.name = "tmp-1",
		.in_context = ids, .next = next_row, .ctx = &feed,
	};
	struct af_writer *w;
	char data[4096];
	ptrdiff_t n = -1;

	if (af_open(&source, &w, err) == 0) {
		while ((n = af_read(w, data, piece, err)) > 0)
			buf_add(out, data, (size_t)n);
		af_stats(w, stats);
		af_close(w);
	}
	af_convert_clear(&feed.convert);
	jdoc_free(feed.doc);
	jdoc_free(ids);
	return n == 0 ? 0 : -1;
}

static struct jdoc *
made(const struct row *rows, const char *in_context, struct af_stats *stats)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(SHELL_MAX);
	struct jdoc *doc;

	if (make(shell, rows, in_context, 4096, &out, stats, &err) != 0)
		fail_msg("%s", err.text);
	doc = parse(buf_cstr(&out));
	buf_clear(&out);
	return doc;
}

static void
assert_json(const struct jdoc *value, const char *expected)
{
	struct buf out = BUF_INIT(SHELL_MAX);

	jdoc_write(value, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
}

static const struct jdoc *
agent_of(const struct jdoc *file)
{
	return jdoc_at(jdoc_get(file, "agents"), 0);
}

static void
assert_context(const struct row *rows, const char *wanted, const char *got,
    struct af_stats *stats)
{
	struct jdoc *file = made(rows, wanted, stats);

	assert_json(jdoc_get(agent_of(file), "in_context_message_ids"), got);
	jdoc_free(file);
}

static void
test_file(void **state)
{
	static const struct row rows[] = {
		{ "m-1", SYSTEM },
		{ "m-2", "{\"role\":\"user\",\"content\":\"hi\",\"step_id\":"
		    "\"s\",\"run_id\":\"r\",\"otid\":\"o\",\"agent_id\":\"x\","
		    "\"created_at\":\"0001-01-01T00:00:00Z\"}" },
		{ NULL, NULL }
	};
	struct af_stats stats;
	struct jdoc *file = made(rows, "[\"m-1\",\"m-2\"]", &stats);
	const struct jdoc *agent = agent_of(file);

	(void)state;
	assert_json(jdoc_get(agent, "name"), "\"tmp-1\"");
	assert_json(jdoc_get(agent, "metadata"), "{\"k\":1}");
	assert_json(jdoc_get(agent, "llm_config"), "{\"temperature\":0.70}");
	assert_json(jdoc_get(agent, "messages"),
	    "[{\"role\":\"system\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"s\"}],\"type\":\"message\",\"id\":\"message-0\","
	    "\"agent_id\":\"agent-0\"},{\"role\":\"user\",\"content\":"
	    "[{\"type\":\"text\",\"text\":\"hi\"}],\"agent_id\":\"agent-0\","
	    "\"created_at\":\"1900-01-01T00:00:00Z\",\"type\":\"message\","
	    "\"id\":\"message-1\"}]");
	assert_json(jdoc_get(agent, "in_context_message_ids"),
	    "[\"message-0\",\"message-1\"]");
	assert_json(jdoc_get(file, "tools"), "[{\"name\":\"f\",\"id\":"
	    "\"tool-0\",\"tool_type\":\"custom\",\"source_code\":\"x\"}]");
	assert_int_equal(jdoc_int(jdoc_get(jdoc_at(jdoc_get(file, "blocks"),
	    0), "limit")), 4);
	assert_int_equal(jdoc_int(jdoc_get(jdoc_at(jdoc_get(file, "blocks"),
	    1), "limit")), 20000);
	assert_int_equal(stats.rows, 2);
	assert_int_equal(stats.limits_raised, 1);
	assert_int_equal(stats.context_wanted, 2);
	assert_int_equal(stats.context_kept, 2);
	assert_false(stats.system_added);
	jdoc_free(file);
}

static void
test_pieces(void **state)
{
	static const struct row rows[] = {
		{ "a", SYSTEM }, { "b", USER }, { NULL, NULL }
	};
	struct buf one = BUF_INIT(SHELL_MAX), many = BUF_INIT(SHELL_MAX);
	struct err err = ERR_INIT;
	struct af_stats stats;

	(void)state;
	assert_int_equal(make(shell, rows, "[]", 4096, &one, &stats, &err),
	    0);
	for (size_t piece = 1; piece < 8; piece++) {
		buf_truncate(&many, 0);
		assert_int_equal(make(shell, rows, "[]", piece, &many,
		    &stats, &err), 0);
		assert_string_equal(buf_cstr(&one), buf_cstr(&many));
	}
	buf_clear(&one);
	buf_clear(&many);
}

static void
test_context(void **state)
{
	static const struct row rows[] = {
		{ "s1", SYSTEM }, { "u1", USER }, { "c1", CALLS("x") },
		{ "t1", RETURNS("x") }, { "s2", SYSTEM }, { "u2", USER },
		{ NULL, NULL }
	};
	struct af_stats stats;

	(void)state;
	assert_context(rows, "[\"s1\",\"c1\",\"t1\",\"u2\"]",
	    "[\"message-0\",\"message-2\",\"message-3\",\"message-5\"]",
	    &stats);
	assert_false(stats.system_added);

	/* The first must be a system row; any will do. */
	assert_context(rows, "[\"u1\",\"u2\"]",
	    "[\"message-0\",\"message-1\",\"message-5\"]", &stats);
	assert_true(stats.system_added);
	assert_context(rows, "[\"s2\",\"u2\"]",
	    "[\"message-4\",\"message-5\"]", &stats);
	assert_context(rows, "[\"u1\",\"s1\"]",
	    "[\"message-0\",\"message-1\"]", &stats);
	assert_context(rows, "[]", "[\"message-0\"]", &stats);

	/* Unknown ids are counted, doubles count once. */
	assert_context(rows, "[\"s1\",\"gone\",\"u1\",\"u1\"]",
	    "[\"message-0\",\"message-1\"]", &stats);
	assert_int_equal(stats.context_missing, 1);
	assert_int_equal(stats.context_kept, 2);

	/* A return is never without its call. */
	assert_context(rows, "[\"s1\",\"t1\",\"u2\"]",
	    "[\"message-0\",\"message-5\"]", &stats);
	assert_int_equal(stats.returns_dropped, 1);
	assert_context(rows, "[\"t1\",\"u2\"]",
	    "[\"message-0\",\"message-5\"]", &stats);

	/* Nor a call without its return, when there is one. */
	assert_context(rows, "[\"s1\",\"c1\",\"u2\"]",
	    "[\"message-0\",\"message-2\",\"message-3\",\"message-5\"]",
	    &stats);
	assert_int_equal(stats.returns_added, 1);
	assert_int_equal(stats.context_kept, 4);
	assert_context(rows, "[\"s1\",\"u2\",\"c1\"]",
	    "[\"message-0\",\"message-5\",\"message-2\",\"message-3\"]",
	    &stats);
}

/* Either id of a row that was two stands for it, and it is listed once. */
static void
test_context_merged(void **state)
{
	static const struct row rows[] = {
		{ "s1", SYSTEM },
		{ "b", "{\"role\":\"assistant\",\"content\":[],"
		    "\"merged_id\":\"a\"}" },
		{ NULL, NULL }
	};
	struct af_stats stats;
	struct jdoc *file = made(rows, "[]", &stats);

	(void)state;
	assert_json(jdoc_at(jdoc_get(agent_of(file), "messages"), 1),
	    "{\"role\":\"assistant\",\"content\":[],\"type\":\"message\","
	    "\"id\":\"message-1\",\"agent_id\":\"agent-0\"}");
	jdoc_free(file);
	assert_context(rows, "[\"s1\",\"a\",\"b\"]",
	    "[\"message-0\",\"message-1\"]", &stats);
	assert_int_equal(stats.context_missing, 0);
	assert_context(rows, "[\"s1\",\"a\"]",
	    "[\"message-0\",\"message-1\"]", &stats);
	assert_context(rows, "[\"s1\",\"b\"]",
	    "[\"message-0\",\"message-1\"]", &stats);
}

/* A return in tool_returns of two calls needs both. */
static void
test_context_parallel(void **state)
{
	static const struct row rows[] = {
		{ "s1", SYSTEM },
		{ "c", "{\"role\":\"assistant\",\"content\":[],"
		    "\"tool_calls\":[" CALL("x") "," CALL("y") "]}" },
		{ "t", "{\"role\":\"tool\",\"content\":[],\"tool_returns\":["
		    "{\"tool_call_id\":\"x\",\"status\":\"success\","
		    "\"func_response\":\"{}\"},"
		    "{\"tool_call_id\":\"z\",\"status\":\"success\","
		    "\"func_response\":\"{}\"}]}" },
		{ NULL, NULL }
	};
	struct af_stats stats;

	(void)state;
	assert_context(rows, "[\"s1\",\"c\",\"t\"]",
	    "[\"message-0\",\"message-1\"]", &stats);
	assert_int_equal(stats.returns_dropped, 1);
}

static void
assert_fixed(const char *body, const char *expected)
{
	const struct row rows[] = {
		{ "s1", SYSTEM }, { "t", body }, { NULL, NULL }
	};
	struct af_stats stats;
	struct jdoc *file = made(rows, "[]", &stats);
	const struct jdoc *row = jdoc_at(jdoc_get(agent_of(file),
	    "messages"), 1);

	assert_json(jdoc_get(jdoc_at(jdoc_get(row, "content"), 0), "text"),
	    expected);
	jdoc_free(file);
}

#define TOOL(text) "{\"role\":\"tool\",\"tool_call_id\":\"c\"," \
    "\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"

static void
test_returns_fixed(void **state)
{
	(void)state;
	assert_fixed(TOOL("It worked"),
	    "\"{\\\"status\\\":\\\"OK\\\",\\\"message\\\":"
	    "\\\"It worked\\\"}\"");
	assert_fixed(TOOL("[1,2]"),
	    "\"{\\\"status\\\":\\\"OK\\\",\\\"message\\\":\\\"[1,2]\\\"}\"");
	assert_fixed(TOOL("{\\\"status\\\":\\\"error\\\"}"),
	    "\"{\\\"status\\\":\\\"Failed\\\"}\"");
	assert_fixed(TOOL("{\\\"status\\\":\\\"Success\\\"}"),
	    "\"{\\\"status\\\":\\\"OK\\\"}\"");
	assert_fixed(TOOL("{\\\"status\\\":200}"),
	    "\"{\\\"status\\\":\\\"OK\\\"}\"");
	assert_fixed(TOOL("{\\\"status\\\":null}"),
	    "\"{\\\"status\\\":\\\"Failed\\\"}\"");
}

static void
assert_not_made(const char *export, const struct row *rows, const char *why)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(SHELL_MAX);
	struct af_stats stats;

	assert_int_equal(make(export, rows, "[]", 4096, &out, &stats, &err),
	    -1);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
	buf_clear(&out);
}

static void
assert_bad_row(const char *body, const char *why)
{
	const struct row rows[] = {
		{ "s1", SYSTEM }, { "bad\x1b", body }, { NULL, NULL }
	};

	assert_not_made(shell, rows, why);
}

static void
test_refused(void **state)
{
	static const struct row none[] = { { NULL, NULL } };
	static const struct row no_system[] = {
		{ "u", USER }, { NULL, NULL }
	};
	static const struct row gone[] = { { "u", NULL } };

	(void)state;
	assert_not_made(shell, none, "no system row");
	assert_not_made(shell, no_system, "no system row");
	assert_not_made(shell, gone, "rows are gone");
	assert_not_made("x", none, "agent file: JSON");
	assert_not_made("[]", none, "not an object");
	assert_not_made("{\"agents\":[]}", none, "0 agents");
	assert_not_made("{\"agents\":[{},{}]}", none, "2 agents");
	assert_not_made("{\"agents\":[{}],\"x\":1}", none, "agent-<number>");
	assert_not_made("{\"core_memory\":[],\"messages\":[]}", none,
	    "version 1");
	assert_bad_row("{\"role\":\"function\",\"content\":[]}",
	    "row 1 (bad\\x1b): /role");
	assert_bad_row("[]", "not an object");
	assert_bad_row("{", "JSON");
	assert_bad_row("{\"role\":\"tool\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"{}\"}]}", "without tool_call_id");
	assert_bad_row("{\"role\":\"tool\",\"tool_call_id\":\"c\","
	    "\"content\":[{\"type\":\"image\"},{\"type\":\"image\"}]}",
	    "not whole");
	assert_bad_row("{\"role\":\"system\",\"content\":[{\"type\":"
	    "\"image\"}]}", "not whole");
	assert_bad_row("{\"role\":\"user\",\"content\":7}", "not a list");
	assert_bad_row("{\"role\":\"user\",\"content\":\"x\","
	    "\"created_at\":\"soon\"}", "not a date");
	assert_bad_row("{\"role\":\"assistant\",\"content\":[],"
	    "\"tool_calls\":[{\"id\":\"x\"}]}", "a tool call needs");
}

static void
test_shell(void **state)
{
	struct err err = ERR_INIT;
	struct af_shell s;

	(void)state;
	assert_int_equal(af_shell_read(shell, strlen(shell), &s, &err), 0);
	assert_string_equal(s.name, "Sage/1");
	assert_string_equal(s.agent_type, "letta_v1_agent");
	assert_string_equal(s.prompt, "p");
	assert_int_equal(s.messages, 3);
	assert_int_equal(s.secrets, 1);
	assert_int_equal(s.n_blocks, 2);
	assert_string_equal(s.blocks[0].label, "human");
	assert_int_equal(s.blocks[0].value_len, 5);
	assert_int_equal(s.blocks[0].limit, 3);
	assert_true(s.blocks[0].read_only);
	assert_null(s.blocks[0].description);
	assert_string_equal(s.blocks[1].description, "d");
	assert_int_equal(s.n_tools, 1);
	assert_string_equal(s.tools[0].type, "custom");
	assert_string_equal(s.tools[0].source_code, "x");
	af_shell_clear(&s);
	assert_int_equal(af_shell_read("{\"core_memory\":[]}", 18, &s, &err),
	    -1);
	assert_non_null(strstr(err.text, "version 1"));
	af_shell_clear(&s);
}

struct findings {
	int count, repaired;
	enum af_rule_effect effect;
	struct buf text;
};

static int
note(void *ctx, const struct af_rule_finding *finding, struct err *err)
{
	struct findings *f = ctx;

	(void)err;
	if (finding->effect == AF_RULE_NOTICE)
		return 0;
	f->count++;
	f->repaired += finding->repaired;
	f->effect = finding->effect;
	buf_printf(&f->text, "%s: %s\n", finding->at, finding->what);
	return 0;
}

static void
load(const char *name, struct buf *out)
{
	char file[64];

	(void)snprintf(file, sizeof(file), "af/%s.af", name);
	golden_load(file, out);
}

/* Each file was sent to Letta 0.16.2 and did what its name says. */
static const struct golden {
	const char *name;
	int findings, repaired;
	enum af_rule_effect effect;
} goldens[] = {
	{ "ok-combined", 0, 0, 0 },
	{ "ok-sendmessage", 0, 0, 0 },
	{ "ok-split-rows", 0, 0, 0 },
	{ "ok-tool-pair", 0, 0, 0 },
	{ "import400-content-null", 1, 1, AF_RULE_REFUSED },
	{ "import400-content-string", 1, 1, AF_RULE_REFUSED },
	{ "import400-dup-ids", 1, 1, AF_RULE_REFUSED },
	{ "import400-uuid-ids", 1, 1, AF_RULE_REFUSED },
	{ "import500-name-slash", 1, 1, AF_RULE_REFUSED },
	{ "list400-tool-no-call-id", 1, 1, AF_RULE_LISTING },
	{ "list400-tool-status-error", 1, 1, AF_RULE_LISTING },
	{ "list400-tool-status-success", 1, 1, AF_RULE_LISTING },
	{ "list500-tool-raw-english", 1, 1, AF_RULE_LISTING },
	{ "list500-date-year-1", 1, 1, AF_RULE_LISTING },
	{ "corrupt-context-without-system", 1, 0, AF_RULE_SPOILED },
};

static void
check_file(const char *text, size_t len, struct findings *f)
{
	struct af_rule_report report = { .found = note, .ctx = f };
	struct err err = ERR_INIT;

	memset(f, 0, sizeof(*f));
	buf_init(&f->text, 64 * 1024);
	if (af_rule_file(text, len, &report, &err) != 0)
		fail_msg("%s", err.text);
}

static void
test_rules(void **state)
{
	struct buf text = BUF_INIT(SHELL_MAX);
	struct findings f;

	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		buf_truncate(&text, 0);
		load(goldens[i].name, &text);
		check_file(text.data, text.len, &f);
		if (f.count != goldens[i].findings ||
		    f.repaired != goldens[i].repaired ||
		    f.effect != goldens[i].effect)
			fail_msg("%s: %s", goldens[i].name,
			    buf_cstr(&f.text));
		buf_clear(&f.text);
	}
	buf_clear(&text);
}

/* Rows of a file, for the writer. */
struct walk {
	const struct jdoc *rows;
	size_t at;
	struct af_convert convert;
	struct jdoc *doc;
};

static int
next_of_file(void *ctx, struct af_row *row, struct err *err)
{
	struct walk *w = ctx;
	const struct jdoc *original = jdoc_at(w->rows, w->at);

	if (!original)
		return 0;
	jdoc_free(w->doc);
	w->doc = jdoc_copy(original);
	*row = (struct af_row){
		.id = jdoc_get_str(original, "id"), .doc = w->doc,
	};
	w->at++;
	return af_row_convert(&w->convert, row, err) == 0 ? 1 : -1;
}

/* Write a golden file anew; the result must break no rule. */
static int
rewrite(const char *name, struct err *err)
{
	struct buf text = BUF_INIT(SHELL_MAX), out = BUF_INIT(SHELL_MAX);
	struct walk walk = { 0 };
	struct af_source source = {
		.name = "tmp-1", .next = next_of_file, .ctx = &walk,
	};
	struct af_writer *w;
	struct findings f;
	struct jdoc *file;
	char data[512];
	ptrdiff_t n;

	load(name, &text);
	file = parse(buf_cstr(&text));
	walk.rows = jdoc_get(agent_of(file), "messages");
	source.shell = text.data;
	source.shell_len = text.len;
	source.in_context = jdoc_get(agent_of(file),
	    "in_context_message_ids");
	assert_int_equal(af_open(&source, &w, err), 0);
	while ((n = af_read(w, data, sizeof(data), err)) > 0)
		buf_add(&out, data, (size_t)n);
	af_close(w);
	if (n == 0) {
		check_file(out.data, out.len, &f);
		if (f.count != 0)
			fail_msg("%s: %s", name, buf_cstr(&f.text));
		buf_clear(&f.text);
	}
	jdoc_free(file);
	jdoc_free(walk.doc);
	af_convert_clear(&walk.convert);
	buf_clear(&text);
	buf_clear(&out);
	return (int)n;
}

static void
test_rewrite(void **state)
{
	struct err err;
	int expected, rc;

	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		err_clear(&err);
		expected = goldens[i].findings == goldens[i].repaired ? 0 :
		    -1;
		rc = rewrite(goldens[i].name, &err);
		if (rc != expected)
			fail_msg("%s: %s", goldens[i].name, err.text);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_context_merged),
		cmocka_unit_test(test_context_parallel),
		cmocka_unit_test(test_returns_fixed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_rewrite),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
