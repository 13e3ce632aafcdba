#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/agent_hand.h"
#include "flow/agent_order.h"
#include "flow/endpoint.h"
#include "io/fs.h"
#include "journal_bed.h"

#define AGENT "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"
#define URL "https://letta.example.org"

static const char job[] = "[job]\nkind = agent\nname = sage\n"
    "[letta cloud]\nurl = " URL "/\ntoken = env:HAND_TOKEN\n"
    "ca_file = /etc/ca.pem\nversion = 0.16.2\n"
    "[letta new]\nurl = http://127.0.0.1:8283\n"
    "[agent sage]\nfrom = cloud:" AGENT "\nto = new\n";

/* A file in the test's own directory; its path. */
static char *
put(void **state, const char *name, const char *text)
{
	const struct journal_bed *bed = *state;
	const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	char *path = mem_printf("%s/%s", bed->root, name);
	struct err err = ERR_INIT;

	OK(fs_replace(path, text, strlen(text), &meta, &err));
	return path;
}

static void
test_a_url_has_the_token_of_the_variable(void **state)
{
	struct err err = ERR_INIT;
	struct endpoint at;

	(void)state;
	assert_int_equal(unsetenv(ENDPOINT_TOKEN), 0);
	OK(endpoint_find(URL "/", &at, &err));
	assert_string_equal(at.url, URL);
	assert_null(at.token_ref);
	endpoint_clear(&at);
	assert_int_equal(setenv(ENDPOINT_TOKEN, "hush", 1), 0);
	OK(endpoint_find(URL, &at, &err));
	OK(endpoint_fetch(&at, 1, &err));
	assert_string_equal(secret_bytes(at.token), "hush");
	/* No program that we run inherits it. */
	assert_null(getenv(ENDPOINT_TOKEN));
	endpoint_clear(&at);
}

static void
test_a_section_of_a_job(void **state)
{
	char *path = put(state, "sage#1.conf", job);
	char *word = mem_printf("%s#cloud", path);
	char *wrong = mem_printf("%s#other", path);
	struct err err = ERR_INIT;
	struct endpoint at;

	OK(endpoint_find(word, &at, &err));
	assert_string_equal(at.name, "cloud");
	assert_string_equal(at.url, URL);
	assert_string_equal(at.token_ref, "env:HAND_TOKEN");
	assert_string_equal(at.ca_file, "/etc/ca.pem");
	assert_string_equal(at.version, "0.16.2");
	endpoint_clear(&at);
	FAILS(endpoint_find(wrong, &at, &err), ERR_USAGE,
	    "no section [letta other]");
	free(wrong);
	free(word);
	free(path);
}

static void
test_words_that_are_no_server(void **state)
{
	static const struct {
		const char *word, *why;
	} cases[] = {
		{ "letta.example.org", "is no server" },
		{ "#cloud", "is no server" },
		{ "job.conf#", "is no server" },
		{ "nowhere.conf#cloud", "nowhere.conf" },
		{ "ftp://letta.example.org", "the URL of the server" },
		{ URL "?x=1", "the URL of the server" },
		{ "https://me:hush@letta.example.org", "has a user" },
	};
	struct err err = ERR_INIT;
	struct endpoint at;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		FAILS(endpoint_find(cases[i].word, &at, &err), ERR_USAGE,
		    cases[i].why);
		assert_null(strstr(err.text, "hush"));
		assert_null(at.url);
	}
}

/* A token goes to the one server that it is for. */
static void
test_one_variable_for_two_servers(void **state)
{
	struct endpoint both[2] = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(setenv(ENDPOINT_TOKEN, "hush", 1), 0);
	OK(endpoint_find(URL, &both[0], &err));
	OK(endpoint_find("http://127.0.0.1:8283", &both[1], &err));
	FAILS(endpoint_fetch(both, 2, &err), ERR_USAGE, "two servers");
	assert_null(both[0].token);
	endpoint_clear(&both[1]);
	/* Two agents of one server. */
	OK(endpoint_find(URL, &both[1], &err));
	OK(endpoint_fetch(both, 2, &err));
	assert_string_equal(secret_bytes(both[1].token), "hush");
	endpoint_clear(&both[0]);
	endpoint_clear(&both[1]);
}

