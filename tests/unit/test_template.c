#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/template.h"

static const struct template_value two[] = {
	{ "site", TEMPLATE_HOSTNAME, "a.example.org" },
	{ "port", TEMPLATE_PORT, "8283" },
};

static void
test_fill(void **state)
{
	static const char text[] = "x @ @@{site}@ $@ {@{port}} @\n"
	    "@{site}:@{port}@";
	struct buf out = BUF_INIT(256);
	struct err err = ERR_INIT;

	(void)state;
	buf_str(&out, "before|");
	assert_int_equal(template_fill("t", text, sizeof(text) - 1, two, 2,
	    &out, &err), 0);
	assert_string_equal(out.data, "before|x @ @a.example.org@ $@ {8283} "
	    "@\na.example.org:8283@");
	buf_clear(&out);
	assert_int_equal(template_fill("t", "", 0, NULL, 0, &out, &err), 0);
	assert_int_equal(out.len, 0);
	buf_clear(&out);
}

static const struct {
	const char *text;
	const char *why;
} bad_texts[] = {
	{ "@{site} @{port}\nx @{sit}", "t:2:3: unknown name `sit' (did you "
	    "mean `site'?)" },
	{ "@{site} @{port} @{}", "t:1:17: unknown name `'" },
	{ "@{site} @{port} @{a\033b}", "t:1:17: unknown name `a\\x1bb'" },
	{ "@{site} @{port} @{SITE}", "t:1:17: unknown name `SITE'" },
	{ "@{site} @{port} @{site", "t:1:17: `@{' without `}' after at most "
	    "64 bytes of a name" },
	{ "@{site} @{port} @{site\n}", "t:1:17: `@{' without `}' after at "
	    "most 64 bytes of a name" },
	{ "@{site} @{port} @{", "t:1:17: `@{' without `}' after at most 64 "
	    "bytes of a name" },
	{ "@{site} @{port} "
	    "@{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaa}", "t:1:17: `@{' without `}' after at most 64 bytes of a "
	    "name" },
	{ "@{site} @{port} "
	    "@{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "}", "t:1:17: unknown name `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaa'" },
	{ "@{site}", "t: the template does not use `port'" },
	{ "@{site} @{port} \xff", "t: larger than 262144 bytes, or not "
	    "UTF-8" },
};

