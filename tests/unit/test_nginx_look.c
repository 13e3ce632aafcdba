#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/doctor.h"
#include "core/nginx_tree.h"
#include "core/nginx_look.h"

#define MAIN "# configuration file /etc/nginx/nginx.conf:\n"

static void
note(void *ctx, const struct doctor_finding *finding)
{
	buf_printf(ctx, "%s %s: %s\n", finding->trap->id, finding->where,
	    finding->evidence);
}

/* What is found in a configuration, a line each; the caller frees it. */
static char *
findings(const char *text)
{
	struct buf out = BUF_INIT(65536);
	struct doctor d = { .tell = note, .ctx = &out };
	struct nginx_look look = { .host = "node1", .doctor = &d,
	    .letta_ports = nginx_look_ports };
	struct nginx_tree *dump;
	struct err err = ERR_INIT;

	if (nginx_tree_read(text, strlen(text), &dump, &err) != 0)
		fail_msg("%s", err.text);
	look.dump = dump;
	nginx_look(&look);
	nginx_tree_free(dump);
	return out.len > 0 ? buf_take(&out) : mem_strdup("");
}

static void
expect(const char *text, const char *want)
{
	char *found = findings(text);

	if (!*want ? *found != '\0' : !strstr(found, want))
		fail_msg("`%s' in place of `%s'", found, want);
	free(found);
}

/* What good looks like; each bad one below takes a line of it away. */
#define PROTOCOLS "ssl_protocols TLSv1.2 TLSv1.3;\n"
#define DEFAULTS "server { listen 443 ssl default_server;\n" PROTOCOLS \
	"ssl_reject_handshake on; underscores_in_headers on; }\n"
#define SERVER "server { listen 443 ssl; server_name a.test b.test;\n" \
	PROTOCOLS "underscores_in_headers on; client_max_body_size 512m;\n" \
	"add_header X-A 1;\n"
#define PASS "proxy_pass http://letta;\n"
#define LOCATION "proxy_http_version 1.1; proxy_buffering off;\n" \
	"proxy_read_timeout 1h; proxy_set_header upgrade $http_upgrade;\n"
#define UPSTREAM "upstream letta { server 127.0.0.1:18283; }\n"
#define GOOD "http {" UPSTREAM DEFAULTS SERVER "location / {" PASS \
	LOCATION "} } }\n"

static void
test_a_good_one_is_quiet(void **state)
{
	(void)state;
	expect(MAIN GOOD, "");
	/* Not Letta's: nothing is asked of it. */
	expect(MAIN "http { server { location / { proxy_pass "
	    "http://127.0.0.1:3000; } } }", "");
}

static void
test_each_trap(void **state)
{
	(void)state;
	expect(MAIN "http {" UPSTREAM DEFAULTS SERVER
	    "location / {" PASS "} } }",
	    "nginx-buffering node1:/etc/nginx/nginx.conf:9: "
	    "proxy_buffering: nginx's default\n"
	    "nginx-http-version node1:/etc/nginx/nginx.conf:9: "
	    "proxy_http_version: nginx's default\n"
	    "nginx-read-timeout node1:/etc/nginx/nginx.conf:9: "
	    "proxy_read_timeout: nginx's default\n"
	    "nginx-upgrade");
	expect(MAIN "http { server { listen 443 ssl; " PROTOCOLS
	    "underscores_in_headers on; location / {" LOCATION
	    "proxy_pass http://localhost:8283/; } } }",
	    "nginx-body-size");
	expect(MAIN "http {" UPSTREAM "server { listen 80; location / {" PASS
	    LOCATION "} } }", "nginx-clear");
	expect(MAIN "http {" UPSTREAM "server { location / {" PASS
	    LOCATION "} } }", "nginx-clear");
	expect(MAIN "http {" UPSTREAM DEFAULTS SERVER "location / { "
	    "add_header X-B 2;" PASS LOCATION "} } }",
	    "nginx-headers-dropped node1:/etc/nginx/nginx.conf:9: X-A of");
	expect(MAIN "http {" UPSTREAM DEFAULTS SERVER "location / { "
	    "add_header X-A 2; add_header Access-Control-Allow-Origin '*'; "
	    "add_header Access-Control-Allow-Credentials \"true\";" PASS
	    LOCATION "} } }", "nginx-cors-star");
	expect(MAIN "http {" UPSTREAM "server { listen *:443 ssl "
	    "default_server; underscores_in_headers on; "
	    "ssl_reject_handshake on; }" SERVER "location / {" PASS LOCATION
	    "} } }", "nginx-tls13 node1:/etc/nginx/nginx.conf:2: ");
	expect(MAIN "http { ssl_protocols TLSv1 TLSv1.2 TLSv1.3;" UPSTREAM
	    "server { listen 443 ssl; location / {" PASS LOCATION "} } }",
	    "nginx-old-tls");
	expect(MAIN "http {" UPSTREAM SERVER "location / {" PASS LOCATION
	    "} } }", "nginx-unknown-name");
	expect(MAIN "http {" UPSTREAM "server { listen 443 ssl "
	    "default_server; " PROTOCOLS "ssl_reject_handshake on; }" SERVER
	    "location / {" PASS LOCATION "} } }", "nginx-underscores");
	expect(MAIN "http {" UPSTREAM DEFAULTS SERVER "location / {" PASS
	    LOCATION "} } server { listen 443 ssl; server_name b.test; } }",
	    "nginx-name-twice node1:/etc/nginx/nginx.conf:12: b.test at 443");
}

/* Files stand where their include is, and words are cut as nginx does. */
static void
test_includes_and_words(void **state)
{
	(void)state;
	expect(MAIN "http { include conf.d/*.conf; include none/*; }\n"
	    "# configuration file /etc/nginx/conf.d/a.conf:\n"
	    UPSTREAM "# proxy_pass { ;\n"
	    "map $a $b { default \"}{;\"; ~^x\\{2 ${c}d; }\n" DEFAULTS
	    "# configuration file /etc/nginx/conf.d/b.conf:\n"
	    SERVER "location / {" PASS LOCATION "} }\n", "");
	expect(MAIN "http { include conf.d/*.conf; proxy_buffering off; }\n"
	    "# configuration file /etc/nginx/conf.d/a.conf:\n\n"
	    "server { location / { proxy_pass http://[::1]:8283; } }\n",
	    "nginx-http-version node1:/etc/nginx/conf.d/a.conf:2: ");
}

static void
test_what_cannot_be_read(void **state)
{
	static const char *const texts[] = { "", "http {}", MAIN "http {",
	    MAIN "http", MAIN "a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{" };
	struct nginx_tree *dump;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(nginx_tree_read(texts[i], strlen(texts[i]),
		    &dump, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		err_clear(&err);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_one_is_quiet),
		cmocka_unit_test(test_each_trap),
		cmocka_unit_test(test_includes_and_words),
		cmocka_unit_test(test_what_cannot_be_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
