#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/dotenv_parse.h"
#include "core/env_dialect.h"
#include "core/jdoc.h"

/*
 * tests/golden/dotenv-cases.json holds what python-dotenv 1.0.0 made of 68
 * files.  Below it: editing and masking, which python-dotenv does not do so.
 */
#define CASES 68

static struct jdoc *
read_cases(void)
{
	const char *top = getenv("srcdir");
	struct buf text = BUF_INIT(1024 * 1024);
	struct err err = ERR_INIT;
	struct jdoc *cases;
	char path[PATH_MAX], chunk[4096];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/tests/golden/dotenv-cases.json",
	    top ? top : ".");
	f = fopen(path, "re");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	assert_int_equal(fclose(f), 0);
	cases = jdoc_parse(text.data, text.len, &err);
	if (!cases)
		fail_msg("%s: %s", path, err.text);
	buf_clear(&text);
	return cases;
}

static const char *
case_env(void *ctx, const char *name)
{
	return jdoc_get_str(ctx, name);
}

/* want is a string, or null: found says which kind of nothing. */
static void
assert_got(const char *name, const struct jdoc *want, int rc,
    enum dotenv_found found, const struct buf *got)
{
	if (rc != 0)
		fail_msg("%s: dotenv_get failed", name);
	if (jdoc_type(want) == JDOC_NULL) {
		if (found == DOTENV_VALUE || got->len > 0)
			fail_msg("%s: a value where there is none", name);
	} else if (found != DOTENV_VALUE ||
	    got->len != jdoc_str_len(want) ||
	    memcmp(buf_cstr(got), jdoc_str(want), got->len) != 0)
		fail_msg("%s: got \"%s\", not \"%s\"", name, buf_cstr(got),
		    jdoc_str(want));
}

static void
check_parsed(const struct jdoc *c, const char *name)
{
	const struct jdoc *input = jdoc_get(c, "input");
	enum dotenv_found found;
	struct buf got = BUF_INIT(4096);
	struct err err = ERR_INIT;
	int rc;

	rc = dotenv_get(jdoc_str(input), jdoc_str_len(input),
	    jdoc_get_str(c, "key"), NULL, &got, &found, &err);
	assert_got(name, jdoc_get(c, "expected_value_parsed"), rc, found,
	    &got);
	if (jdoc_bool(jdoc_get(c, "present")) != (found != DOTENV_ABSENT))
		fail_msg("%s: wrong about presence", name);
	buf_clear(&got);
}

static void
check_environ(struct jdoc *c, const char *name)
{
	const struct jdoc *input = jdoc_get(c, "input");
	const struct jdoc *want = jdoc_get(c, "environ_after_load_dotenv");
	struct dotenv_env env = { case_env, jdoc_edit(c, "env_before") };
	enum dotenv_found found = DOTENV_ABSENT;
	struct buf got = BUF_INIT(4096);
	struct err err = ERR_INIT;
	int rc;

	rc = dotenv_get(jdoc_str(input), jdoc_str_len(input),
	    jdoc_get_str(c, "key"), &env, &got, &found, &err);
	if (jdoc_str(want) && str_starts(jdoc_str(want), "EXC ")) {
		if (rc == 0)
			fail_msg("%s: load_dotenv raises", name);
		assert_int_equal(err.kind, ERR_DATA);
	} else
		assert_got(name, want, rc, found, &got);
	buf_clear(&got);
}

/* The last entry of the key without ${}, and all keys in order. */
static void
check_entries(const struct jdoc *c, const char *name)
{
	const struct jdoc *input = jdoc_get(c, "input");
	const struct jdoc *keys = jdoc_get(c, "all_keys"), *key;
	const char *text = jdoc_str(input);
	struct buf raw = BUF_INIT(4096);
	struct dotenv_parse p;
	struct dotenv_entry e;
	bool has_value = false, again;
	size_t n = 0;

	dotenv_parse_init(&p, text, jdoc_str_len(input));
	while (dotenv_parse_next(&p, &e)) {
		if (e.kind != DOTENV_ASSIGNMENT)
			continue;
		key = jdoc_at(keys, n);
		again = n > 0 && dotenv_parse_is_key(&e,
		    jdoc_str(jdoc_at(keys, n - 1)));
		if (!again && (!key ||
		    !dotenv_parse_is_key(&e, jdoc_str(key))))
			fail_msg("%s: key %zu is another", name, n);
		n += !again;
		if (!dotenv_parse_is_key(&e, jdoc_get_str(c, "key")))
			continue;
		has_value = e.has_value;
		buf_truncate(&raw, 0);
		if (has_value)
			dotenv_parse_value(text, &e, &raw);
	}
	if (n != jdoc_len(keys))
		fail_msg("%s: %zu keys", name, n);
	assert_got(name, jdoc_get(c, "raw_no_interpolation"), 0,
	    has_value ? DOTENV_VALUE : DOTENV_NO_VALUE, &raw);
	buf_clear(&raw);
}

