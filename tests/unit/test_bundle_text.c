#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/bundle_line.h"
#include "core/bundle_manifest.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Write a line and read it back: the id and the body are what they were. */
static void
assert_line(const char *id, const char *body, const char *want)
{
	struct buf line = BUF_INIT(4096);
	char back[BUNDLE_ID_SIZE];
	struct err err = ERR_INIT;
	const char *at;
	size_t len;

	bundle_line_write(&line, id, body, strlen(body));
	assert_true(str_ends(buf_cstr(&line), "}\n"));
	if (bundle_line_read(line.data, line.len - 1, back, &at, &len,
	    &err) != 0)
		fail_msg("%s: %s", buf_cstr(&line), err.text);
	assert_string_equal(back, id);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(at, want, len);
	buf_clear(&line);
}

static void
test_a_row_comes_back_as_it_was(void **state)
{
	(void)state;
	assert_line("message-1", "{}", "{}");
	assert_line("message-1", "{\"a\":[1,2.50,1e400]}",
	    "{\"a\":[1,2.50,1e400]}");
	assert_line("a \"quoted\" \\ id/\x1b", "{\"t\":\"\xc3\xa9\"}",
	    "{\"t\":\"\xc3\xa9\"}");
	/* What json-c would replace. */
	assert_line("m", "{\"t\":\"\\ud800\",\"z\":\"\\u0000\"}",
	    "{\"t\":\"\\ud800\",\"z\":\"\\u0000\"}");
}

static void
test_a_row_is_one_line(void **state)
{
	(void)state;
	assert_line("m", "{\n\t\"a\": 1,\r\n \"b\": 2}",
	    "{ \t\"a\": 1,   \"b\": 2}");
}

