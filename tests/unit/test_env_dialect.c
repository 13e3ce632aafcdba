#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/env_dialect.h"
#include "core/jdoc.h"

/*
 * tests/golden/env-dialect-cases.json holds what dash 0.5.12, the parser of
 * systemd 252 and the command line of docker 28 made of small files.  null is
 * a file that the reader refuses (the shell: that we do not follow it in), or
 * a value that the shell expands.  Where "systemd_by_rule" stands, the program
 * that shares systemd's parser does more than EnvironmentFile=: there the page
 * systemd.exec(5) speaks.
 */
#define CASES 58

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

	(void)snprintf(path, sizeof(path),
	    "%s/tests/golden/env-dialect-cases.json", top ? top : ".");
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

/* Every variable that the reader has is ours, and the other way round. */
static void
check_values(const struct env_reading *r, const struct jdoc *want,
    const char *name)
{
	struct jdoc_member m = { 0 };
	struct env_item item;

	while (jdoc_next(want, &m)) {
		item = env_dialect_value(r, m.key);
		if (jdoc_type(m.value) == JDOC_NULL) {
			if (item.outcome != ENV_REFUSED)
				fail_msg("%s: %s not refused", name, m.key);
		} else if (item.outcome != ENV_SET ||
		    !str_eq(item.value, jdoc_str(m.value)))
			fail_msg("%s: %s is \"%s\"", name, m.key,
			    item.value);
	}
	for (size_t i = 0; i < env_dialect_count(r); i++) {
		item = env_dialect_item(r, i);
		if (item.outcome == ENV_SET && !jdoc_has(want, item.key))
			fail_msg("%s: %s is set", name, item.key);
	}
}

static void
test_cases(void **state)
{
	static const char *const names[ENV_READERS] = { NULL, "sh", "systemd",
	    "docker" };
	struct jdoc *cases = read_cases();
	const struct jdoc *c, *want, *input;
	struct env_reading *r;
	char name[128];
	size_t line;

	(void)state;
	assert_int_equal(jdoc_len(cases), CASES);
	for (size_t i = 0; i < CASES; i++) {
		c = jdoc_at(cases, i);
		input = jdoc_get(c, "input");
		for (enum env_reader e = ENV_SH; e < ENV_READERS; e++) {
			(void)snprintf(name, sizeof(name), "%s, %s",
			    jdoc_get_str(c, "name"), names[e]);
			want = jdoc_get(c, names[e]);
			r = env_dialect_read(e, jdoc_str(input),
			    jdoc_str_len(input));
			if ((jdoc_type(want) == JDOC_NULL) !=
			    !!env_dialect_refusal(r, &line))
				fail_msg("%s: refused or not", name);
			if (jdoc_type(want) != JDOC_NULL)
				check_values(r, want, name);
			env_reading_free(r);
		}
	}
	jdoc_free(cases);
}

/* Where it is refused, and no value in the words. */
static void
test_refusals(void **state)
{
	static const struct {
		enum env_reader reader;
		const char *text;
		size_t line;
		const char *why;
	} cases[] = {
		{ ENV_SH, "A=1\n\nrm -rf hush\n", 3, "run a command" },
		{ ENV_SH, "A='1\n2'\nB=`hush`\n", 3, "run a command" },
		{ ENV_SH, "A=1\nB='hush\n\n", 2, "not closed" },
		{ ENV_SH, "A=1 hush\n", 1, "run a command" },
		{ ENV_SH, "A=1\nexport\n", 2, "prints all" },
		{ ENV_SH, "export A-B=hush\n", 1, "no name" },
		{ ENV_DOCKER, "A=1\nexport B=hush\n", 2, "blank" },
		{ ENV_DOCKER, "# x y\n\n =hush\n", 3, "no key" },
		{ ENV_SYSTEMD, "A=1\nB=\xff\n", 2, "UTF-8" },
		{ ENV_DOTENV, "A=1\nB=\xff\n", 2, "UTF-8" },
	};
	struct env_reading *r;
	struct env_item item;
	const char *why;
	size_t line;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		r = env_dialect_read(cases[i].reader, cases[i].text,
		    strlen(cases[i].text));
		why = env_dialect_refusal(r, &line);
		assert_non_null(why);
		assert_non_null(strstr(why, cases[i].why));
		assert_null(strstr(why, "hush"));
		assert_int_equal(line, cases[i].line);
		item = env_dialect_value(r, "A");
		assert_int_equal(item.outcome, ENV_REFUSED);
		assert_string_equal(item.why, why);
		env_reading_free(r);
	}
}

/* One value is refused, not the file; and which line counts. */
static void
test_lines(void **state)
{
	static const char text[] = "A=1\nB='x\ny'\nA=$B\nC=3\n";
	struct env_reading *r = env_dialect_read(ENV_SH, text,
	    strlen(text));
	struct env_item item = env_dialect_value(r, "A");

	(void)state;
	assert_int_equal(item.outcome, ENV_REFUSED);
	assert_int_equal(item.line, 4);
	item = env_dialect_value(r, "C");
	assert_int_equal(item.line, 5);
	assert_string_equal(item.value, "3");
	assert_int_equal(env_dialect_value(r, "D").outcome, ENV_UNSET);
	env_reading_free(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_lines),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