static void
test_python_cases(void **state)
{
	struct jdoc *cases = read_cases(), *c;
	const char *name;

	(void)state;
	assert_int_equal(jdoc_len(cases), CASES);
	for (size_t i = 0; i < CASES; i++) {
		c = jdoc_edit_at(cases, i);
		name = jdoc_get_str(c, "name");
		check_parsed(c, name);
		check_environ(c, name);
		check_entries(c, name);
	}
	jdoc_free(cases);
}

/* Every case whose file can be edited: set, and everything else stays. */
static void
test_set_python_cases(void **state)
{
	struct jdoc *cases = read_cases();
	size_t refused = 0;

	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct jdoc *c = jdoc_at(cases, i);
		const struct jdoc *input = jdoc_get(c, "input");
		const char *key = jdoc_get_str(c, "key");
		struct buf text = BUF_INIT(4096), got = BUF_INIT(4096);
		enum dotenv_found found;
		struct err err = ERR_INIT;

		buf_add(&text, jdoc_str(input), jdoc_str_len(input));
		if (dotenv_set(&text, ".env", key, "agent-2", NULL,
		    &err) != 0) {
			refused++;
			assert_int_equal(text.len, jdoc_str_len(input));
			assert_memory_equal(text.data, jdoc_str(input),
			    text.len);
		} else {
			assert_int_equal(dotenv_get(text.data, text.len, key,
			    NULL, &got, &found, &err), 0);
			assert_int_equal(found, DOTENV_VALUE);
			assert_string_equal(buf_cstr(&got), "agent-2");
		}
		buf_clear(&text);
		buf_clear(&got);
	}
	/* 3 with a byte order mark, 1 with NUL. */
	assert_int_equal(refused, 4);
	jdoc_free(cases);
}

struct edit {
	const char *before;
	const char *value;
	const char *after;
	unsigned int disagree;
};

/* Bits of those who read another value, or refuse the file. */
#define SH (1u << ENV_SH)
#define SYSTEMD (1u << ENV_SYSTEMD)
#define DOCKER (1u << ENV_DOCKER)

