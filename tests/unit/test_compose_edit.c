#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/compose_edit.h"

#define NEW "letta/letta:0.16.2"

/* What stands between two texts that must not change. */
static void
check(const char *before, const char *was, const char *now,
    const char *behind)
{
	struct buf text = BUF_INIT(65536), want = BUF_INIT(65536);
	struct buf out = BUF_INIT(65536), back = BUF_INIT(65536);
	struct compose_edit at;
	struct err err = ERR_INIT;
	char *raw;

	buf_printf(&text, "%s%s%s", before, was, behind);
	buf_printf(&want, "%s%s%s", before, now, behind);
	if (compose_edit_find("f", text.data, text.len, "letta", &at, &err)
	    != 0)
		fail_msg("%s", err.text);
	assert_string_equal(at.raw, was);
	raw = compose_edit_raw(&at, NEW);
	if (compose_edit_replace("f", text.data, text.len, "letta", raw,
	    &out, &err) != 0 || compose_edit_replace("f", out.data, out.len,
	    "letta", at.raw, &back, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_cstr(&out), buf_cstr(&want));
	assert_string_equal(buf_cstr(&back), buf_cstr(&text));
	free(raw);
	compose_edit_clear(&at);
	buf_clear(&back);
	buf_clear(&out);
	buf_clear(&want);
	buf_clear(&text);
}

static void
test_replaced(void **state)
{
	(void)state;
	check("services:\n  letta:\n    image: ", "letta/letta:0.11.3", NEW,
	    "\n");
	/* No line feed at the end; nothing behind the value. */
	check("services: {letta: {image: ", "letta/letta:0.11.3", NEW,
	    ", ports: [8283:8283]}}");
	check("services:\n  letta:\n    image:   ", "'letta/letta'",
	    "'" NEW "'", "   # the old one  \n    ports:\n      - 8283\n");
	check("services:\r\n\r\n  # \xe2\x82\xac und \xc3\xa4\r\n  \"letta\":"
	    "\r\n      \"image\" : ", "\"letta/letta:latest\"",
	    "\"" NEW "\"", " \r\n      environment:\r\n        A: \"b\"\r\n");
	/* A byte order mark, services in another order, names alike. */
	check("\xef\xbb\xbf# \xf0\x9f\x90\x98\nname: letta\nvolumes:\n  letta:"
	    "\n    image: no\nservices:\n db:\n  image: letta\n letta:\n  "
	    "labels:\n   image: x\n  image: ", "ghcr.io:443/letta:0.11.3",
	    NEW, "\n letta2:\n  image: letta/letta:0.11.3\n...\n");
	check("---\nx-all: &all\n  restart: always\nservices:\n  letta:\n"
	    "    <<: *all\n    image: ", "letta/letta:0.11.3", NEW,
	    "\n    command: |\n      image: letta/letta:0.1\n");
	check("services:\n  letta: &unused\n    image: ",
	    "letta/letta:${LETTA_VERSION:-latest}", NEW, "\t# ok\n");
	check("services:\n  letta:\n    image:\n        ",
	    "letta/letta@sha256:00", NEW, "\n\n\n");
	check("services:\n  letta:\n    extends: {file: a, service: b}\n"
	    "    image: ", "a", NEW, "\n");
}

static void
test_lines(void **state)
{
	static const char text[] = "services:\r\n  letta:\r\n    image: a:1\n";
	static const char flow[] = "services:\n letta: {x: 'é', image: 'a:1'}";
	struct compose_edit at;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(compose_edit_find("f", text, strlen(text), "letta",
	    &at, &err), 0);
	assert_int_equal(at.line, 3);
	assert_true(at.alone);
	assert_string_equal(at.image, "a:1");
	compose_edit_clear(&at);
	assert_int_equal(compose_edit_find("f", flow, strlen(flow), "letta",
	    &at, &err), 0);
	assert_int_equal(at.line, 2);
	assert_false(at.alone);
	assert_string_equal(at.raw, "'a:1'");
	assert_string_equal(at.image, "a:1");
	compose_edit_clear(&at);
}

/* Where it is refused, and of what the reason speaks. */
static const struct refused {
	const char *text, *where, *why;
} refused[] = {
	{ "services:\n  letta:\n    image: \"a\\eb\"\n", "f:3: ",
	    "control" },
	{ "", "f: ", "no `services'" },
	{ "- a\n", "f: ", "no `services'" },
	{ "services: [letta]\n", "f: ", "no `services'" },
	{ "services:\n  db:\n    image: a\n  web: {}\n", "f: ",
	    "it has db, web" },
	{ "include: [x.yaml]\nservices: {}\n", "f: ", "it includes" },
	{ "services:\n  letta:\n    build: .\n", "f:3: ", "is built here" },
	{ "services:\n  letta:\n    image: a:1\n    build: .\n", "f:4: ",
	    "is built here" },
	{ "services:\n  letta:\n    extends: {file: a, service: b}\n",
	    "f:3: ", "this extends" },
	{ "x: &x {image: a}\nservices:\n  letta:\n    <<: *x\n", "f:4: ",
	    "is merged" },
	{ "services:\n  letta:\n    ports: []\n", "f:2: ", "no `image:'" },
	{ "services:\n  letta: a\n", "f:2: ", "no mapping" },
	{ "services:\n  letta:\n    image: a\n    image: b\n", "f:4: ",
	    "same key again" },
	{ "services:\n  letta:\n    image: a\n  letta:\n    image: b\n",
	    "f:4: ", "same key again" },
	{ "services:\n  letta:\n    image: &i a\n", "f:3: ", "an anchor" },
	{ "services:\n  letta:\n    image: !!str a\n", "f:3: ", "a tag" },
	{ "x: &i a:1\nservices:\n  letta:\n    image: *i\n", "f:4: ",
	    "by an alias" },
	{ "services:\n  letta: &l\n    image: a:1\n  two:\n    <<: *l\n",
	    "f:2: ", "by an alias" },
	{ "x: &x {image: a}\nservices:\n  letta: *x\n", "f:3: ",
	    "by an alias" },
	{ "services:\n  letta:\n    image: a:1\n  two:\n    extends: letta\n",
	    "f:5: ", "extends the one" },
	{ "services:\n  letta:\n    image: a:1\n  two:\n    extends:\n"
	    "      service: letta\n", "f:5: ", "extends the one" },
	{ "services:\n  letta:\n    image: |\n      a:1\n", "f:3: ",
	    "more than one line" },
	{ "services:\n  letta:\n    image: a\n      b\n", "f:3: ",
	    "more than one line" },
	{ "services:\n  letta:\n    image:\n", "f:3: ", "is empty" },
	{ "services:\n  letta:\n    image: [a]\n", "f:3: ", "no text" },
	{ "services:\n  letta:\n    image: \"a\\0b\"\n", "f:3: ", "" },
	{ "services:\n\tletta:\n\t\timage: a\n", "f:2: ", "not YAML" },
	{ "services: {letta: {image: a}\n", "f:", "not YAML" },
	{ "services:\n  letta:\n    image: a\xff\n", "f:", "not YAML" },
	{ "services:\n  letta:\n    image: a\n---\nservices: {}\n", "f:5: ",
	    "second document" },
	{ "services:\n  letta:\n    image: a\n--- {\n", "f:", "not YAML" },
};

static void
test_depth(void **state)
{
	struct buf text = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct compose_edit at;

	(void)state;
	buf_str(&text, "services: {letta: {image: x, more: ");
	for (int i = 0; i < 2000; i++)
		buf_char(&text, '[');
	for (int i = 0; i < 2000; i++)
		buf_char(&text, ']');
	buf_str(&text, "}}\n");
	assert_int_equal(compose_edit_find("f", text.data, text.len, "letta",
	    &at, &err), -1);
	assert_non_null(strstr(err.text, "levels deep"));
	compose_edit_clear(&at);
	buf_clear(&text);
}

static void
test_refused(void **state)
{
	const struct refused *one;
	struct compose_edit at;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		one = &refused[i];
		err = (struct err)ERR_INIT;
		if (compose_edit_find("f", one->text, strlen(one->text),
		    "letta", &at, &err) == 0)
			fail_msg("taken: %s", one->text);
		if (!str_starts(err.text, one->where) ||
		    !strstr(err.text, one->why))
			fail_msg("%s: %s", one->text, err.text);
		compose_edit_clear(&at);
	}
}

static void
test_no_scalar(void **state)
{
	static const char text[] = "services:\n  letta:\n    image: a:1\n";
	static const char *const bad[] = { "a: b", "a #b", "*x", "a\nb", "",
	    "&x a", "'a", "[a" };
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(compose_edit_replace("f", text, strlen(text),
		    "letta", bad[i], &out, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		buf_clear(&out);
	}
}

static void
check_tagged(const char *image, const char *want)
{
	char *out = compose_edit_tagged(image, "0.16.2");

	assert_string_equal(out, want);
	free(out);
}

static void
test_tagged(void **state)
{
	(void)state;
	check_tagged("letta/letta:0.11.3", "letta/letta:0.16.2");
	check_tagged("letta/letta", "letta/letta:0.16.2");
	check_tagged("letta", "letta:0.16.2");
	check_tagged("reg:5000/letta", "reg:5000/letta:0.16.2");
	check_tagged("reg:5000/letta:1@sha256:ab", "reg:5000/letta:0.16.2");
	check_tagged("letta/letta@sha256:ab", "letta/letta:0.16.2");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_no_scalar),
		cmocka_unit_test(test_tagged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
