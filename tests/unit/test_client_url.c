#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/client_url.h"

struct bed {
	struct client_urls urls;
	struct buf out, record, shown;
};

static void
bed_init(struct bed *bed)
{
	*bed = (struct bed){ .urls = { .n = 0 } };
	buf_init(&bed->out, CLIENT_URL_TEXT_MAX);
	buf_init(&bed->record, CLIENT_URL_RECORD_MAX);
	buf_init(&bed->shown, CLIENT_URL_TEXT_MAX);
	client_urls_add(&bed->urls, "127.0.0.1:8284", "127.0.0.1:8283");
	client_urls_add(&bed->urls, "localhost:8284", "localhost:18283");
	client_urls_add(&bed->urls, "https://old.example.org",
	    "https://new.example.org");
	client_urls_add(&bed->urls, "same:1", "same:1");
}

static void
bed_clear(struct bed *bed)
{
	client_urls_clear(&bed->urls);
	buf_clear(&bed->out);
	buf_clear(&bed->record);
	buf_clear(&bed->shown);
}

/* One text, what it becomes, and back. */
static void
becomes(const char *before, const char *after)
{
	struct bed bed;
	struct buf back = BUF_INIT(CLIENT_URL_TEXT_MAX);
	size_t n, left;

	bed_init(&bed);
	n = client_url_edit(before, strlen(before), &bed.urls, &bed.out,
	    &bed.record);
	assert_string_equal(buf_cstr(&bed.out), after);
	assert_int_equal(n == 0, strcmp(before, after) == 0);
	if (n > 0) {
		assert_true(client_url_revert(after, strlen(after),
		    buf_cstr(&bed.record), &back, &left));
		assert_string_equal(buf_cstr(&back), before);
		assert_int_equal(left, 0);
		buf_clear(&back);
		assert_false(client_url_revert(before, strlen(before),
		    buf_cstr(&bed.record), &back, &left));
		assert_int_equal(left, 0);
	}
	buf_clear(&back);
	bed_clear(&bed);
}

static void
test_addresses(void **state)
{
	(void)state;
	becomes("export A=http://127.0.0.1:8284\n",
	    "export A=http://127.0.0.1:8283\n");
	becomes("http://localhost:8284/v1 localhost:8284",
	    "http://localhost:18283/v1 localhost:18283");
	becomes("a 127.0.0.1:8284. b (127.0.0.1:8284)",
	    "a 127.0.0.1:8283. b (127.0.0.1:8283)");
	becomes("x=https://old.example.org/v1;\r\n",
	    "x=https://new.example.org/v1;\r\n");
	becomes("http://u:p@127.0.0.1:8284/ 127.0.0.1:8284:",
	    "http://u:p@127.0.0.1:8283/ 127.0.0.1:8283:");
	becomes("server 127.0.0.1:8284;\nproxy_pass http://127.0.0.1:8284/;",
	    "server 127.0.0.1:8283;\nproxy_pass http://127.0.0.1:8283/;");
}

static void
test_others(void **state)
{
	static const char *const same[] = {
		"", "127.0.0.1:82840", "127.0.0.1:8284a", "127.0.0.1:8284-9",
		"1127.0.0.1:8284", "10.127.0.0.1:8284", "my-localhost:8284",
		"https://proxy/127.0.0.1:8284",
		"https://proxy/http://127.0.0.1:8284",
		"/etc/127.0.0.1:8284", "me@127.0.0.1:8284",
		"- \"127.0.0.1:8284:8283\"", "127.0.0.1:8284.5",
		"https://old.example.org:8283", "https://old.example.organ",
		"https://old.example.org.uk", "http://old.example.org",
		"xhttps://old.example.org", "https://old.example.org@evil",
		"127.0.0.1:828", NULL };

	(void)state;
	for (const char *const *one = same; *one; one++)
		becomes(*one, *one);
}

/* A text after the edit and somebody else's, and what is put back of it. */
static void
goes_back(const struct bed *bed, const char *now, const char *wanted,
    size_t left_wanted)
{
	struct buf back = BUF_INIT(1024);
	size_t left;

	assert_int_equal(client_url_revert(now, strlen(now),
	    buf_cstr(&bed->record), &back, &left), wanted != NULL);
	assert_string_equal(buf_cstr(&back), wanted ? wanted : "");
	assert_int_equal(left, left_wanted);
	buf_clear(&back);
}

#define U(port) "U=http://localhost:" port "\n"
#define V(port) "V=127.0.0.1:" port "\n"

static void
test_edited_since(void **state)
{
	static const char before[] = "K=secretsecret\n" U("8284") V("8284");
	struct bed bed;

	(void)state;
	bed_init(&bed);
	assert_int_equal(client_url_edit(before, strlen(before), &bed.urls,
	    &bed.out, &bed.record), 2);
	assert_null(strstr(buf_cstr(&bed.record), "secret"));
	/* Another value, lines before, behind and between. */
	goes_back(&bed, "K=secretSECRET\n" U("18283") V("8283"),
	    "K=secretSECRET\n" U("8284") V("8284"), 0);
	goes_back(&bed, "\nK=secretsecret\n" U("18283") V("8283") "# mine",
	    "\nK=secretsecret\n" U("8284") V("8284") "# mine", 0);
	goes_back(&bed, "\n" U("18283") "X=1\n" V("8283") "Y=1\n",
	    "\n" U("8284") "X=1\n" V("8284") "Y=1\n", 0);
	/* One is gone, or somebody's already. */
	goes_back(&bed, "\n" U("18283") "\n", "\n" U("8284") "\n", 0);
	goes_back(&bed, "\n\n" U("9") V("8283"), "\n\n" U("9") V("8284"), 0);
	goes_back(&bed, "", NULL, 0);
	/* One more: ours are found by their places, it is named. */
	goes_back(&bed, "K=secretsecret\n" U("18283") V("8283") V("8283"),
	    "K=secretsecret\n" U("8284") V("8284") V("8283"), 1);
	goes_back(&bed, "K=secretsecret\n" U("8284") V("8284") V("8283"),
	    NULL, 1);
	/* Which is ours cannot be told. */
	goes_back(&bed, "\n" V("8283") V("8283") "\n", NULL, 2);
	bed_clear(&bed);
}

