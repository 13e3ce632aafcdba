#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "core/answer.h"
#include "core/jdoc.h"
#include "core/mcp.h"
#include "core/sse.h"

static struct jdoc *
doc(const char *text)
{
	struct err err = ERR_INIT;
	struct jdoc *parsed = jdoc_parse(text, strlen(text), &err);

	if (!parsed)
		fail_msg("%s", err.text);
	return parsed;
}

/* Fed in pieces of every size up to 7: -1, or the body and status. */
static int
fed(const char *text, size_t piece, struct buf *body, struct answer *a)
{
	struct err err = ERR_INIT;
	size_t len = strlen(text), n;
	int rc = 0;

	answer_init(a);
	buf_clear(body);
	for (size_t i = 0; i < len && rc == 0; i += n) {
		n = len - i < piece ? len - i : piece;
		rc = answer_feed(a, text + i, n, body, &err);
	}
	answer_clear(a);
	return rc;
}

static void
assert_answer(const char *text, unsigned int status, const char *want,
    bool done)
{
	struct buf body = BUF_INIT(1024);
	struct answer a;

	for (size_t piece = 1; piece < 8; piece++) {
		assert_int_equal(fed(text, piece, &body, &a), 0);
		assert_int_equal(a.status, status);
		assert_string_equal(buf_cstr(&body), want);
		assert_int_equal(a.done, done);
	}
	buf_clear(&body);
}

