#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/nginx_dump.h"
#include "core/nginx_scratch.h"

#define OWN "/etc/nginx/conf.d/sanctumctl-a.example.org.conf"
#define FILE_OF(path) "# configuration file " path ":\n"
#define MAIN FILE_OF("/etc/nginx/nginx.conf") "user www-data;\n" \
    "http {\n\tinclude /etc/nginx/conf.d/*.conf;\n}\n\n"
#define OTHER FILE_OF("/etc/nginx/sites-enabled/other")

static const struct nginx_edge edge = {
	.site = "a.example.org",
	.ade_name = "ade.example.org",
	.ade_port = 8283,
};

static struct nginx_dump
read_dump(const char *text)
{
	struct nginx_dump out;

	nginx_dump_read(text, strlen(text), OWN, &edge, &out);
	return out;
}

static void
test_files_and_group(void **state)
{
	struct nginx_dump d;

	(void)state;
	d = read_dump(MAIN OTHER "# nothing\n" FILE_OF(OWN) "# ours\n");
	assert_int_equal(d.n_foreign, 2);
	assert_string_equal(d.group, "www-data");
	d = read_dump(FILE_OF("/n") "user web staff;\n");
	assert_string_equal(d.group, "staff");
	d = read_dump("");
	assert_int_equal(d.n_foreign, 0);
	assert_string_equal(d.group, "");
}

/* What each server block says of the ports of the edge. */
static const struct {
	const char *server;
	const char *default_443, *nameless_443, *default_ade, *same_name;
} servers[] = {
	{ "listen 443 ssl default_server; server_name b;", "2", "", "", "" },
	{ "listen [::]:443 default_server; server_name b;", "2", "", "", "" },
	{ "listen *:443 ssl default; server_name _;", "2", "", "", "" },
	{ "listen 443 ssl; server_name b.example.org;", "", "", "", "" },
	{ "listen 443 ssl;", "", "2", "", "" },
	{ "listen 443 ssl; server_name _ \"\";", "", "2", "", "" },
	{ "listen 192.0.2.1:443 ssl default_server;", "", "", "", "" },
	{ "listen 8283 default_server;", "", "", "2", "" },
	{ "listen 80 default_server; server_name _;", "", "", "", "" },
	{ "listen 443; server_name b A.Example.org;", "", "", "", "2" },
	{ "server_name ade.example.org;", "", "", "", "2" },
	{ "listen unix:/run/x.sock; server_name a.example.org;", "", "", "",
	    "" },
	{ "listen 8080; server_name a.example.org;", "", "", "", "" },
	{ "# listen 443 default_server;\n\tlisten 443;", "", "2", "", "" },
	{ "return 200 'listen 443 default_server; }';\n"
	    "\tlisten 8080; server_name \"b\";", "", "", "", "" },
	{ "location / { set $x \"${y}{\"; listen 443; }\n"
	    "\tlisten 8080; server_name b;", "", "", "", "" },
};

static void
assert_place(const char *got, const char *line, size_t i)
{
	char want[128] = "";

	if (*line)
		(void)snprintf(want, sizeof(want),
		    "/etc/nginx/sites-enabled/other:%s", line);
	if (strcmp(got, want) != 0)
		fail_msg("server %zu: `%s', not `%s'", i, got, want);
}

static void
test_servers(void **state)
{
	char text[1024];
	struct nginx_dump d;

	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		(void)snprintf(text, sizeof(text), MAIN OTHER
		    "# a head\nserver {\n\t%s\n}\n", servers[i].server);
		d = read_dump(text);
		assert_place(d.default_443, servers[i].default_443, i);
		assert_place(d.nameless_443, servers[i].nameless_443, i);
		assert_place(d.default_ade, servers[i].default_ade, i);
		assert_place(d.same_name, servers[i].same_name, i);
	}
}

static void
test_own_and_first(void **state)
{
	struct nginx_dump d;

	(void)state;
	/* Ours is not foreign; of several the first is told. */
	d = read_dump(MAIN FILE_OF(OWN) "server { listen 443 default_server; "
	    "server_name a.example.org; }\n");
	assert_string_equal(d.default_443, "");
	assert_string_equal(d.same_name, "");
	d = read_dump(MAIN OTHER "\n\nserver { listen 443; }\n"
	    "server { listen 443; }\n");
	assert_string_equal(d.nameless_443,
	    "/etc/nginx/sites-enabled/other:3");
	/* An upstream's `server' is no block. */
	d = read_dump(MAIN OTHER "upstream u { server 127.0.0.1:443; }\n");
	assert_string_equal(d.nameless_443, "");
	/* Text that ends in the middle of anything. */
	d = read_dump(MAIN OTHER "server { listen 443 'x");
	assert_string_equal(d.default_443, "");
	d = read_dump(MAIN OTHER "} } server { listen \\");
	assert_string_equal(d.default_443, "");
}

/* One file in the place of another, and all else as it was. */
static void
test_scratch(void **state)
{
	static const char text[] = FILE_OF("/etc/nginx/nginx.conf")
	    "http {\n\tinclude mime.types;\n\tinclude conf.d/*.conf;\n"
	    "\tinclude sites-enabled/*; # last\n}\n\n"
	    FILE_OF("/etc/nginx/mime.types") "types { }\n"
	    FILE_OF("/etc/nginx/conf.d/a.conf") "# a\n" FILE_OF(OWN) "# ours\n"
	    FILE_OF("/etc/nginx/conf.d/z.conf") "# z\n" OTHER "# other\n";
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	char *path = NULL;

	(void)state;
	assert_int_equal(nginx_scratch(text, sizeof(text) - 1, OWN,
	    "/etc/nginx/new", &out, &path, &err), 0);
	assert_string_equal(path, "/etc/nginx/nginx.conf");
	assert_string_equal(buf_cstr(&out),
	    "http {\n\tinclude mime.types;\n"
	    "\tinclude /etc/nginx/conf.d/a.conf;\n"
	    "\tinclude /etc/nginx/conf.d/z.conf;\n"
	    "\tinclude /etc/nginx/new;\n"
	    "\tinclude sites-enabled/*; # last\n}\n\n");
	free(path);
	buf_clear(&out);
}

static void
test_scratch_that_nginx_would_not_read(void **state)
{
	static const char text[] = FILE_OF("/etc/nginx/nginx.conf")
	    "http {\n\tinclude /etc/nginx/sites-enabled/*;\n}\n";
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	char *path = NULL;

	(void)state;
	assert_int_equal(nginx_scratch(text, sizeof(text) - 1, OWN, "/x",
	    &out, &path, &err), -1);
	assert_non_null(strstr(err.text, "/etc/nginx/nginx.conf includes "
	    "nothing that would take in " OWN));
	free(path);
	path = NULL;
	assert_int_equal(nginx_scratch("", 0, OWN, "/x", &out, &path, &err),
	    -1);
	free(path);
	buf_clear(&out);
}

/* A file may hold any byte, and the end is reached all the same. */
static void
test_a_nul_is_a_blank(void **state)
{
	static const char text[] = "# configuration file /etc/nginx/x.conf:\n"
	    "\0server {\0\0listen\0" "443 default_server;a\0 }\n\0";
	struct nginx_dump d;

	(void)state;
	(void)alarm(10);
	nginx_dump_read(text, sizeof(text) - 1, OWN, &edge, &d);
	(void)alarm(0);
	assert_string_equal(d.default_443, "/etc/nginx/x.conf:1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_and_group),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_a_nul_is_a_blank),
		cmocka_unit_test(test_own_and_first),
		cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_scratch_that_nginx_would_not_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