/* What stood there before stays. */
static void
test_stood_before(void **state)
{
	static const char before[] = V("8283") U("8284") V("8284") V("8283");
	struct bed bed;

	(void)state;
	bed_init(&bed);
	assert_int_equal(client_url_edit(before, strlen(before), &bed.urls,
	    &bed.out, &bed.record), 2);
	goes_back(&bed, V("8283") U("18283") V("8283") V("8283"), before, 0);
	goes_back(&bed, "\n" V("8283") U("18283") V("8283") V("8283"),
	    "\n" V("8283") U("8284") V("8284") V("8283"), 0);
	goes_back(&bed, "\n" V("8283") U("18283") V("8283") V("8283") "\n",
	    NULL, 2);
	bed_clear(&bed);
}

static void
test_rubbish(void **state)
{
	static const char *const records[] = { "rubbish", "1", "0 0", "0 0 9 a",
		"0 0 9 a b", "0 0 9 a b c" };
	struct buf back = BUF_INIT(1024);
	size_t left;

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		assert_false(client_url_revert("b", 1, records[i], &back,
		    &left));
		assert_int_equal(left, 1);
	}
	assert_false(client_url_revert("", 0, "0 0 99 a b 1", &back, &left));
	buf_clear(&back);
}

static void
env_becomes(const char *before, const char *after, const char *why)
{
	struct err err = ERR_INIT;
	struct bed bed;
	size_t n;
	int rc;

	bed_init(&bed);
	rc = client_url_edit_env(before, strlen(before), "h:.env", &bed.urls,
	    &bed.out, &bed.record, &n, &err);
	assert_int_equal(rc, why ? -1 : 0);
	if (why)
		assert_non_null(strstr(err.text, why));
	else
		assert_string_equal(buf_cstr(&bed.out), after);
	err_clear(&err);
	bed_clear(&bed);
}

static void
test_env(void **state)
{
	(void)state;
	env_becomes("# U=http://localhost:8284\nexport U='http://localhost:"
	    "8284' # 127.0.0.1:8284\nK=\"a b\"\nV=http://127.0.0.1:8284",
	    "# U=http://localhost:8284\nexport U='http://localhost:"
	    "18283' # 127.0.0.1:8284\nK=\"a b\"\nV=http://127.0.0.1:8283",
	    NULL);
	env_becomes("U=http://localhost:8284\nW=${U}/v1\n",
	    "U=http://localhost:18283\nW=${U}/v1\n", NULL);
	env_becomes("P=8284\nU=http://localhost:${P}\n", "",
	    "h:.env:2: U names the old address");
	env_becomes("\xef\xbb\xbfU=http://localhost:8284\n", "", "h:.env:1:");
	assert_true(client_url_is_env("/a/.env"));
	assert_true(client_url_is_env("letta.env"));
	assert_true(client_url_is_env("/a/.env.local"));
	assert_false(client_url_is_env("/a/.bashrc"));
	assert_false(client_url_is_env("/.env/x"));
}

static void
test_shown(void **state)
{
	static const char text[] =
	    "hunter=2\n"
	    "export TOKEN=hunter2 LETTA_BASE_URL=\"http://localhost:8284/v1\""
	    "; hunter3\n"
	    "\tproxy_pass http://127.0.0.1:8284/hunter4;\n"
	    "  LETTA_BASE_URL: http://u:hunter5@localhost:8284 # hunter6\n"
	    "curl -d key=hunter7&u=http://localhost:8284,127.0.0.1:8284\n";
	struct bed bed;

	(void)state;
	bed_init(&bed);
	assert_int_equal(client_url_edit(text, strlen(text), &bed.urls,
	    &bed.out, &bed.record), 5);
	client_url_show("/f", text, strlen(text), buf_cstr(&bed.record),
	    &bed.shown);
	assert_string_equal(buf_cstr(&bed.shown),
	    "--- /f\n+++ /f\n@@ -2 +2 @@\n"
	    "-export *** LETTA_BASE_URL=\"http://localhost:8284/v1\"; ***\n"
	    "+export *** LETTA_BASE_URL=\"http://localhost:18283/v1\"; ***\n"
	    "@@ -3 +3 @@\n"
	    "-proxy_pass http://127.0.0.1:8284/***\n"
	    "+proxy_pass http://127.0.0.1:8283/***\n"
	    "@@ -4 +4 @@\n"
	    "-LETTA_BASE_URL: ***localhost:8284 ***\n"
	    "+LETTA_BASE_URL: ***localhost:18283 ***\n"
	    "@@ -5 +5 @@\n"
	    "-*** ***http://localhost:8284***127.0.0.1:8284\n"
	    "+*** ***http://localhost:18283***127.0.0.1:8283\n");
	assert_null(strstr(buf_cstr(&bed.shown), "hunter"));
	bed_clear(&bed);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_edited_since),
		cmocka_unit_test(test_stood_before),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_shown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