static void
test_an_answer(void **state)
{
	struct buf body = BUF_INIT(1024);
	struct answer a;

	(void)state;
	assert_answer("HTTP/1.1 202 Accepted\r\ncontent-length: 8\r\n\r\n"
	    "Acceptedand more", 202, "Accepted", true);
	assert_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n", 200,
	    "hello world", true);
	assert_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "A\r\n01234", 200, "01234", false);
	assert_answer("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200,
	    "until the end", false);
	assert_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n"
	    "Content-Length: 0\r\n\r\n", 401, "", true);
	assert_answer("HTTP/1.1 20", 0, "", false);

	assert_int_equal(fed("SSH-2.0-x\r\n\r\n", 3, &body, &a), -1);
	assert_int_equal(fed("HTTP/1.1 x00 OK\r\n\r\n", 3, &body, &a), -1);
	assert_int_equal(fed("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	    3, &body, &a), -1);
	assert_int_equal(fed("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n"
	    "\r\n", 3, &body, &a), -1);
	assert_int_equal(fed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
	    "\r\n\r\nzz\r\n", 3, &body, &a), -1);
	assert_int_equal(fed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n2\r\nabc\r\n", 3, &body, &a), -1);
	buf_clear(&body);
}

static int
note(void *ctx, const char *type, const char *data, size_t len,
    struct err *err)
{
	(void)err;
	buf_printf(ctx, "[%s %zu %s]", type, len, data);
	return 0;
}

static void
test_events(void **state)
{
	static const char text[] = ": ping\r\n\r\nevent: endpoint\r\n"
	    "data: /messages/?session_id=1\r\n\r\nid: 4\ndata: a\ndata:  b\n"
	    "\nevent: none\n\ndata:c\r\rdata: not whole\n";
	struct err err = ERR_INIT;
	struct buf seen = BUF_INIT(1024);
	struct sse sse;

	(void)state;
	for (size_t piece = 1; piece < 9; piece++) {
		sse_init(&sse);
		buf_clear(&seen);
		for (size_t i = 0; i < sizeof(text) - 1; i += piece)
			assert_int_equal(sse_feed(&sse, text + i,
			    sizeof(text) - 1 - i < piece ?
			    sizeof(text) - 1 - i : piece, note, &seen, &err),
			    0);
		assert_string_equal(buf_cstr(&seen), "[endpoint 23 "
		    "/messages/?session_id=1][message 4 a\n b]"
		    "[message 1 c]");
		sse_clear(&sse);
	}
	buf_clear(&seen);
}

static void
test_requests(void **state)
{
	struct secret *key = secret_new("k", 1);
	struct buf out = BUF_INIT(4096);

	(void)state;
	mcp_request(&out, "/sse", 8000, key, NULL);
	assert_string_equal(buf_cstr(&out), "GET /sse HTTP/1.1\r\nHost: "
	    "127.0.0.1:8000\r\nUser-Agent: sanctumctl\r\nAccept: "
	    "text/event-stream, application/json\r\nAuthorization: Bearer k"
	    "\r\n\r\n");
	buf_clear(&out);
	mcp_request(&out, "/m", 1, NULL, "{}");
	assert_non_null(strstr(out.data, "Content-Length: 2\r\n"));
	assert_non_null(strstr(out.data, "\r\n\r\n{}"));
	assert_null(strstr(out.data, "Authorization"));
	buf_clear(&out);
	mcp_tools_list(&out, 3, "x");
	assert_string_equal(buf_cstr(&out), "{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"tools/list\",\"params\":{\"cursor\":\"x\"},\"id\":3}");
	buf_clear(&out);
	mcp_tools_call(&out, 4, "t", NULL);
	assert_string_equal(buf_cstr(&out), "{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{}},"
	    "\"id\":4}");
	assert_true(mcp_endpoint_ok("/messages/?session_id=1"));
	assert_false(mcp_endpoint_ok("http://elsewhere/"));
	assert_false(mcp_endpoint_ok("//elsewhere/"));
	assert_false(mcp_endpoint_ok("/a\r\nHost: b"));
	buf_clear(&out);
	secret_free(key);
}

static void
test_replies(void **state)
{
	static const char other[] = "{\"jsonrpc\":\"2.0\",\"id\":1,"
	    "\"result\":{}}";
	static const char wrong[] = "{\"jsonrpc\":\"2.0\",\"id\":2,"
	    "\"error\":{\"code\":1,\"message\":\"no \\u001b[1m\"}}";
	static const char bare[] = "{\"id\":2}";
	struct err err = ERR_INIT;
	struct jdoc *result;

	(void)state;
	assert_int_equal(mcp_reply(other, strlen(other), 2, &result, &err),
	    0);
	assert_null(result);
	assert_int_equal(mcp_reply(other, strlen(other), 1, &result, &err),
	    0);
	assert_non_null(result);
	jdoc_free(result);
	assert_int_equal(mcp_reply(wrong, strlen(wrong), 2, &result, &err),
	    -1);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_null(strchr(err.text, '\033'));
	assert_int_equal(mcp_reply(bare, strlen(bare), 2, &result, &err), -1);
	assert_int_equal(mcp_reply("{", 1, 2, &result, &err), -1);
}

static void
test_names(void **state)
{
	struct jdoc *page = doc("{\"tools\":[{\"name\":\"a\"},{\"name\":"
	    "\"demo_text__up\"}],\"nextCursor\":\"n\"}");
	struct jdoc *names = jdoc_new_array(), *arguments;
	struct jdoc *other = doc("[\"b\",\"a\",\"sanctum__tools\"]");
	struct jdoc *echo = doc("[\"demo_text__up\",\"demo_text__echo\"]");
	struct jdoc *risky = doc("[\"files__remove\"]");
	struct buf lacks = BUF_INIT(512), extra = BUF_INIT(512);
	struct err err = ERR_INIT;
	const char *cursor;

	(void)state;
	assert_int_equal(mcp_tool_names(page, names, &cursor, &err), 0);
	assert_string_equal(cursor, "n");
	assert_int_equal(mcp_tool_names(other, names, &cursor, &err), -1);
	assert_string_equal(mcp_harmless(names, &arguments), "demo_text__up");
	assert_null(arguments);
	assert_string_equal(mcp_harmless(other, &arguments),
	    "sanctum__tools");
	assert_null(mcp_harmless(risky, &arguments));
	assert_string_equal(mcp_harmless(echo, &arguments),
	    "demo_text__echo");
	assert_true(jdoc_is(arguments, "message", "sanctumctl"));
	assert_false(mcp_same_names(names, other, &lacks, &extra));
	assert_string_equal(buf_cstr(&lacks), "demo_text__up");
	assert_string_equal(buf_cstr(&extra), "b, sanctum__tools");
	assert_true(mcp_same_names(other, other, &lacks, &extra));
	jdoc_free(arguments);
	jdoc_free(page);
	jdoc_free(names);
	jdoc_free(other);
	jdoc_free(echo);
	jdoc_free(risky);
	buf_clear(&lacks);
	buf_clear(&extra);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
