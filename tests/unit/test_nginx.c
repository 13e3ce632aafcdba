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

static void
assert_golden(const struct nginx_edge *e, const char *shape)
{
	char name[64], generation[NGINX_GENERATION_SIZE], line[64];
	struct buf text, want, got = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;

	(void)snprintf(name, sizeof(name), "templates/nginx/%s.conf.in",
	    shape);
	read_file(name, &text);
	(void)snprintf(name, sizeof(name), "tests/golden/nginx/%s.conf",
	    shape);
	read_file(name, &want);
	if (nginx_render(e, shape, text.data, text.len, &got, generation,
	    &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(got.data, want.data);
	assert_int_equal(strlen(generation), 16);
	(void)snprintf(line, sizeof(line), "return 200 \"%s\\n\";",
	    generation);
	assert_non_null(strstr(got.data, line));
	buf_clear(&text);
	buf_clear(&want);
	buf_clear(&got);
}

static void
test_golden(void **state)
{
	struct nginx_edge e = without_certificate();

	(void)state;
	assert_golden(&e, "http");
	assert_golden(&edge, "tls");
}

static void
generation_of(const struct nginx_edge *e, const char *text,
    char generation[static NGINX_GENERATION_SIZE])
{
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	if (nginx_render(e, "t", text, strlen(text), &out, generation, &err)
	    != 0)
		fail_msg("%s", err.text);
	buf_clear(&out);
}

/* Every value, and the template, is in the generation. */
static void
test_generation(void **state)
{
	static const char text[] = "@{job} @{site} @{names} @{webroot} "
	    "@{ade_name} @{ade_port} @{upstream_port} @{certificate} "
	    "@{certificate_key} @{generation}\n";
	static const char other[] = "@{job} @{site} @{names} @{webroot} "
	    "@{ade_name} @{ade_port} @{upstream_port} @{certificate} "
	    "@{certificate_key} @{generation} \n";
	char ids[10][NGINX_GENERATION_SIZE];
	struct nginx_edge e[9];

	(void)state;
	for (size_t i = 0; i < 9; i++)
		e[i] = edge;
	e[1].job = "greenfield-2";
	e[2].site = "sanctum.example.com";
	e[3].ade_name = "ade.example.com";
	e[4].ade_port = 8284;
	e[5].upstream_port = 18284;
	e[6].webroot = "/var/lib/sanctumctl/acm";
	e[7].certificate = "/x";
	e[8].certificate_key = "/x";
	for (size_t i = 0; i < 9; i++)
		generation_of(&e[i], text, ids[i]);
	generation_of(&edge, other, ids[9]);
	for (size_t i = 0; i < 10; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	generation_of(&edge, text, ids[1]);
	assert_string_equal(ids[0], ids[1]);
}

/* nginx warns of a name that a server lists twice. */
static void
test_equal_names(void **state)
{
	static const char text[] = "@{job} @{site} @{webroot} @{generation}"
	    "<@{names}>";
	struct nginx_edge e = without_certificate();
	char generation[NGINX_GENERATION_SIZE];
	struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	e.ade_name = "Sanctum.Example.org";
	assert_int_equal(nginx_render(&e, "t", text, sizeof(text) - 1, &out,
	    generation, &err), 0);
	assert_non_null(strstr(out.data, "<sanctum.example.org>"));
	buf_clear(&out);
}

static void
assert_refused(const struct nginx_edge *e, enum err_kind kind,
    const char *what)
{
	char generation[NGINX_GENERATION_SIZE];
	struct buf text, out = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;

	read_file("templates/nginx/tls.conf.in", &text);
	assert_int_equal(nginx_render(e, "tls", text.data, text.len, &out,
	    generation, &err), -1);
	assert_int_equal(err.kind, kind);
	if (!strstr(err.text, what))
		fail_msg("%s", err.text);
	assert_int_equal(out.len, 0);
	buf_clear(&text);
	buf_clear(&out);
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
	assert_refused(&e, ERR_DATA, "ade_port is not a port");
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
	/* Phase 1 values do not fill the template of phase 2. */
	e = without_certificate();
	assert_refused(&e, ERR_DATA, "unknown name `upstream_port'");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_equal_names),
		cmocka_unit_test(test_refusals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