static void
test_places_to_compare(void **state)
{
	char *odd = put(state, "odd#name.af", "");
	const char *four[] = { URL, AGENT, "job#new", AGENT };
	const char *mixed[] = { odd, URL, AGENT };
	const char *paths[] = { "dir", "file.af" };
	struct agent_place p[2];
	struct err err = ERR_INIT;

	OK(agent_places(four, 4, p, &err));
	assert_string_equal(p[0].server, URL);
	assert_string_equal(p[1].server, "job#new");
	assert_string_equal(p[1].id, AGENT);
	OK(agent_places(mixed, 3, p, &err));
	assert_string_equal(p[0].path, odd);
	assert_string_equal(p[1].server, URL);
	OK(agent_places(paths, 2, p, &err));
	assert_string_equal(p[0].path, "dir");
	assert_null(p[1].server);
	FAILS(agent_places(four, 3, p, &err), ERR_USAGE, "usage");
	FAILS(agent_places(paths, 1, p, &err), ERR_USAGE, "usage");
	FAILS(agent_places(mixed, 2, p, &err), ERR_USAGE, "usage");
	four[1] = "sage";
	FAILS(agent_places(four, 4, p, &err), ERR_USAGE, "agent list");
	paths[1] = "x";
	FAILS(agent_places((const char *const[]){ "a", "b", "c" }, 3, p,
	    &err), ERR_USAGE, "one word too many");
	free(odd);
}

static void
test_the_name_of_an_order(void **state)
{
	const char *const one[] = { "a", "b", NULL };
	const char *const two[] = { "ab", "", NULL };
	struct err err = ERR_INIT;
	char *x, *y;

	(void)state;
	OK(agent_order_name("import", one, &x, &err));
	OK(agent_order_name("import", one, &y, &err));
	assert_string_equal(x, y);
	assert_int_equal(strlen(x), strlen("import-") + 12);
	free(y);
	OK(agent_order_name("import", two, &y, &err));
	assert_string_not_equal(x, y);
	free(y);
	free(x);
}

static char *
text_of(const char *path)
{
	struct buf text = BUF_INIT(65536);
	struct err err = ERR_INIT;

	OK(fs_read(path, &text, NULL, &err));
	return buf_take(&text);
}

static void
test_the_job_of_an_import(void **state)
{
	const struct journal_bed *bed = *state;
	char *file = put(state, "Sage of old.af", "{}"), *path, *again, *text;
	struct agent_order order = {
		.path = file, .server = "http://127.0.0.1:8283",
		.tools = "keep", .state_dir = bed->root,
	};
	struct err err = ERR_INIT;
	struct conf *conf;

	assert_int_equal(setenv(ENDPOINT_TOKEN, "hush", 1), 0);
	OK(agent_order_job(&order, &path, &err));
	text = text_of(path);
	assert_null(strstr(text, "hush"));
	OK(conf_parse(path, text, strlen(text), &conf, &err));
	assert_string_equal(conf->agents[0].name, "Sage-of-old");
	assert_string_equal(conf->agents[0].bundle, file);
	assert_null(conf->agents[0].target_name);
	assert_int_equal(conf->agents[0].tools, CONF_TOOLS_KEEP);
	assert_string_equal(conf->agents[0].to->url, "http://127.0.0.1:8283");
	assert_string_equal(conf->agents[0].to->token.ref,
	    "env:" ENDPOINT_TOKEN);
	conf_free(conf);
	free(text);
	/* The same order is the same job, another name another one. */
	order.tools = NULL;
	OK(agent_order_job(&order, &again, &err));
	assert_string_equal(again, path);
	free(again);
	order.name = "Other";
	OK(agent_order_job(&order, &again, &err));
	assert_string_not_equal(again, path);
	free(again);
	free(path);
	/* So is the same path with another content. */
	order.name = NULL;
	free(put(state, "Sage of old.af", "{ }"));
	OK(agent_order_job(&order, &again, &err));
	free(again);
	free(file);
}

static void
test_orders_that_no_job_can_hold(void **state)
{
	const struct journal_bed *bed = *state;
	char *odd = put(state, "a ; b.af", "{}");
	char *plain = put(state, "plain.af", "{}");
	struct agent_order order = {
		.path = odd, .server = URL, .state_dir = bed->root,
	};
	struct err err = ERR_INIT;
	char *path;

	FAILS(agent_order_job(&order, &path, &err), ERR_USAGE, "");
	order.path = "/nowhere.af";
	FAILS(agent_order_job(&order, &path, &err), ERR_MISSING, "nowhere");
	order.path = plain;
	order.tools = "burn";
	FAILS(agent_order_job(&order, &path, &err), ERR_USAGE, "tools");
	order.tools = NULL;
	order.name = "a\n[letta other]";
	FAILS(agent_order_job(&order, &path, &err), ERR_USAGE, "");
	order.name = "AI/ML Expert";
	FAILS(agent_order_job(&order, &path, &err), ERR_USAGE, "name");
	order.name = NULL;
	order.server = "https://me:hush@letta.example.org";
	FAILS(agent_order_job(&order, &path, &err), ERR_USAGE, "a user");
	free(plain);
	free(odd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_a_url_has_the_token_of_the_variable),
		TEST(test_a_section_of_a_job),
		TEST(test_words_that_are_no_server),
		TEST(test_one_variable_for_two_servers),
		TEST(test_places_to_compare),
		TEST(test_the_name_of_an_order),
		TEST(test_the_job_of_an_import),
		TEST(test_orders_that_no_job_can_hold),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
