#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/http.h"
#include "io/http_check.h"
#include "io/http_head.h"
#include "fake_http.h"

static void
test_retry_after(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{ "0", 0 }, { "300", 300000 }, { "301", 300000 },
		{ "99999999999999999999999", 300000 }, { "-1", 0 },
		{ "1.5", 0 }, { "soon", 0 }, { "", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 10000 },
		{ "Sun, 06 Nov 1994 08:49:27 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:20 GMT", 0 },
		{ "Sun, 06 Nov 2094 08:49:37 GMT", 300000 },
		{ "Sun, 06 ovD 1994 08:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT+1", 0 },
	};
	struct http_head head;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&head, 0, sizeof(head));
		(void)snprintf(head.retry_after, sizeof(head.retry_after),
		    "%s", cases[i].text);
		if (http_head_retry_ms(&head, 784111767) != cases[i].ms)
			fail_msg("Retry-After: %s", cases[i].text);
	}
}

static void
test_head_is_bounded(void **state)
{
	struct http_head head = { 0 };
	char line[1000];
	int n = 0;

	(void)state;
	assert_true(http_head_line(&head, "HTTP/1.1 302 X\r\n", 16));
	memset(line, 'x', sizeof(line));
	memcpy(line, "Location: ", 10);
	assert_true(http_head_line(&head, line, sizeof(line)));
	assert_int_equal(strlen(head.location), sizeof(head.location) - 1);
	assert_true(http_head_line(&head, "LOCATION:\r\n", 11));
	assert_string_equal(head.location, "");
	while (http_head_line(&head, line, sizeof(line)))
		n++;
	assert_in_range(n, 200, 262);
}

static int
open_url(const char *url, const char *connect_to, struct err *err)
{
	struct http_spec spec = { .url = url, .connect_to = connect_to };
	struct http *h;
	int rc = http_open(&spec, &h, err);

	http_close(h);
	return rc;
}

static void
test_urls(void **state)
{
	static const char *const clear[] = { "http://example.org",
		"http://10.0.0.1:8283", "http://127.0.0.1.example.org",
		"http://[::2]", "http://0.0.0.0", "http://localhost.evil",
		"http://[::ffff:10.0.0.1]", "HTTP://128.0.0.1" };
	static const char *const fine[] = { "http://127.9.8.7:1/p/",
		"http://[::1]:8283", "http://localhost", "https://example.org",
		"HTTP://LOCALHOST" };
	static const char *const wrong[] = { "", "example.org x", "ftp://a",
		"file:///etc/passwd", "https://", "https://u:pw@example.org",
		"https://a/?q=1", "https://a/#f", "https://a b/",
		"https://a/%2e%2E/b" };
	struct err err = ERR_INIT;
	struct http_spec spec = { .url = "https://a.org/letta//" };
	struct http *h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(clear) / sizeof(clear[0]); i++)
		FAILS(open_url(clear[i], NULL, &err), ERR_USAGE,
		    "a token would cross the network in clear");
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		OK(open_url(fine[i], NULL, &err));
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		FAILS(open_url(wrong[i], NULL, &err), ERR_USAGE, "");
		assert_null(strstr(err.text, "pw"));
	}
	FAILS(open_url("http://127.0.0.1", "10.0.0.1", &err), ERR_USAGE,
	    "in clear");
	FAILS(open_url("https://a.org", "10.0.0.1:80,x", &err), ERR_USAGE,
	    "connect to");
	OK(open_url("https://a.org", "2001:db8::1", &err));
	OK(http_open(&spec, &h, &err));
	assert_string_equal(http_url(h), "https://a.org/letta");
	http_close(h);
	spec.token = secret_new("a\r\nX: y", 7);
	FAILS(http_open(&spec, &h, &err), ERR_USAGE, "token has a blank");
	secret_free((struct secret *)(uintptr_t)spec.token);

	/* In clear beyond loopback: asked for, and nothing to lose. */
	spec.url = "http://example.org";
	spec.clear = true;
	spec.token = secret_new("t", 1);
	FAILS(http_open(&spec, &h, &err), ERR_USAGE, "in clear");
	secret_free((struct secret *)(uintptr_t)spec.token);
	spec.token = NULL;
	OK(http_open(&spec, &h, &err));
	http_close(h);
	spec.ca_file = "/nonexistent/ca.pem";
	FAILS(http_open(&spec, &h, &err), ERR_USAGE, "/nonexistent/ca.pem");
}

static void
test_paths(void **state)
{
	static const char *const wrong[] = { "", "v1", "/a b", "/a\r\nX: y",
		"/a#b", "/..", "/a/../b", "/%2e%2E/x", "/.%2e", "/a/.",
		"/\xc3\xa4", "/a/..?x" };
	static const char *const fine[] = { "/", "/a//b/", "/a..b/...",
		"/a?b=../..", "/%2e%2e%2e" };
	struct err err = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		FAILS(http_check_path(wrong[i], &err), ERR_DATA, "path ");
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		OK(http_check_path(fine[i], &err));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_head_is_bounded),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_paths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