static void
test_bad_texts(void **state)
{
	struct buf out = BUF_INIT(256);

	(void)state;
	buf_str(&out, "before");
	for (size_t i = 0; i < sizeof(bad_texts) / sizeof(bad_texts[0]);
	    i++) {
		struct err err = ERR_INIT;

		assert_int_equal(template_fill("t", bad_texts[i].text,
		    strlen(bad_texts[i].text), two, 2, &out, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		assert_string_equal(err.text, bad_texts[i].why);
		assert_string_equal(out.data, "before");
	}
	buf_clear(&out);
}

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	enum template_type type;
	bool ok;
	const char *value;
} typed[] = {
	{ TEMPLATE_HOSTNAME, true, "localhost" },
	{ TEMPLATE_HOSTNAME, true, "3com.example.org" },
	{ TEMPLATE_HOSTNAME, true, "xn--caf-dma.example.org" },
	{ TEMPLATE_HOSTNAME, true, L63 "." L63 "." L63 ".example" },
	{ TEMPLATE_HOSTNAME, false, L63 "a.example" },
	{ TEMPLATE_HOSTNAME, false, L63 "." L63 "." L63 "." L63 },
	{ TEMPLATE_HOSTNAME, false, "" },
	{ TEMPLATE_HOSTNAME, false, "." },
	{ TEMPLATE_HOSTNAME, false, "a..b" },
	{ TEMPLATE_HOSTNAME, false, "a.example.org." },
	{ TEMPLATE_HOSTNAME, false, "-a.example.org" },
	{ TEMPLATE_HOSTNAME, false, "a-.example.org" },
	{ TEMPLATE_HOSTNAME, false, "*.example.org" },
	{ TEMPLATE_HOSTNAME, false, "127.0.0.1" },
	{ TEMPLATE_HOSTNAME, false, "a_b.example.org" },
	{ TEMPLATE_HOSTNAME, false, "a.example.org;" },
	{ TEMPLATE_HOSTNAME, false, "a b" },
	{ TEMPLATE_HOSTNAME, false, "caf\xc3\xa9.example.org" },
	{ TEMPLATE_HOSTNAMES, true, "a.example.org" },
	{ TEMPLATE_HOSTNAMES, true, "a.example.org b.example.org" },
	{ TEMPLATE_HOSTNAMES, false, "a.example.org  b.example.org" },
	{ TEMPLATE_HOSTNAMES, false, "a.example.org " },
	{ TEMPLATE_HOSTNAMES, false, "a.example.org b;c" },
	{ TEMPLATE_PORT, true, "1" },
	{ TEMPLATE_PORT, true, "65535" },
	{ TEMPLATE_PORT, false, "65536" },
	{ TEMPLATE_PORT, false, "0" },
	{ TEMPLATE_PORT, false, "080" },
	{ TEMPLATE_PORT, false, "-1" },
	{ TEMPLATE_PORT, false, "" },
	{ TEMPLATE_PATH, true, "/" },
	{ TEMPLATE_PATH, true, "/etc/letsencrypt/live/a.example.org/x.pem" },
	{ TEMPLATE_PATH, true, "/a..b/..c" },
	{ TEMPLATE_PATH, false, "" },
	{ TEMPLATE_PATH, false, "etc" },
	{ TEMPLATE_PATH, false, "/a/../b" },
	{ TEMPLATE_PATH, false, "/a/.." },
	{ TEMPLATE_PATH, false, "/a b" },
	{ TEMPLATE_PATH, false, "/a;b" },
	{ TEMPLATE_PATH, false, "/a{b" },
	{ TEMPLATE_PATH, false, "/a}b" },
	{ TEMPLATE_PATH, false, "/a$b" },
	{ TEMPLATE_PATH, false, "/a\"b" },
	{ TEMPLATE_PATH, false, "/a'b" },
	{ TEMPLATE_PATH, false, "/a\\b" },
	{ TEMPLATE_PATH, false, "/a#b" },
	{ TEMPLATE_PATH, false, "/a&b" },
	{ TEMPLATE_PATH, false, "/a|b" },
	{ TEMPLATE_PATH, false, "/a>b" },
	{ TEMPLATE_PATH, false, "/a(b" },
	{ TEMPLATE_PATH, false, "/a%b" },
	{ TEMPLATE_PATH, true, "/a/*.log" },
	{ TEMPLATE_PATH, false, "/a\nb" },
	{ TEMPLATE_PATH, false, "/a\x7f" "b" },
	{ TEMPLATE_PATH, false, "/caf\xc3\xa9" },
	{ TEMPLATE_TOKEN, true, "greenfield-1_a.b" },
	{ TEMPLATE_TOKEN, false, "" },
	{ TEMPLATE_TOKEN, false, "a b" },
	{ TEMPLATE_TOKEN, false, "a/b" },
	{ TEMPLATE_TOKEN, false, "a\n" },
	{ TEMPLATE_ORIGIN, true, "https://app.letta.com" },
	{ TEMPLATE_ORIGIN, true, "http://localhost:3000" },
	{ TEMPLATE_ORIGIN, true, "http://[::1]:3000" },
	{ TEMPLATE_ORIGIN, false, "*" },
	{ TEMPLATE_ORIGIN, false, "null" },
	{ TEMPLATE_ORIGIN, false, "https://" },
	{ TEMPLATE_ORIGIN, false, "https://A.example.org" },
	{ TEMPLATE_ORIGIN, false, "https://a.example.org/" },
	{ TEMPLATE_ORIGIN, false, "https://a.example.org;" },
	{ TEMPLATE_ORIGIN, false, "~https://a" },
	{ TEMPLATE_NETWORK, true, "192.0.2.1" },
	{ TEMPLATE_NETWORK, true, "192.0.2.0/24" },
	{ TEMPLATE_NETWORK, true, "2001:db8::/32" },
	{ TEMPLATE_NETWORK, false, "192.0.2.0/33" },
	{ TEMPLATE_NETWORK, false, "2001:db8::/129" },
	{ TEMPLATE_NETWORK, false, "all" },
	{ TEMPLATE_NETWORK, false, "192.0.2.0/24;" },
	{ TEMPLATE_NETWORK, false, "" },
	{ TEMPLATE_BLOCK, true, "a;\nb { }" },
};

static const struct {
	const char *text;
	const char *lines;
	const char *want;
} blocks[] = {
	{ "{\n\t@{b}\n}\n", "a;\nb;\n", "{\n\ta;\n\tb;\n}\n" },
	{ "{\n\t@{b}\n}\n", "a {\n\tb;\n\n}\n",
	    "{\n\ta {\n\t\tb;\n\n\t}\n}\n" },
	{ "@{b}\n", "a;", "a;\n" },
	/* Not alone on its line. */
	{ "\tlisten 1@{b};\n", " ssl", "\tlisten 1 ssl;\n" },
	{ "x @{b}\n", "a;\nb;\n", "x a;\nb;\n\n" },
	/* An empty one takes its line along. */
	{ "{\n\t@{b}\n}\n", "", "{\n}\n" },
	{ "a;\n\n\t@{b}\n\nc;\n", "", "a;\n\nc;\n" },
	{ "a;\n\t@{b}\n\nc;\n", "", "a;\n\nc;\n" },
	{ "listen 1@{b};\n", "", "listen 1;\n" },
	/* What is in it is not looked at again. */
	{ "\t@{b}\n", "@{b}\n", "\t@{b}\n" },
};

static void
test_blocks(void **state)
{
	struct buf out = BUF_INIT(1024);

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		struct template_value v = { "b", TEMPLATE_BLOCK,
		    blocks[i].lines };
		struct err err = ERR_INIT;

		assert_int_equal(template_fill("t", blocks[i].text,
		    strlen(blocks[i].text), &v, 1, &out, &err), 0);
		assert_string_equal(buf_cstr(&out), blocks[i].want);
		buf_clear(&out);
	}
}

