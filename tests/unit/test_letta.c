#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_answer.h"
#include "core/stamp.h"

#define AGENT "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"

static struct letta_caps
caps_of(const char *version)
{
	struct err err = ERR_INIT;
	struct letta_caps caps;
	char text[128];

	(void)snprintf(text, sizeof(text),
	    "{\"version\":\"%s\",\"status\":\"ok\"}", version);
	if (letta_caps_read(text, strlen(text), &caps, &err) != 0)
		fail_msg("%s", err.text);
	return caps;
}

static void
assert_no_caps(const char *text, const char *why)
{
	struct err err = ERR_INIT;
	struct letta_caps caps;

	assert_int_equal(letta_caps_read(text, strlen(text), &caps, &err),
	    -1);
	assert_int_equal(err.kind, ERR_DATA);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void
test_caps(void **state)
{
	struct letta_caps caps = caps_of("0.16.2");

	(void)state;
	assert_string_equal(caps.version, "0.16.2");
	assert_int_equal(caps.major, 0);
	assert_int_equal(caps.minor, 16);
	assert_int_equal(caps.patch, 2);
	assert_false(caps.backward);
	assert_int_equal(caps_of("0.16.8").patch, 8);
	assert_true(caps_of("0.11.3").backward);
	assert_true(caps_of("0.12.0").backward);
	assert_true(caps_of("0.16.1").backward);
}

static void
test_caps_of_a_target(void **state)
{
	static const char *const old[] = { "0.11.3", "0.15.9", "0.16.1",
	    "0.16.9", "1.0.0" };
	struct err err = ERR_INIT;
	struct letta_caps caps = caps_of("0.16.2");

	(void)state;
	assert_int_equal(letta_caps_target(&caps, &err), 0);
	caps = caps_of("0.16.8");
	assert_int_equal(letta_caps_target(&caps, &err), 0);
	for (size_t i = 0; i < 5; i++) {
		caps = caps_of(old[i]);
		assert_int_equal(letta_caps_target(&caps, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		assert_non_null(strstr(err.text, old[i]));
		err_clear(&err);
	}
}

static void
test_caps_refused(void **state)
{
	(void)state;
	assert_no_caps("{\"version\":\"0.11.2\"}", "0.11.3 to 0.16.8");
	assert_no_caps("{\"version\":\"0.10.9\"}", "Letta 0.10.9");
	assert_no_caps("{\"version\":\"0.16\"}", "not of the form");
	assert_no_caps("{\"version\":\"0.16.2.1\"}", "not of the form");
	assert_no_caps("{\"version\":\"0.16.2\\u001b[1m\"}", "\\x1b[1m");
	assert_no_caps("{\"version\":\"0.16.99999999999999\"}",
	    "not of the form");
	assert_no_caps("{\"version\":16}", "no `version'");
	assert_no_caps("{}", "is this a Letta server?");
	assert_no_caps("<html>", "is this a Letta server?");
}

static void
test_id(void **state)
{
	(void)state;
	assert_true(letta_id_ok(AGENT, "agent-"));
	assert_false(letta_id_ok(AGENT, "block-"));
	assert_false(letta_id_ok(AGENT "0", "agent-"));
	assert_false(letta_id_ok("agent-", "agent-"));
	assert_false(letta_id_ok("agent-10418b8d-37a5-4923-8f70-69ccc58d66f/",
	    "agent-"));
	assert_false(letta_id_ok("agent-10418B8D-37a5-4923-8f70-69ccc58d66ff",
	    "agent-"));
	assert_false(letta_id_ok("agent-10418b8d-37a5-1923-8f70-69ccc58d66ff",
	    "agent-"));
	assert_false(letta_id_ok("agent-10418b8d-37a5-4923-7f70-69ccc58d66ff",
	    "agent-"));
	assert_true(letta_name_ok("sage's 2_nd-1"));
	assert_false(letta_name_ok("AI/ML"));
	assert_false(letta_name_ok("a.b"));
	assert_false(letta_name_ok(""));
	assert_false(letta_name_ok("caf\xc3\xa9"));
	assert_true(letta_name_may_pass("caf\xc3\xa9 2"));
	assert_false(letta_name_may_pass("caf\xc3\xa9/2"));
	assert_false(letta_name_may_pass(""));
}

static void
assert_path(struct buf *path, const char *expected)
{
	assert_false(path->full);
	assert_string_equal(buf_cstr(path), expected);
	buf_truncate(path, 0);
}

static void
test_paths(void **state)
{
	struct buf p = BUF_INIT(LETTA_PATH_MAX);

	(void)state;
	letta_path_agent(&p, AGENT);
	assert_path(&p, "/v1/agents/" AGENT);
	letta_path_agent(&p, "../a?b");
	assert_path(&p, "/v1/agents/%2E%2E%2Fa%3Fb");
	letta_path_export(&p, AGENT, 0);
	assert_path(&p, "/v1/agents/" AGENT "/export");
	letta_path_export(&p, AGENT, 30);
	assert_path(&p, "/v1/agents/" AGENT "/export?max_steps=30");
	letta_path_messages(&p, AGENT, NULL, false, "", 1000);
	assert_path(&p, "/v1/agents/" AGENT "/messages?"
	    "use_assistant_message=false&order=asc&limit=1000"
	    "&conversation_id=default");
	letta_path_messages(&p, AGENT, "conv-1/", false, "message-1&x", 5);
	assert_path(&p, "/v1/agents/" AGENT "/messages?"
	    "use_assistant_message=false&order=asc&limit=5"
	    "&conversation_id=conv-1%2F&after=message-1%26x");
	letta_path_messages(&p, AGENT, NULL, true, "message-1", 5);
	assert_path(&p, "/v1/agents/" AGENT "/messages?"
	    "use_assistant_message=false&include_err=true&limit=5"
	    "&before=message-1");
	letta_path_active_runs(&p, AGENT, false);
	assert_path(&p, "/v1/runs/?active=true&agent_id=" AGENT);
	letta_path_active_runs(&p, AGENT, true);
	assert_path(&p, "/v1/runs/active?agent_ids=" AGENT);
	letta_path_conversations(&p, AGENT, "conv-1", 7);
	assert_path(&p, "/v1/conversations/?limit=7&agent_id=" AGENT
	    "&after=conv-1");
	letta_path_passages(&p, AGENT, NULL, 100);
	assert_path(&p, "/v1/agents/" AGENT
	    "/archival-memory?ascending=true&limit=100");
	letta_path_passage_insert(&p, AGENT);
	assert_path(&p, "/v1/agents/" AGENT "/archival-memory");
	letta_path_agent_blocks(&p, AGENT);
	assert_path(&p, "/v1/agents/" AGENT "/core-memory/blocks");
	letta_path_agents_by_name(&p, "a b");
	assert_path(&p, "/v1/agents/?name=a%20b");
	letta_path_block(&p, "block-1");
	assert_path(&p, "/v1/blocks/block-1");
	letta_path_block_agents(&p, "block-1");
	assert_path(&p, "/v1/blocks/block-1/agents");
	letta_path_tools_by_name(&p, "roll_die");
	assert_path(&p, "/v1/tools/?name=roll_die");
	letta_path_archives(&p, AGENT);
	assert_path(&p, "/v1/archives/?agent_id=" AGENT);
	letta_path_archive(&p, "archive-1");
	assert_path(&p, "/v1/archives/archive-1");
	letta_path_archive_agents(&p, "archive-1");
	assert_path(&p, "/v1/archives/archive-1/agents");
	buf_clear(&p);
}

static void
test_bodies(void **state)
{
	static const char staged[] = "{\"created_at\":\"2026-01-02T03:04:05Z\","
	    "\"tags\":[],\"text\":\"x\"}";
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT(4096);
	struct jdoc *metadata = jdoc_new_object();

	(void)state;
	assert_int_equal(letta_body_passage(&b, staged, strlen(staged), &err),
	    0);
	assert_path(&b, "{\"created_at\":\"2026-01-02T03:04:05Z\","
	    "\"text\":\"x\"}");
	assert_int_equal(letta_body_passage(&b, "{}", 2, &err), -1);
	jdoc_set_str(metadata, "job", "1");
	letta_body_agent(&b, "a\"b", NULL);
	assert_path(&b, "{\"name\":\"a\\\"b\"}");
	letta_body_agent(&b, NULL, metadata);
	assert_path(&b, "{\"metadata\":{\"job\":\"1\"}}");
	letta_body_agent(&b, "n", metadata);
	assert_path(&b, "{\"name\":\"n\",\"metadata\":{\"job\":\"1\"}}");
	jdoc_free(metadata);
	buf_clear(&b);
}

static void
assert_detail(const char *body, const char *expected)
{
	struct buf b = BUF_INIT(4096);

	letta_answer_detail(body, strlen(body), NULL, &b);
	assert_string_equal(buf_cstr(&b), expected);
	buf_clear(&b);
}

static void
test_detail(void **state)
{
	struct buf b = BUF_INIT(4096);
	char large[5000];

	(void)state;
	assert_detail("{\"detail\":\"Agent not found\"}", "Agent not found");
	assert_detail("{\"detail\":[{\"loc\":[\"query\",3],\"msg\":\"bad\"},"
	    "{\"msg\":\"worse\"}]}", "query.3: bad; worse");
	assert_detail("{\"error\":{\"message\":\"late\"}}", "late");
	assert_detail("Bad\nGateway\x1b[0m", "Bad Gateway\\x1b[0m");
	assert_detail("", "(empty answer)");
	assert_detail("{\"detail\":{\"x\":1}}", "{\"detail\":{\"x\":1}}");
	memset(large, 'a', sizeof(large));
	letta_answer_detail(large, sizeof(large), NULL, &b);
	assert_int_equal(b.len, 303);
	assert_true(str_ends(buf_cstr(&b), "a..."));
	buf_clear(&b);
}

static void
test_detail_without_the_token(void **state)
{
	static const char *const bodies[] = {
		"{\"detail\":\"no a\\\"b\\/c\"}",
		"{\"detail\":[{\"loc\":[\"a\\u0022b/c\"],\"msg\":\"x\"}]}",
		"{\"detail\":{\"x\":\"a\\\"b/c\"}}", "no a\"b/c",
	};
	struct secret *token = secret_new("a\"b/c", 5);
	struct buf b = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		buf_truncate(&b, 0);
		letta_answer_detail(bodies[i], strlen(bodies[i]), token, &b);
		assert_null(strstr(buf_cstr(&b), "b/c"));
		assert_null(strstr(buf_cstr(&b), "b\\/c"));
	}
	buf_clear(&b);
	secret_free(token);
}

static void
test_import(void **state)
{
	static const char good[] = "{\"agent_ids\":[\"" AGENT "\"]}";
	static const char *const bad[] = {
		"{\"agent_ids\":[]}", "{\"agent_ids\":[\"a\",\"b\"]}",
		"{\"agent_ids\":[1]}", "{}", "[]", "",
		"{\"agent_ids\":[\"../x\"]}",
		"{\"agent_ids\":[\"agent-1\\nKEY=x\"]}",
	};
	struct err err = ERR_INIT;
	char id[LETTA_ID_SIZE];

	(void)state;
	assert_int_equal(letta_answer_import(good, strlen(good), id, &err),
	    0);
	assert_string_equal(id, AGENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(letta_answer_import(bad[i], strlen(bad[i]),
		    id, &err), -1);
}

struct seen {
	int count;
	char text[512];
};

static int
see_agent(void *ctx, const struct letta_agent *agent, struct err *err)
{
	struct seen *seen = ctx;
	const char *job = jdoc_get_str(agent->metadata, "job");

	(void)err;
	(void)snprintf(seen->text + strlen(seen->text),
	    sizeof(seen->text) - strlen(seen->text), "%s %s %s %zu;",
	    agent->id, agent->name, job ? job : "-",
	    jdoc_len(agent->message_ids));
	return 0;
}

static void
test_agents(void **state)
{
	static const char list[] =
	    "[{\"id\":\"agent-1\",\"name\":\"a\",\"metadata\":{\"job\":\"j\"},"
	    "\"message_ids\":[\"m\",\"n\"]},"
	    "{\"id\":\"agent-2\",\"name\":\"b\",\"metadata\":null}]";
	static const char one[] = "{\"id\":\"agent-3\",\"name\":\"c\","
	    "\"agent_type\":\"letta_v1_agent\"}";
	struct err err = ERR_INIT;
	struct seen seen = { 0 };
	struct letta_agent agent;

	(void)state;
	assert_int_equal(letta_answer_agents(list, strlen(list), see_agent,
	    &seen, &err), 0);
	assert_string_equal(seen.text, "agent-1 a j 2;agent-2 b - 0;");
	assert_int_equal(letta_answer_agents("[{\"name\":\"a\"}]", 14,
	    see_agent, &seen, &err), -1);
	assert_non_null(strstr(err.text, "/0: no id"));
	assert_int_equal(letta_answer_agent(one, strlen(one), &agent, &err),
	    0);
	assert_string_equal(agent.agent_type, "letta_v1_agent");
	letta_answer_agent_clear(&agent);
	assert_int_equal(letta_answer_agent("{}", 2, &agent, &err), -1);
	letta_answer_agent_clear(&agent);
}

static int
see_passage(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct seen *seen = ctx;

	assert_int_equal(strlen(body), len);
	if (seen->count++ == 2)
		return err_set(err, ERR_FAILED, "enough");
	(void)snprintf(seen->text + strlen(seen->text),
	    sizeof(seen->text) - strlen(seen->text), "%s %s\n", id, body);
	return 0;
}

static void
test_passages(void **state)
{
	static const char page[] =
	    "[{\"id\":\"passage-1\",\"text\":\"t\\u00e9\",\"embedding\":[0.1],"
	    "\"tags\":[\"b\",\"a\",\"b\"],"
	    "\"created_at\":\"2026-01-02T03:04:05.678901+01:00\"},"
	    "{\"id\":\"passage-2\",\"text\":\"\",\"tags\":null,"
	    "\"created_at\":\"2026-01-02T03:04:05\"}]";
	struct err err = ERR_INIT;
	struct seen seen = { 0 };
	struct letta_passage_page info;

	(void)state;
	assert_int_equal(letta_answer_passages(page, strlen(page),
	    see_passage, &seen, &info, &err), 0);
	assert_string_equal(seen.text, "passage-1 {\"created_at\":"
	    "\"2026-01-02T02:04:05.678901Z\",\"tags\":[\"a\",\"b\"],"
	    "\"text\":\"t\xc3\xa9\"}\n"
	    "passage-2 {\"created_at\":\"2026-01-02T03:04:05Z\",\"tags\":[],"
	    "\"text\":\"\"}\n");
	assert_int_equal(info.items, 2);
	assert_string_equal(info.last_id, "passage-2");

	assert_int_equal(letta_answer_passages(page, strlen(page),
	    see_passage, &seen, &info, &err), -1);
	assert_string_equal(err.text, "enough");
	assert_int_equal(letta_answer_passages("[]", 2, see_passage, &seen,
	    &info, &err), 0);
	assert_int_equal(info.items, 0);
	assert_int_equal(letta_answer_passages("[{\"id\":\"p\"}]", 12,
	    see_passage, &seen, &info, &err), -1);
	assert_non_null(strstr(err.text, "/0: no text"));
}

static void
assert_stamp(const char *text, const char *expected)
{
	struct buf b = BUF_INIT(64);
	struct stamp stamp;

	if (!stamp_parse(text, &stamp))
		fail_msg("not a date: %s", text);
	stamp_write(&stamp, &b);
	assert_string_equal(buf_cstr(&b), expected);
	buf_clear(&b);
}

static void
test_stamp(void **state)
{
	static const char *const bad[] = {
		"", "2026", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-01-01", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"0000-01-01T00:00:00Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+1", "2026-01-01T00:00:00Zx",
		"2026-01-01T00:00:00 ", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
	};
	struct stamp stamp;
	struct buf b = BUF_INIT(64);

	(void)state;
	assert_stamp("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
	assert_stamp("2024-02-29 23:59:59.5-0130",
	    "2024-03-01T01:29:59.500000Z");
	assert_stamp("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00Z");
	assert_stamp("9999-12-31T23:59:59.9999999Z",
	    "9999-12-31T23:59:59.999999Z");
	assert_stamp("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z");
	assert_stamp("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z");
	assert_stamp("2026-01-02T03:04", "2026-01-02T03:04:00Z");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (stamp_parse(bad[i], &stamp))
			fail_msg("taken: %s", bad[i]);
	}
	assert_true(stamp_parse("2026-01-01T12:30:00Z", &stamp));
	assert_true(stamp_is_sane(&stamp));
	stamp_write_local(&stamp, &b);
	assert_string_equal(buf_cstr(&b), "2026-01-01 12:30:00 PM UTC+0000");
	assert_true(stamp_parse("1899-12-31T23:59:59Z", &stamp));
	assert_false(stamp_is_sane(&stamp));
	assert_true(stamp_parse("3000-01-01T00:00:00Z", &stamp));
	assert_false(stamp_is_sane(&stamp));
	assert_true(stamp_parse("2999-12-31T23:59:59Z", &stamp));
	assert_true(stamp_is_sane(&stamp));
	buf_clear(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_caps_of_a_target),
		cmocka_unit_test(test_caps_refused),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_detail),
		cmocka_unit_test(test_detail_without_the_token),
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_passages),
		cmocka_unit_test(test_stamp),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