static const struct edit edits[] = {
	{ "K=old\n", "new", "K=new\n", 0 },
	{ "K=old", "new", "K=new", 0 },
	{ "K=old\r\nX=1\r\n", "new", "K=new\r\nX=1\r\n", SH },
	{ "K=old\rX=1\r", "new", "K=new\rX=1\r", SH | DOCKER },
	{ "  export  K = old # note\n", "new", "  export  K = new # note\n",
	    SH | SYSTEMD | DOCKER },
	{ "K=\"old\" # note\n", "n'w", "K=\"n'w\" # note\n", SYSTEMD | DOCKER },
	{ "K='old'\n", "new", "K=new\n", 0 },
	{ "K='old'\n", "n\"w", "K='n\"w'\n", DOCKER },
	{ "K='old'\n", "it's", "K=\"it's\"\n", DOCKER },
	{ "K=\"old\"\n", "a\\nb", "K='a\\nb'\n", DOCKER },
	{ "K=\"old\"\n", "a\"b", "K='a\"b'\n", DOCKER },
	{ "K=\"old\"\n", "a\\", "K=a\\\n", SH | SYSTEMD },
	{ "K=old\n", "two words", "K='two words'\n", DOCKER },
	{ "K=old\n", "", "K=\n", 0 },
	{ "K=\"old\"\n", "", "K=\n", 0 },
	{ "K= # note\n", "x", "K= x\n", SH | DOCKER },
	{ "K=\n", "https://a.example.org:8283/v1",
	    "K=https://a.example.org:8283/v1\n",
	    0 },
	{ "K\nX=1\n", "new", "K=new\nX=1\n", 0 },
	{ "'K' # c\n", "new", "'K'=new # c\n", SH | SYSTEMD | DOCKER },
	{ "K='a\nb'\nX=1\n", "new", "K='new'\nX=1\n", DOCKER },
	{ "A=\"x\nK=inside\ny\"\nK=real\n", "new",
	    "A=\"x\nK=inside\ny\"\nK=new\n",
	    0 },
	{ "#K=x\nMY_K=1\nK=2\n", "new", "#K=x\nMY_K=1\nK=new\n", 0 },
	{ "K=old\n", "caf\xc3\xa9", "K=caf\xc3\xa9\n", 0 },
	{ "", "new", "K=new\n", 0 },
	{ "X=1\n", "new", "X=1\nK=new\n", 0 },
	{ "X=1", "new", "X=1\nK=new\n", 0 },
	{ "X=1\r\nY=2", "new", "X=1\r\nY=2\r\nK=new\r\n", SH },
	{ "# only a comment", "new", "# only a comment\nK=new\n", 0 },
	{ "BAD=\"oops", "new", "BAD=\"oops\nK=new\n", SH | SYSTEMD },
	{ "BAD='oops\nK=old\n", "a b", "BAD='oops\nK=a b\n", SH | SYSTEMD },
	{ "A=${K}\nK=old\n", "new", "A=${K}\nK=new\n", 0 },
	{ "K=old\n", "$(id)`id`$HOME", "K='$(id)`id`$HOME'\n", DOCKER },
	{ "K=1\nX=2\nexport K='3' # c\n", "new",
	    "K=new\nX=2\nexport K=new # c\n", DOCKER },
	{ "K=1\nX=2\nK\nK=\n", "new", "K=new\nX=2\nK=new\nK=new\n", 0 },
	{ "A='x\n\ny'\r\nK=1\rexport K\n", "new",
	    "A='x\n\ny'\r\nK=new\rexport K=new\n", DOCKER },
	{ "K=old\n", "a'b\"c", "K=\"a'b\\\"c\"\n", DOCKER },
	{ "K=old\n", "a 'b\"$c", "K=a 'b\"$c\n", SH },
};

static void
test_set(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;
	unsigned int bits;

	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		buf_str(&text, edits[i].before);
		if (dotenv_set(&text, ".env", "K", edits[i].value, &bits,
		    &err) != 0)
			fail_msg("edit %zu: %s", i, err.text);
		assert_string_equal(buf_cstr(&text), edits[i].after);
		if (bits != edits[i].disagree)
			fail_msg("edit %zu: readers %u", i, bits);
		buf_clear(&text);
	}
}

static const struct {
	const char *before;
	const char *value;
	const char *text;
} refusals[] = {
	{ "\xef\xbb\xbfK=1\n", "hush",
	    ".env:1: byte order mark: it becomes part of the first key" },
	{ "X=1\nK=\xff\n", "hush", ".env:2: not UTF-8" },
	{ "X=1\nK=1\nK=2\n", "hush\n",
	    ".env:2: the new value of K holds a line break" },
	{ "X=1\nK=1\n", "hush\nX=2",
	    ".env:2: the new value of K holds a line break" },
	{ "K=1\n", "hush\r", ".env:1: the new value of K holds a line break" },
	{ "K=1\n", "hush${X}",
	    ".env:1: the new value of K holds \"${\", which has no escape" },
	{ "K=1\n", "hush\xc3", ".env:1: the new value of K is not UTF-8" },
	{ "K=1\n", "hush # \\", ".env:1: no way of quoting the new value of "
	    "K reads back and leaves the other lines as they are (a quote "
	    "left open in the file, or a backslash at the end of the value)" },
	{ "BAD=\"oops\nK=1\n", "hush\"", ".env:2: no way of quoting the new "
	    "value of K reads back and leaves the other lines as they are (a "
	    "quote left open in the file, or a backslash at the end of the "
	    "value)" },
};

