#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/af.h"
#include "core/af_mark.h"
#include "core/af_row.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/verdict.h"

#define MARKED "{\"k\":1,\"sanctumctl\":{\"mark\":\"0123\"," \
    "\"name\":\"AI/ML\"," \
    "\"from\":\"a b\"}}"
#define FILE_OF(agent, blocks, servers) "{\"agents\":[{\"name\":\"n\"," \
    "\"id\":\"agent-0\"" agent "}],\"blocks\":[" blocks "],\"tools\":[]," \
    "\"mcp_servers\":[" servers "]}"

static const struct af_mark mark = {
	.mark = "0123", .name = "AI/ML", .from = "a b"
};

static struct jdoc *
parse(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, strlen(text), &err);

	if (!doc)
		fail_msg("%s", err.text);
	return doc;
}

/* What was made, as text; takes it. */
static void
assert_made(struct jdoc *made, const char *expected)
{
	struct buf out = BUF_INIT(64 * 1024);

	jdoc_write(made, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
	jdoc_free(made);
}

static void
test_metadata(void **state)
{
	struct jdoc *own = parse("{\"k\":1}"), *marked = parse(MARKED);
	struct jdoc *named = parse("{\"sanctumctl_original_name\":\"A/B\"}");

	(void)state;
	assert_made(af_mark_put(own, &mark), MARKED);
	assert_string_equal(af_mark_of(marked), "0123");
	assert_null(af_mark_of(own));
	assert_null(af_mark_of(NULL));
	assert_made(af_mark_final(marked, NULL), "{\"k\":1}");
	assert_made(af_mark_final(marked, "AI/ML"),
	    "{\"k\":1,\"sanctumctl_original_name\":\"AI/ML\"}");
	assert_made(af_mark_final(named, NULL),
	    "{\"sanctumctl_original_name\":\"A/B\"}");
	assert_made(af_mark_own(named), "{}");
	assert_made(af_mark_own(marked), "{\"k\":1}");
	assert_made(af_mark_own(NULL), "{}");
	jdoc_free(own);
	jdoc_free(marked);
	jdoc_free(named);
}

/* Metadata that is no object is no reason to lose the mark. */
static void
test_odd_metadata(void **state)
{
	struct jdoc *list = parse("[1]");

	(void)state;
	assert_made(af_mark_put(list, &(struct af_mark){ "m", "n", "f" }),
	    "{\"sanctumctl\":{\"mark\":\"m\",\"name\":\"n\",\"from\":\"f\"}}");
	assert_null(af_mark_of(list));
	jdoc_free(list);
}

static void
test_names(void **state)
{
	static const char *const names[][2] = {
		{ "Sage", "Sage" },
		{ "AI/ML Expert", "AI-ML Expert" },
		{ "a//::b", "a-b" },
		{ "a-/b", "a-b" },
		{ "a/-b", "a-b" },
		{ "/.a. ", "a" },
		{ "a /", "a" },
		{ "...", "agent" },
		{ "", "agent" },
		{ "\tx\ny", "x-y" },
		{ "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac",
		    "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac" },
		{ "Sage \xf0\x9f\x8c\xbf", "Sage" },
		{ "a\xf0\x9f\x8c\xbf" "b", "a-b" },
		{ "a\xff" "b", "a-b" },
		{ "it's_a-name 1", "it's_a-name 1" },
	};
	struct buf out = BUF_INIT(256);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		buf_truncate(&out, 0);
		af_mark_name(names[i][0], &out);
		assert_string_equal(buf_cstr(&out), names[i][1]);
	}
	buf_clear(&out);
}

static int
one_row(void *ctx, struct af_row *row, struct err *err)
{
	struct jdoc **doc = ctx;

	(void)err;
	if (*doc)
		return 0;
	*doc = parse("{\"role\":\"system\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"s\"}]}");
	*row = (struct af_row){ .id = "m", .doc = *doc };
	return 1;
}