static void
test_types(void **state)
{
	struct buf out = BUF_INIT(1024);

	(void)state;
	for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
		struct template_value v = { "v", typed[i].type,
		    typed[i].value };
		struct err err = ERR_INIT;
		int rc;

		rc = template_fill("t", "@{v}", 4, &v, 1, &out, &err);
		if ((rc == 0) != typed[i].ok)
			fail_msg("type %d, `%s': %s", typed[i].type,
			    typed[i].value, rc == 0 ? "taken" : err.text);
		if (rc == 0)
			assert_string_equal(out.data, typed[i].value);
		buf_clear(&out);
	}
}

/* A message shows a hostile value harmless and bounded. */
static void
test_messages(void **state)
{
	char value[4096];
	struct template_value v = { "v", TEMPLATE_TOKEN, "a\033[2J" };
	struct buf out = BUF_INIT(16), small = BUF_INIT(3);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(template_fill("t", "@{v}", 4, &v, 1, &out, &err),
	    -1);
	assert_string_equal(err.text, "t: v is not of letters, digits and "
	    ". _ -: `a\\x1b[2J'");
	memset(value, '/', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	v.value = value;
	assert_int_equal(template_fill("t", "@{v}", 4, &v, 1, &out, &err),
	    -1);
	assert_non_null(strstr(err.text, "(cut)"));
	v.value = "abcd";
	assert_int_equal(template_fill("t", "@{v}", 4, &v, 1, &small, &err),
	    -1);
	assert_non_null(strstr(err.text, "larger than 3 bytes"));
	buf_clear(&out);
	buf_clear(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_bad_texts),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_messages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
