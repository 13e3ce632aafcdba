#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/nginx.h"

#define LIVE "/etc/letsencrypt/live/sanctum.example.org"

/*
 * The templates as shipped against tests/golden/nginx, whose files were
 * served by nginx 1.22.1 with its ports and certificate replaced.
 */
static const struct nginx_edge edge = {
	.job = "greenfield-1",
	.site = "sanctum.example.org",
	.ade_name = "ade.example.org",
	.ade_port = 8283,
	.upstream_port = 18283,
	.webroot = "/var/lib/sanctumctl/acme",
	.certificate = LIVE "/fullchain.pem",
	.certificate_key = LIVE "/privkey.pem",
};

static struct nginx_edge
without_certificate(void)
{
	struct nginx_edge e = edge;

	e.certificate = e.certificate_key = NULL;
	return e;
}

/* What an edge may have besides, on a host that has less. */
static struct nginx_edge
with_all(void)
{
	struct nginx_edge e = edge;

	e.cors = "https://app.letta.com http://localhost:3000";
	e.ade_allow = "192.0.2.0/24 2001:db8::/32 198.51.100.7";
	e.mcp = "sage:8100 otto:8101";
	e.static_root = "/srv/www";
	e.htpasswd = "/etc/nginx/sanctumctl-sanctum.example.org.htpasswd";
	e.ipv4_only = e.foreign_443 = true;
	return e;
}

static void
read_file(const char *name, struct buf *out)
{
	const char *top = getenv("srcdir");
	char path[PATH_MAX], chunk[4096];
	FILE *f;
	size_t n;

	buf_init(out, 64 * 1024);
	(void)snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s cannot be read", path);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	assert_int_equal(fclose(f), 0);
	assert_false(out->full);
}

/* The templates as shipped; their texts are the caller's to clear. */
struct set {
	struct nginx_template t[NGINX_TEMPLATES];
	struct buf texts[NGINX_TEMPLATES];
};

static void
set_load(struct set *set)
{
	char name[64];

	for (size_t i = 0; i < NGINX_TEMPLATES; i++) {
		(void)snprintf(name, sizeof(name), "templates/nginx/%s",
		    nginx_template_names[i]);
		read_file(name, &set->texts[i]);
		set->t[i] = (struct nginx_template){
			.path = nginx_template_names[i],
			.text = set->texts[i].data,
			.len = set->texts[i].len,
		};
	}
}

static void
set_clear(struct set *set)
{
	for (size_t i = 0; i < NGINX_TEMPLATES; i++)
		buf_clear(&set->texts[i]);
}