/* The whole file of a shell, parsed; NULL with err. */
static struct jdoc *
file_of(const char *shell, const struct jdoc *config, struct err *err)
{
	struct jdoc *doc = NULL, *ids = parse("[\"m\"]"), *made = NULL;
	struct af_source source = {
		.shell = shell, .shell_len = strlen(shell), .name = "t-1",
		.in_context = ids, .mark = &mark, .llm_config = config,
		.embedding_config = config, .next = one_row, .ctx = &doc,
	};
	struct buf out = BUF_INIT(64 * 1024);
	struct af_writer *w;
	char data[512];
	ptrdiff_t n = -1;

	if (af_open(&source, &w, err) == 0) {
		while ((n = af_read(w, data, sizeof(data), err)) > 0)
			buf_add(&out, data, (size_t)n);
		af_close(w);
	}
	if (n == 0)
		made = parse(buf_cstr(&out));
	jdoc_free(doc);
	jdoc_free(ids);
	buf_clear(&out);
	return made;
}

static void
assert_at(const struct jdoc *object, const char *key, const char *expected)
{
	struct buf out = BUF_INIT(64 * 1024);

	jdoc_write(jdoc_get(object, key), &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_clear(&out);
}

static void
test_file(void **state)
{
	struct err err = ERR_INIT;
	struct jdoc *config = parse("{\"handle\":\"p/m\"}");
	struct jdoc *file = file_of(FILE_OF(",\"metadata\":{\"k\":1},"
	    "\"llm_config\":{\"handle\":\"x\"},\"model\":\"x\","
	    "\"embedding_config\":null,\"embedding\":null", "",
	    "{\"server_name\":\"s\"}"), config, &err);
	const struct jdoc *agent;

	(void)state;
	if (!file)
		fail_msg("%s", err.text);
	agent = jdoc_at(jdoc_get(file, "agents"), 0);
	assert_at(agent, "metadata", MARKED);
	assert_at(agent, "llm_config", "{\"handle\":\"p/m\"}");
	assert_at(agent, "model", "\"p/m\"");
	assert_at(agent, "embedding_config", "{\"handle\":\"p/m\"}");
	assert_at(agent, "embedding", "null");
	assert_at(file, "mcp_servers", "[]");
	jdoc_free(file);
	file = file_of(FILE_OF(",\"llm_config\":{\"handle\":\"x\"}", "", ""),
	    NULL, &err);
	agent = jdoc_at(jdoc_get(file, "agents"), 0);
	assert_at(agent, "llm_config", "{\"handle\":\"x\"}");
	jdoc_free(file);
	jdoc_free(config);
}

static void
test_one_label_twice(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(file_of(FILE_OF("", "{\"label\":\"b\",\"value\":\"1\"},"
	    "{\"label\":\"a\",\"value\":\"2\"},"
	    "{\"label\":\"b\",\"value\":\"3\"}", ""), NULL, &err));
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "the label \"b\""));
}

/* An agent on its way is the same as the one it is of. */
static void
test_verdict(void **state)
{
	static const char *const texts[] = {
		FILE_OF(",\"metadata\":{\"k\":1}", "", ""),
		FILE_OF(",\"metadata\":" MARKED, "", ""),
		FILE_OF(",\"metadata\":{\"k\":2,\"sanctumctl\":{}}", "", ""),
	};
	struct err err = ERR_INIT;
	struct af_shell shells[3];
	struct verdict v = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		if (af_shell_read(texts[i], strlen(texts[i]), &shells[i],
		    &err) != 0)
			fail_msg("%s", err.text);
	}
	verdict_agent(&v, &shells[0], &shells[1]);
	verdict_agent(&v, &shells[0], &shells[2]);
	assert_int_equal(v.checks[0].state, VERDICT_SAME);
	assert_int_equal(v.checks[1].state, VERDICT_DIFFERENT);
	for (size_t i = 0; i < 3; i++)
		af_shell_clear(&shells[i]);
	verdict_clear(&v);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_odd_metadata),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_one_label_twice),
		cmocka_unit_test(test_verdict),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
