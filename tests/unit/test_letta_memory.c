#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_memory.h"

static struct jdoc *
doc(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *parsed = jdoc_parse(text, strlen(text), &err);

	if (!parsed)
		fail_msg("%s", err.text);
	return parsed;
}

static void
assert_path(void (*path)(struct buf *, const char *, const char *),
    const char *want)
{
	struct buf out = BUF_INIT(LETTA_PATH_MAX);

	path(&out, "agent-1/..", "b c");
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

static void
test_paths(void **state)
{
	struct buf out = BUF_INIT(LETTA_PATH_MAX);

	(void)state;
	assert_path(letta_path_block_attach,
	    "/v1/agents/agent-1%2F%2E%2E/core-memory/blocks/attach/b%20c");
	assert_path(letta_path_block_detach,
	    "/v1/agents/agent-1%2F%2E%2E/core-memory/blocks/detach/b%20c");
	assert_path(letta_path_identity_attach,
	    "/v1/agents/agent-1%2F%2E%2E/identities/attach/b%20c");
	assert_path(letta_path_tool_attach,
	    "/v1/agents/agent-1%2F%2E%2E/tools/attach/b%20c");
	letta_path_passage_batch(&out, "archive-1");
	assert_string_equal(buf_cstr(&out),
	    "/v1/archives/archive-1/passages/batch");
	buf_clear(&out);
	letta_path_identities_by_key(&out, "a&b");
	assert_string_equal(buf_cstr(&out),
	    "/v1/identities/?identifier_key=a%26b");
	buf_clear(&out);
}

static void
test_batch_body(void **state)
{
	static const char one[] = "{\"created_at\":\"2026-01-02T03:04:05Z\","
	    "\"tags\":[\"a\"],\"text\":\"x\"}";
	static const char two[] = "{\"created_at\":\"2026-01-02T03:04:05Z\","
	    "\"tags\":[],\"text\":\"y\"}";
	const struct letta_staged staged[] = {
		{ one, sizeof(one) - 1 }, { two, sizeof(two) - 1 },
		{ "[]", 2 },
	};
	struct buf out = BUF_INIT(1024);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(letta_body_passages(&out, staged, 2, &err), 0);
	assert_string_equal(buf_cstr(&out), "{\"passages\":["
	    "{\"created_at\":\"2026-01-02T03:04:05Z\",\"tags\":[\"a\"],"
	    "\"text\":\"x\"},"
	    "{\"created_at\":\"2026-01-02T03:04:05Z\",\"text\":\"y\"}]}");
	buf_clear(&out);
	assert_int_equal(letta_body_passages(&out, staged, 3, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	buf_clear(&out);
}

static void
assert_block_row(const char *block, const char *want)
{
	struct jdoc *parsed = doc(block), *shared = doc("[\"agent-2\"]");
	struct buf out = BUF_INIT(1024);
	struct err err = ERR_INIT;

	if (letta_block_row(parsed, shared, &out, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_cstr(&out), want);
	jdoc_free(parsed);
	jdoc_free(shared);
	buf_clear(&out);
}

static void
test_block_rows(void **state)
{
	struct buf out = BUF_INIT(1024);
	struct err err = ERR_INIT;
	struct jdoc *bad = doc("{\"label\":\"a\"}");

	(void)state;
	/* 0.16.8: tags in any order; null is none. */
	assert_block_row("{\"value\":\"v\",\"limit\":5,\"label\":\"l\","
	    "\"read_only\":true,\"description\":null,\"metadata\":{\"b\":1},"
	    "\"hidden\":null,\"id\":\"block-1\",\"tags\":[\"z\",\"a\"]}",
	    "{\"label\":\"l\",\"limit\":5,\"metadata\":{\"b\":1},"
	    "\"read_only\":true,\"shared_with\":[\"agent-2\"],"
	    "\"tags\":[\"a\",\"z\"],\"value\":\"v\"}");
	/* 0.16.2: keeps no tags, so there is no such member. */
	assert_block_row("{\"value\":\"\",\"limit\":5,\"label\":\"\"}",
	    "{\"label\":\"\",\"limit\":5,\"read_only\":false,"
	    "\"shared_with\":[\"agent-2\"],\"value\":\"\"}");
	assert_int_equal(letta_block_row(bad, NULL, &out, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	jdoc_free(bad);
	buf_clear(&out);
}

#define ROW "{\"label\":\"l\",\"limit\":5,\"value\":\"v\"," \
	"\"read_only\":true,\"tags\":[\"a\",\"b\"],\"metadata\":{\"k\":1}," \
	"\"description\":\"d\"}"

static void
test_block_changes(void **state)
{
	static const struct {
		const char *row, *there;
		unsigned int want;
	} cases[] = {
		{ ROW, ROW, 0 },
		/* Another value is no business of these. */
		{ ROW, "{\"label\":\"l\",\"limit\":5,\"value\":\"w\","
		    "\"read_only\":true,\"tags\":[\"b\",\"a\"],"
		    "\"metadata\":{\"k\":1},\"description\":\"d\"}", 0 },
		{ ROW, "{\"label\":\"x\",\"limit\":6,\"tags\":[\"a\"]}",
		    LETTA_BLOCK_LABEL | LETTA_BLOCK_LIMIT |
		    LETTA_BLOCK_DESCRIPTION | LETTA_BLOCK_READ_ONLY |
		    LETTA_BLOCK_METADATA | LETTA_BLOCK_TAGS },
		/* A server without tags, on either side. */
		{ ROW, "{\"label\":\"l\",\"limit\":5,\"read_only\":true,"
		    "\"metadata\":{\"k\":1},\"description\":\"d\"}", 0 },
		{ "{\"label\":\"l\",\"limit\":5,\"value\":\"v\"}",
		    "{\"label\":\"l\",\"limit\":5,\"tags\":[\"a\"],"
		    "\"description\":\"\",\"metadata\":{}}", 0 },
		/* The limit that an import gives. */
		{ "{\"label\":\"l\",\"limit\":2,\"value\":\"four\"}",
		    "{\"label\":\"l\",\"limit\":4}", 0 },
		{ "{\"label\":\"l\",\"limit\":2,\"value\":\"four\"}",
		    "{\"label\":\"l\",\"limit\":2}", LETTA_BLOCK_LIMIT },
	};
	struct jdoc *row, *there;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		row = doc(cases[i].row);
		there = doc(cases[i].there);
		assert_int_equal(letta_block_changes(row, there),
		    cases[i].want);
		jdoc_free(row);
		jdoc_free(there);
	}
}

static void
test_block_bodies(void **state)
{
	struct jdoc *row = doc(ROW), *bare = doc("{\"label\":\"l\","
	    "\"limit\":2,\"value\":\"four\"}");
	struct buf out = BUF_INIT(1024);

	(void)state;
	letta_body_block(&out, row, LETTA_BLOCK_READ_ONLY |
	    LETTA_BLOCK_TAGS);
	assert_string_equal(buf_cstr(&out),
	    "{\"read_only\":true,\"tags\":[\"a\",\"b\"]}");
	buf_clear(&out);
	/* What the source has not is taken away at the target. */
	letta_body_block(&out, bare, LETTA_BLOCK_DESCRIPTION |
	    LETTA_BLOCK_METADATA | LETTA_BLOCK_LIMIT);
	assert_string_equal(buf_cstr(&out),
	    "{\"limit\":4,\"description\":\"\",\"metadata\":{}}");
	buf_clear(&out);
	letta_body_block_new(&out, bare, "tmp");
	assert_string_equal(buf_cstr(&out),
	    "{\"value\":\"four\",\"limit\":4,\"label\":\"tmp\"}");
	buf_clear(&out);
	jdoc_free(row);
	jdoc_free(bare);
}

static void
test_identity_rows(void **state)
{
	struct jdoc *whole = doc("{\"id\":\"identity-1\",\"project_id\":null,"
	    "\"identifier_key\":\"k\",\"name\":\"n\",\"agent_ids\":[],"
	    "\"identity_type\":\"user\",\"properties\":null}");
	struct jdoc *bad = doc("{\"identifier_key\":\"k\"}");
	struct buf out = BUF_INIT(1024);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(letta_identity_row(whole, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "{\"identifier_key\":\"k\","
	    "\"identity_type\":\"user\",\"name\":\"n\",\"properties\":[]}");
	assert_int_equal(letta_identity_row(bad, &out, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	jdoc_free(whole);
	jdoc_free(bad);
	buf_clear(&out);
}

static void
test_archive_names(void **state)
{
	(void)state;
	assert_true(letta_archive_is_auto("sage-incoming-01's Archive",
	    "sage-incoming-01"));
	assert_false(letta_archive_is_auto("sage's Archive",
	    "sage-incoming-01"));
	assert_false(letta_archive_is_auto("sage-incoming-01",
	    "sage-incoming-01"));
	assert_false(letta_archive_is_auto("sage-incoming-01's Archive 2",
	    "sage-incoming-01"));
	assert_false(letta_archive_is_auto("", "sage"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_archive_names),
		cmocka_unit_test(test_batch_body),
		cmocka_unit_test(test_block_rows),
		cmocka_unit_test(test_block_changes),
		cmocka_unit_test(test_block_bodies),
		cmocka_unit_test(test_identity_rows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