static void
assert_no_line(const char *line, const char *why)
{
	char id[BUNDLE_ID_SIZE];
	struct err err = ERR_INIT;
	const char *body;
	size_t len;

	assert_int_equal(bundle_line_read(line, strlen(line), id, &body,
	    &len, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", line, err.text);
}

static void
test_other_lines_are_refused(void **state)
{
	char longest[BUNDLE_ID_SIZE + 64];

	(void)state;
	assert_no_line("", "");
	assert_no_line("{\"id\":\"m\",\"row\":{}", "");
	assert_no_line("[]", "not an id and a row");
	assert_no_line("{\"id\":\"m\"}", "not an id and a row");
	assert_no_line("{\"id\":1,\"row\":{}}", "not an id and a row");
	assert_no_line("{\"id\":\"m\",\"row\":[]}", "not an id and a row");
	assert_no_line("{\"id\":\"m\",\"row\":{},\"x\":1}",
	    "not an id and a row");
	assert_no_line("{\"id\":\"\",\"row\":{}}", "an id of 1 to");
	assert_no_line("{\"id\":\"a\\u0000b\",\"row\":{}}", "an id of 1 to");
	assert_no_line("{\"row\":{},\"id\":\"m\"}", "not as this program");
	assert_no_line("{ \"id\":\"m\",\"row\":{}}", "not as this program");
	assert_no_line("{\"id\":\"m\",\"row\":{}} ", "not as this program");
	assert_no_line("{\"id\":\"m\",\"row\":{\"t\":\"\xff\"}}", "UTF-8");
	assert_no_line("{\"id\":\"m\",\"row\":{\"a\":1,\"a\":2}}", "");
	(void)snprintf(longest, sizeof(longest), "{\"id\":\"%0*d\",\"row\":{}}",
	    BUNDLE_ID_SIZE, 7);
	assert_no_line(longest, "an id of 1 to");
}

static void
test_which_paths_may_be_in_it(void **state)
{
	static const char *const good[] = {
		"messages.jsonl", "conversations/conv-1.jsonl", "a_b/c.d-e",
	};
	static const char *const bad[] = {
		"", "/etc/passwd", "..", "../x", "a/../b", "a/./b", ".x",
		"a/.b", "a//b", "a/", "/a", "a/b/c", "a b", "a\nb", "a\x1b",
		"manifest.json", "\xc3\xa9",
	};
	char name[BUNDLE_PATH_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(bundle_path_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (bundle_path_ok(bad[i]))
			fail_msg("%s", bad[i]);
	}
	memset(name, 'a', sizeof(name));
	name[BUNDLE_PATH_MAX] = '\0';
	assert_false(bundle_path_ok(name));
	name[BUNDLE_PATH_MAX - 1] = '\0';
	assert_true(bundle_path_ok(name));
}

static int
read_manifest(const char *text, struct bundle_manifest *m, struct err *err)
{
	err_clear(err);
	return bundle_manifest_read(text, strlen(text), m, err);
}

static void
test_a_manifest_comes_back(void **state)
{
	struct bundle_manifest m = { 0 }, back;
	struct buf text = BUF_INIT(65536), again = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct bundle_file *file;

	(void)state;
	m.program = strdup("sanctumctl 1");
	m.agent_name = strdup("Zo\xc3\xab \"x\"");
	file = bundle_manifest_add(&m, "messages.jsonl");
	memcpy(file->sha256, SUM, sizeof(file->sha256));
	file->size_bytes = 5000000000;
	file->rows = 7;
	bundle_manifest_write(&m, &text);
	if (read_manifest(buf_cstr(&text), &back, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(back.program, "sanctumctl 1");
	assert_string_equal(back.agent_name, m.agent_name);
	assert_null(back.url);
	assert_int_equal(back.n_files, 1);
	assert_non_null(bundle_manifest_find(&back, "messages.jsonl"));
	assert_null(bundle_manifest_find(&back, "other"));
	assert_int_equal(back.files[0].size_bytes, 5000000000);
	assert_int_equal(back.files[0].rows, 7);
	assert_string_equal(back.files[0].sha256, SUM);
	bundle_manifest_write(&back, &again);
	assert_string_equal(buf_cstr(&again), buf_cstr(&text));
	bundle_manifest_clear(&m);
	bundle_manifest_clear(&back);
	buf_clear(&text);
	buf_clear(&again);
}

#define ONE(path, sum) "{\"path\":\"" path "\",\"sha256\":\"" sum "\","	\
	"\"size\":1,\"rows\":1}"
#define FILES(list) "{\"format\":1,\"files\":[" list "]}"

static void
test_other_manifests_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "manifest.json" },
		{ "[]", "not the manifest of a bundle" },
		{ "{\"format\":\"1\",\"files\":[]}", "not the manifest" },
		{ "{\"format\":2,\"files\":[]}", "a later sanctumctl" },
		{ "{\"format\":1}", "files is not a list" },
		{ FILES("{}"), "not the path" },
		{ FILES(ONE("../x", SUM)), "not the path" },
		{ FILES(ONE("a\\u001bb", SUM)), "\\x1b" },
		{ FILES(ONE("a", "0123")), "without size" },
		{ FILES("{\"path\":\"a\",\"sha256\":\"" SUM "\"}"),
		    "without size" },
		{ FILES("{\"path\":\"a\",\"sha256\":\"" SUM "\",\"size\":-1,"
		    "\"rows\":0}"), "without size" },
		{ FILES(ONE("a", SUM) "," ONE("b", SUM) "," ONE("a", SUM)),
		    "a is named twice" },
	};
	struct bundle_manifest m;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(read_manifest(cases[i].text, &m, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		if (!strstr(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(m.n_files, 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_row_comes_back_as_it_was),
		cmocka_unit_test(test_a_row_is_one_line),
		cmocka_unit_test(test_other_lines_are_refused),
		cmocka_unit_test(test_which_paths_may_be_in_it),
		cmocka_unit_test(test_a_manifest_comes_back),
		cmocka_unit_test(test_other_manifests_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