static void
test_set_refuses(void **state)
{
	struct buf text = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct err err = ERR_INIT;

		buf_str(&text, refusals[i].before);
		assert_int_equal(dotenv_set(&text, ".env", "K",
		    refusals[i].value, NULL, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		assert_string_equal(err.text, refusals[i].text);
		assert_null(strstr(err.text, "hush"));
		assert_string_equal(text.data, refusals[i].before);
		buf_clear(&text);
	}
}

static void
expect_unset(const char *text, const char *want)
{
	struct buf buf;
	struct err err = ERR_INIT;

	buf_init_still(&buf, DOTENV_MAX_BYTES);
	buf_str(&buf, text);
	assert_int_equal(dotenv_unset(&buf, "x.env", "K", &err), 0);
	assert_string_equal(buf_cstr(&buf), want);
	buf_wipe(&buf);
}

static void
test_unset(void **state)
{
	struct buf buf;
	struct err err = ERR_INIT;

	(void)state;
	expect_unset("", "");
	expect_unset("A=1\nKK=2\n", "A=1\nKK=2\n");
	expect_unset("A=1\nK=2 # of it\nB=3\n", "A=1\nB=3\n");
	expect_unset("A=1\r\n\t export K='x\ny'\r\n# K=0\r\nK\r\n\r\nB=3",
	    "A=1\r\n# K=0\r\n\r\nB=3");
	expect_unset("K=1", "");
	expect_unset("A=1\n\n  K=\"2\"", "A=1\n\n");
	buf_init_still(&buf, DOTENV_MAX_BYTES);
	buf_str(&buf, "A=1\nK=\xff\n");
	assert_int_equal(dotenv_unset(&buf, "x.env", "K", &err), -1);
	assert_string_equal(err.text, "x.env:2: not UTF-8");
	buf_wipe(&buf);
}

static void
test_set_refuses_keys_and_sizes(void **state)
{
	struct buf text = BUF_INIT(8);
	struct err err = ERR_INIT;

	(void)state;
	buf_str(&text, "K=1\n");
	assert_int_equal(dotenv_set(&text, ".env", "A B", "x", NULL, &err),
	    -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(dotenv_set(&text, ".env", "", "x", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(dotenv_set(&text, ".env", "K", "hush-hush", NULL,
	    &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_null(strstr(err.text, "hush"));
	assert_string_equal(text.data, "K=1\n");
	buf_clear(&text);
}

static void
test_get_bounds(void **state)
{
	struct buf text = BUF_INIT(DOTENV_MAX_BYTES + 1);
	struct buf value = BUF_INIT(64);
	enum dotenv_found found;
	struct err err = ERR_INIT;

	(void)state;
	/* Each line doubles the one before. */
	buf_str(&text, "V0=xxxxxxxxxxxxxxxx\n");
	for (int i = 1; i < 40; i++)
		buf_printf(&text, "V%d=${V%d}${V%d}\n", i, i - 1, i - 1);
	assert_int_equal(dotenv_get(text.data, text.len, "V0", NULL, &value,
	    &found, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);

	/* Each value is within the bound, all together are not. */
	buf_clear(&text);
	buf_str(&text, "BIG=");
	for (int i = 0; i < 100000; i++)
		buf_char(&text, 'x');
	for (int i = 0; i < 12; i++)
		buf_printf(&text, "\nV%d=${BIG}", i);
	assert_int_equal(dotenv_get(text.data, text.len, "V0", NULL, &value,
	    &found, &err), -1);
	assert_non_null(strstr(err.text, "line 11: values become larger"));

	buf_clear(&text);
	for (int i = 0; i <= DOTENV_MAX_KEYS; i++)
		buf_printf(&text, "V%d=1\n", i);
	assert_int_equal(dotenv_get(text.data, text.len, "V0", NULL, &value,
	    &found, &err), -1);
	assert_non_null(strstr(err.text, "line 4097"));

	buf_clear(&text);
	while (!text.full)
		buf_char(&text, '#');
	assert_int_equal(dotenv_get(text.data, text.len, "V0", NULL, &value,
	    &found, &err), -1);
	assert_string_equal(err.text, "line 1: larger than 256 KiB");
	assert_int_equal(dotenv_get("A=\n\xff", 4, "A", NULL, &value, &found,
	    &err), -1);
	assert_string_equal(err.text, "line 2: not UTF-8");
	buf_clear(&text);
	buf_clear(&value);
}

static void
test_expansion(void **state)
{
	static const struct {
		const char *text;
		const char *value;
	} cases[] = {
		{ "A=1\nK=${A}${A}\n", "11" },
		{ "A\nK=${A:-d}\n", "" },	/* set, to None */
		{ "A=\nK=${A:-d}\n", "" },
		{ "K=${:-d}\n", "d" },
		{ "K=${A:-}x\n", "x" },
		{ "A=1\nK=${A:x} ${A}\n", "${A:x} 1" },
		{ "A=1\nK=${B:x ${A}:y}\n", "${B:x 1:y}" },
		{ "A=1\nK=${A\n", "${A" },
		{ "A=1\nK=${A:-x\n", "${A:-x" },
		{ "A=1\nK=\\${A}\n", "\\1" },
		{ "A=1\nK=$${A}}\n", "$1}" },
		{ "A='x${B:-\ny}'\nK=${A}\n", "x\ny" },
		{ "A=\"x\r\ny\rz\"\nK=${A}\n", "x\ny\nz" },
	};
	struct buf value = BUF_INIT(64);
	enum dotenv_found found;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(dotenv_get(cases[i].text,
		    strlen(cases[i].text), "K", NULL, &value, &found, &err),
		    0);
		assert_int_equal(found, DOTENV_VALUE);
		assert_string_equal(buf_cstr(&value), cases[i].value);
		buf_clear(&value);
	}
}

static void
test_assigns_and_lines(void **state)
{
	static const char text[] = "#K=0\n\nK=1\r\nexport K\nA='x\nK=2'\n"
	    "K: 3\nMY_K=4\n";
	static const size_t lines[] = { 1, 3, 4, 5, 7, 8 };
	struct dotenv_parse p;
	struct dotenv_entry e;
	size_t n = 0, end = 0;

	(void)state;
	assert_int_equal(dotenv_assigns(text, sizeof(text) - 1, "K"), 2);
	assert_int_equal(dotenv_assigns(text, sizeof(text) - 1, "A"), 1);
	assert_int_equal(dotenv_assigns(text, 0, "K"), 0);
	dotenv_parse_init(&p, text, sizeof(text) - 1);
	while (dotenv_parse_next(&p, &e)) {
		assert_int_equal(e.line, lines[n++]);
		assert_true(e.begin >= end && e.end > e.begin);
		end = e.end;
	}
	assert_int_equal(n, 6);
	assert_int_equal(end, sizeof(text) - 1);
}

static void
test_mask(void **state)
{
	static const char *const shown[] = {
		"AGENT_ID", "Mixed", "URL", "URL2", "URL3", NULL
	};
	static const char before[] =
	    "# made by hand\n"
	    "# OLD_KEY=sk-hush # and = more\n"
	    "  # key until June: sk-hush\n"
	    "#sk-hush\n"
	    "URL=https://user:hush@host/x # or sk-hush\n"
	    "URL2=\"https://hush:hu#@sh@host\"\n"
	    "URL3='user:hush@host'\n"
	    "AGENT_ID=agent-1 # note\n"
	    "export AGENT_API_KEY = \"sk-hush\" # note\r\n"
	    "PASSWORD=hu #sh\n"
	    "CERT='-----BEGIN\nhush\n-----END'\n"
	    "\n"
	    "BAD: hush\n"
	    "MIIEvQhush\n"
	    "hushIBAD=\n"
	    "Mixed='shown'\n"
	    "LAST=hush";
	static const char after[] =
	    "# ***\n"
	    "# ***\n"
	    "  # ***\n"
	    "# ***\n"
	    "URL=https://***@host/x # ***\n"
	    "URL2=\"https://***@host\"\n"
	    "URL3='***@host'\n"
	    "AGENT_ID=agent-1 # ***\n"
	    "export AGENT_API_KEY = *** # ***\r\n"
	    "PASSWORD=*** # ***\n"
	    "CERT=***\n"
	    "\n"
	    "***\n"
	    "***\n"
	    "***=***\n"
	    "Mixed='shown'\n"
	    "LAST=***";
	struct buf out = BUF_INIT(4096);

	(void)state;
	dotenv_mask(before, sizeof(before) - 1, shown, &out);
	assert_string_equal(buf_cstr(&out), after);
	assert_null(strstr(buf_cstr(&out), "hush"));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_python_cases),
		cmocka_unit_test(test_set_python_cases),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_refuses),
		cmocka_unit_test(test_unset),
		cmocka_unit_test(test_set_refuses_keys_and_sizes),
		cmocka_unit_test(test_get_bounds),
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_assigns_and_lines),
		cmocka_unit_test(test_mask),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
