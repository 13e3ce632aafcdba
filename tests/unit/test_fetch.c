#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/fetch.h"

#define APP "https://app.letta.com"
#define ORIGIN "access-control-allow-origin: " APP "\n"
#define CREDENTIALS "Access-Control-Allow-Credentials: true\n"
#define METHODS "Access-Control-Allow-Methods: GET, PATCH\n"
#define HEADERS "Access-Control-Allow-Headers: Authorization,content-type\n"

static const char *const names[] = { "authorization", "content-type", NULL };

/* NULL: it passes; else words of why it does not. */
static void
preflight(const char *method, bool credentials, long status,
    const char *head, const char *want)
{
	const struct fetch_ask ask = { .origin = APP, .method = method,
	    .headers = names, .credentials = credentials };
	struct buf why = BUF_INIT(4096);
	bool pass = fetch_preflight_passes(&ask, status, head, &why);

	if (pass != !want || (want && !strstr(buf_cstr(&why), want)))
		fail_msg("%s: `%s' in place of `%s'", head, buf_cstr(&why),
		    want ? want : "");
	buf_clear(&why);
}

static void
test_preflight(void **state)
{
	(void)state;
	preflight("PATCH", true, 204, ORIGIN CREDENTIALS METHODS HEADERS,
	    NULL);
	preflight("PATCH", true, 405, ORIGIN CREDENTIALS METHODS HEADERS,
	    "405");
	preflight("PATCH", true, 200, METHODS HEADERS, "there is no");
	preflight("PATCH", true, 200, ORIGIN ORIGIN CREDENTIALS METHODS
	    HEADERS, "2 times");
	preflight("PATCH", true, 200, ORIGIN METHODS HEADERS,
	    "no Access-Control-Allow-Credentials");
	preflight("PATCH", true, 200, ORIGIN METHODS HEADERS
	    "Access-Control-Allow-Credentials: True\n", "`True'");
	preflight("DELETE", true, 200, ORIGIN CREDENTIALS METHODS HEADERS,
	    "DELETE is not in");
	preflight("POST", true, 200, ORIGIN CREDENTIALS METHODS HEADERS,
	    NULL);
	preflight("GET", true, 200, ORIGIN CREDENTIALS METHODS,
	    "authorization is not in");
	/* A verb is no header: its case counts. */
	preflight("PATCH", true, 200, ORIGIN CREDENTIALS HEADERS
	    "Access-Control-Allow-Methods: patch\n", "PATCH is not in");
}

static void
test_wildcards(void **state)
{
	static const char star[] = "Access-Control-Allow-Origin: *\n"
	    "Access-Control-Allow-Methods: *\n"
	    "Access-Control-Allow-Headers: *\n";

	(void)state;
	preflight("PATCH", true, 200, star, "does not count with cred");
	/* Never for authorization. */
	preflight("PATCH", false, 200, star, "authorization is not in");
	preflight("PATCH", false, 200, ORIGIN "Access-Control-Allow-Methods: "
	    "*\nAccess-Control-Allow-Headers: *, Authorization\n", NULL);
	preflight("PATCH", true, 200, ORIGIN CREDENTIALS HEADERS
	    "Access-Control-Allow-Methods: *\n", "PATCH is not in");
	preflight("GET", true, 200, "Access-Control-Allow-Origin: "
	    "https://app.letta.com.evil.example\n", "and not " APP);
	assert_false(fetch_wildcard_credentials(star));
	assert_true(fetch_wildcard_credentials("access-control-allow-origin:"
	    "*\n" CREDENTIALS));
	assert_false(fetch_wildcard_credentials(ORIGIN CREDENTIALS));
}

static void
test_response(void **state)
{
	const struct fetch_ask ask = { .origin = APP, .method = "GET",
	    .headers = names };
	struct buf why = BUF_INIT(4096);

	(void)state;
	assert_true(fetch_response_passes(&ask, ORIGIN, &why));
	assert_true(fetch_response_passes(&ask,
	    "Access-Control-Allow-Origin: *\n", &why));
	assert_false(fetch_response_passes(&ask, "X: y\n", &why));
	assert_true(fetch_list_has("Accept-Encoding, origin", "Origin"));
	assert_false(fetch_list_has("Originals", "Origin"));
	buf_clear(&why);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_response),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
