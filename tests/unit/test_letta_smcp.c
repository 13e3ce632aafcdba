#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "core/jdoc.h"
#include "core/letta_smcp.h"

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
assert_doc(const struct jdoc *doc_, const char *want)
{
	struct buf out = BUF_INIT(4096);

	jdoc_write(doc_, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

static void
test_secrets(void **state)
{
	struct jdoc *from = doc("{\"secrets\":[{\"key\":\"A\",\"value\":"
	    "\"1\"},{\"key\":\"B\",\"value\":\"2\\\"\"},{\"key\":"
	    "\"LETTA_AGENT_ID\",\"value\":\"x\"},{\"key\":\"C\",\"value\":"
	    "\"3\"},{\"key\":\"D\",\"value\":\"4\"}]}");
	struct jdoc *to = doc("{\"secrets\":[],"
	    "\"tool_exec_environment_variables\":[{\"key\":\"B\",\"value\":"
	    "\"\"},{\"key\":\"C\",\"value\":\"other\"},{\"key\":\"D\","
	    "\"value\":\"4\"},{\"key\":\"E\",\"value\":\"5\"}]}");
	struct jdoc *give, *kept, *own;
	struct buf out = BUF_INIT(4096);

	(void)state;
	letta_secret_names(from, to, &give, &kept, &own);
	assert_doc(give, "[\"A\",\"B\"]");
	assert_doc(kept, "[\"C\"]");
	assert_doc(own, "[\"LETTA_AGENT_ID\"]");
	letta_body_secrets(&out, from, to, give, NULL);
	assert_string_equal(buf_cstr(&out), "{\"secrets\":{\"C\":\"other\","
	    "\"D\":\"4\",\"E\":\"5\",\"A\":\"1\",\"B\":\"2\\\"\"}}");
	buf_clear(&out);
	letta_body_secrets(&out, NULL, to, NULL, kept);
	assert_string_equal(buf_cstr(&out), "{\"secrets\":{\"B\":\"\","
	    "\"D\":\"4\",\"E\":\"5\"}}");
	jdoc_free(give);
	jdoc_free(kept);
	jdoc_free(own);
	jdoc_free(from);
	jdoc_free(to);
	buf_clear(&out);
}

static void
test_entries(void **state)
{
	struct jdoc *now = doc("[{\"id\":\"mcp_server-1\",\"server_name\":"
	    "\"a\",\"server_url\":\"http://h/sse\",\"auth_token\":null},"
	    "{\"id\":\"mcp_server-2\",\"server_name\":\"b\"}]");
	struct jdoc *before = doc("{\"a\":{\"server_name\":\"a\","
	    "\"server_url\":\"http://h/sse\"}}");
	struct secret *key = secret_new("k\"\\", 3);
	struct letta_mcp_entry entry;
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_true(letta_mcp_entry(now, 0, &entry));
	assert_string_equal(entry.url, "http://h/sse");
	assert_null(entry.token);
	assert_true(letta_mcp_entry(now, 1, &entry));
	assert_null(entry.url);
	assert_false(letta_mcp_entry(now, 2, &entry));
	assert_true(letta_mcp_entry(before, 0, &entry));
	assert_string_equal(entry.name, "a");
	assert_false(letta_mcp_entry(before, 1, &entry));
	letta_body_mcp_server(&out, "n", "u", key, NULL);
	assert_string_equal(buf_cstr(&out), "{\"server_name\":\"n\","
	    "\"config\":{\"mcp_server_type\":\"sse\",\"server_url\":\"u\","
	    "\"auth_header\":\"Authorization\",\"auth_token\":"
	    "\"Bearer k\\\"\\\\\"}}");
	buf_clear(&out);
	letta_body_mcp_server(&out, NULL, "u", NULL, NULL);
	assert_string_equal(buf_cstr(&out), "{\"config\":{"
	    "\"mcp_server_type\":\"sse\",\"server_url\":\"u\"}}");
	buf_clear(&out);
	secret_free(key);
	jdoc_free(now);
	jdoc_free(before);
}

static void
assert_host(const char *url, const char *host, unsigned int port)
{
	struct buf out = BUF_INIT(256);
	unsigned int got = 0;

	if (!host) {
		assert_false(letta_url_host(url, &out, &got));
	} else {
		assert_true(letta_url_host(url, &out, &got));
		assert_string_equal(buf_cstr(&out), host);
		assert_int_equal(got, port);
	}
	buf_clear(&out);
}

static void
test_hosts(void **state)
{
	static const char *const refused[] = { "127.0.0.1", "localhost",
	    "LOCALHOST", "10.1.2.3", "172.31.0.1", "192.168.1.1", "::1",
	    "fe80::1", "fd00::1", "100.64.0.1", "a.local", "x.svc",
	    "0.0.0.0", "203.0.113.9" };
	static const char *const taken[] = { "8.8.8.8", "172.32.0.1",
	    "example.org", "2600::1", "local.example.org" };

	(void)state;
	assert_host("http://h:8000/sse", "h", 8000);
	assert_host("https://h", "h", 443);
	assert_host("http://[::1]:9/x", "::1", 9);
	assert_host("http://h?x:1", "h", 80);
	assert_host("h:8000", NULL, 0);
	assert_host("http://", NULL, 0);
	assert_host("http://u@h/", NULL, 0);
	assert_host("http://h:/", NULL, 0);
	assert_host("http://h:70000/", NULL, 0);
	assert_host("http://[::1/", NULL, 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		assert_true(letta_mcp_host_refused(refused[i]));
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		assert_false(letta_mcp_host_refused(taken[i]));
	assert_true(letta_host_is_loopback("127.8.0.1"));
	assert_true(letta_host_is_loopback("::1"));
	assert_false(letta_host_is_loopback("10.0.0.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_hosts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