static void
assert_golden(const struct nginx_edge *e, const char *golden)
{
	char name[64], generation[NGINX_GENERATION_SIZE], line[64];
	struct buf want, got = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;
	struct set set;

	set_load(&set);
	(void)snprintf(name, sizeof(name), "tests/golden/nginx/%s", golden);
	read_file(name, &want);
	if (nginx_render(e, set.t, &got, generation, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(got.data, want.data);
	assert_int_equal(strlen(generation), 16);
	(void)snprintf(line, sizeof(line), "return 200 \"%s\\n\";",
	    generation);
	assert_non_null(strstr(got.data, line));
	buf_clear(&want);
	buf_clear(&got);
	set_clear(&set);
}

static void
test_golden(void **state)
{
	struct nginx_edge e = without_certificate(), all = with_all();

	(void)state;
	assert_golden(&e, "http.conf");
	assert_golden(&edge, "tls.conf");
	assert_golden(&all, "tls-all.conf");
}

static void
generation_of(const struct nginx_edge *e, const struct set *set,
    char generation[static NGINX_GENERATION_SIZE])
{
	struct buf out = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;

	if (nginx_render(e, set->t, &out, generation, &err) != 0)
		fail_msg("%s", err.text);
	buf_clear(&out);
}

#define VARIANTS 17

/* Every value, and the templates that have a part in it. */
static void
test_generation(void **state)
{
	char ids[VARIANTS + 1][NGINX_GENERATION_SIZE];
	struct nginx_edge e[VARIANTS];
	struct set set;

	(void)state;
	for (size_t i = 0; i < VARIANTS; i++)
		e[i] = with_all();
	e[1].job = "greenfield-2";
	e[2].site = "sanctum.example.com";
	e[3].ade_name = "ade.example.com";
	e[4].ade_port = 8284;
	e[5].upstream_port = 18284;
	e[6].webroot = "/var/lib/sanctumctl/acm";
	e[7].certificate = "/x";
	e[8].certificate_key = "/x";
	e[9].cors = "https://app.letta.com";
	e[10].ade_allow = NULL;
	e[11].mcp = "sage:8100";
	e[12].static_root = "/srv/ww";
	e[13].htpasswd = NULL;
	e[14].ipv4_only = false;
	e[15].foreign_443 = false;
	e[16].foreign_ade = true;
	set_load(&set);
	for (size_t i = 0; i < VARIANTS; i++)
		generation_of(&e[i], &set, ids[i]);
	set.t[NGINX_HEADERS].text = "# none\n";
	set.t[NGINX_HEADERS].len = 7;
	generation_of(&e[0], &set, ids[VARIANTS]);
	for (size_t i = 0; i <= VARIANTS; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	set_clear(&set);
	set_load(&set);
	generation_of(&e[0], &set, ids[1]);
	assert_string_equal(ids[0], ids[1]);
	set_clear(&set);
}

/* Two edges on one host share nginx's http context. */
static void
test_own_names(void **state)
{
	static const char *const kinds[] = { "map $", "upstream ", "shared:" };
	struct nginx_edge other = edge;
	struct buf out = BUF_INIT(64 * 1024);
	char generation[NGINX_GENERATION_SIZE], name[64];
	const char *at;
	struct err err = ERR_INIT;
	struct set set;

	(void)state;
	other.site = "other.example.org";
	set_load(&set);
	assert_int_equal(nginx_render(&edge, set.t, &out, generation, &err),
	    0);
	at = strstr(out.data, "upstream sanctum_");
	assert_non_null(at);
	(void)snprintf(name, sizeof(name), "%.16s", at + 9);
	buf_clear(&out);
	assert_int_equal(nginx_render(&other, set.t, &out, generation, &err),
	    0);
	assert_null(strstr(out.data, name));
	for (size_t i = 0; i < 3; i++)
		assert_non_null(strstr(out.data, kinds[i]));
	buf_clear(&out);
	set_clear(&set);
}

/* nginx warns of a name that a server lists twice. */
static void
test_equal_names(void **state)
{
	struct nginx_edge e = without_certificate();
	char generation[NGINX_GENERATION_SIZE];
	struct buf out = BUF_INIT(8192);
	struct err err = ERR_INIT;
	struct set set;

	(void)state;
	e.ade_name = "Sanctum.Example.org";
	set_load(&set);
	assert_int_equal(nginx_render(&e, set.t, &out, generation, &err), 0);
	assert_non_null(strstr(out.data,
	    "server_name sanctum.example.org;"));
	buf_clear(&out);
	set_clear(&set);
}

static void
assert_refused(const struct nginx_edge *e, enum err_kind kind,
    const char *what)
{
	char generation[NGINX_GENERATION_SIZE];
	struct buf out = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;
	struct set set;

	set_load(&set);
	assert_int_equal(nginx_render(e, set.t, &out, generation, &err), -1);
	assert_int_equal(err.kind, kind);
	if (!strstr(err.text, what))
		fail_msg("%s", err.text);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
	set_clear(&set);
}

static void
test_refusals(void **state)
{
	struct nginx_edge e = edge;

	(void)state;
	e.ade_port = 443;
	assert_refused(&e, ERR_USAGE, "port 443 is taken");
	e.ade_port = 80;
	assert_refused(&e, ERR_USAGE, "port 80 is taken");
	e.ade_port = e.upstream_port;
	assert_refused(&e, ERR_USAGE, "port 18283 is taken");
	e = edge;
	e.ade_port = 65536;
	assert_refused(&e, ERR_DATA, "port is not a port: `65536'");
	e = edge;
	e.upstream_port = 0;
	assert_refused(&e, ERR_DATA, "upstream_port is not a port");
	e = edge;
	e.certificate_key = NULL;
	assert_refused(&e, ERR_USAGE, "go together");
	e = edge;
	e.site = "a.example.org; include /etc/passwd";
	assert_refused(&e, ERR_DATA, "site is not a DNS name");
	e = edge;
	e.webroot = "/srv/$host";
	assert_refused(&e, ERR_DATA, "webroot is not an absolute path");
	e = edge;
	e.job = "a\nserver";
	assert_refused(&e, ERR_DATA, "job is not of letters");
}

/* No word of a list ends a directive, and none is lost. */
static void
test_refused_words(void **state)
{
	struct nginx_edge e = edge;

	(void)state;
	e.cors = "https://a.example.org *";
	assert_refused(&e, ERR_DATA, "origin is not an origin: `*'");
	e.cors = "https://a.example.org;";
	assert_refused(&e, ERR_DATA, "origin is not an origin");
	e = edge;
	e.ade_allow = "all";
	assert_refused(&e, ERR_DATA, "network is not an IP address");
	e.ade_allow = "192.0.2.0/33";
	assert_refused(&e, ERR_DATA, "network is not an IP address");
	e = edge;
	e.mcp = "sage";
	assert_refused(&e, ERR_DATA, "port is not a port");
	e.mcp = "a/../b:80";
	assert_refused(&e, ERR_DATA, "name is not of letters");
	e = edge;
	e.static_root = "/srv/a b";
	assert_refused(&e, ERR_DATA, "static is not an absolute path");
	e = edge;
	e.htpasswd = "relative";
	assert_refused(&e, ERR_DATA, "htpasswd is not an absolute path");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_own_names),
		cmocka_unit_test(test_equal_names),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refused_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
