#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/repoint.h"
#include "core/shell_env.h"

#define OLD_ID "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"
#define NEW_ID "agent-5f0c9a51-0f2e-4c1b-9d0a-3b7c41b1e2aa"

static void
test_scripts(void **state)
{
	static const struct {
		const char *before, *value, *after;
		size_t changed;
	} cases[] = {
		{ "export K=old\n", "new", "export K=new\n", 1 },
		{ "K='old' X=1 exec run\n", "new", "K=new X=1 exec run\n", 1 },
		{ "cd x && K=old run; K=a\n", "n w", "cd x && K='n w' run; "
		    "K='n w'\n", 2 },
		{ "K=old", "it's", "K='it'\\''s'", 1 },
		{ "# K=old\nMY_K=1\nKK=1\n", "new", "# K=old\nMY_K=1\nKK=1\n",
		    0 },
		{ "echo \"\nK=old\n\"\nK=b\\ c # K=d\n", "new",
		    "echo \"\nK=old\n\"\nK=new # K=d\n", 1 },
		{ "K=$OTHER\nK=\"${X}/y\"\nK=`id`\n", "new",
		    "K=$OTHER\nK=\"${X}/y\"\nK=`id`\n", 0 },
		{ "K='$x'\r\n", "new", "K=new\r\n", 1 },
		{ "K=\"new\"\n", "new", "K=\"new\"\n", 0 },
		{ "K=\nsh -c 'K=old run'\n", "new",
		    "K=\nsh -c 'K=old run'\n", 0 },
		{ "K='open\n", "new", "K=new", 1 },
	};
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT(4096);
	size_t changed;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		changed = 0;
		buf_str(&text, cases[i].before);
		if (shell_env_set(&text, "x.sh", "K", cases[i].value,
		    &changed, &err) != 0)
			fail_msg("%s", err.text);
		assert_string_equal(buf_cstr(&text), cases[i].after);
		assert_int_equal(changed, cases[i].changed);
		buf_clear(&text);
	}
}

static void
test_scripts_refuse(void **state)
{
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT(16);
	size_t changed = 0;

	(void)state;
	buf_str(&text, "A=1\nK=hush\n");
	assert_int_equal(shell_env_set(&text, "x.sh", "K", "a\nb", &changed,
	    &err), -1);
	assert_int_equal(shell_env_set(&text, "x.sh", "K", NULL, &changed,
	    &err), -1);
	assert_non_null(strstr(err.text, "x.sh:2: K"));
	assert_null(strstr(err.text, "hush"));
	assert_int_equal(shell_env_set(&text, "x.sh", "K",
	    "longer than it may be", &changed, &err), -1);
	assert_string_equal(buf_cstr(&text), "A=1\nK=hush\n");
	assert_int_equal(changed, 0);
	buf_clear(&text);
}

static void
test_what_reads_a_file(void **state)
{
	static const char *const yes[] = { "set -a; . ./.env\n",
	    "source \"$HOME/x/.env\"\n", "cd x && . .env && run\n" };
	static const char *const no[] = { "# . ./.env\n", "cat .env\n",
	    ". venv/bin/activate\n", "", ". ; x.env\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		assert_true(shell_env_sources(yes[i], strlen(yes[i])));
	for (size_t i = 0; i + 1 < sizeof(no) / sizeof(*no); i++)
		assert_false(shell_env_sources(no[i], strlen(no[i])));
}

/* There, and back to the byte; a directory's name is left. */
static void
test_repoint(void **state)
{
	static const char env[] = "# " OLD_ID "\nAGENT_ID=\"" OLD_ID "\"\n"
	    "export LETTA_AGENT_ID='" OLD_ID "'\nPATH_X=/x/" OLD_ID "/y\n"
	    "OTHER=" OLD_ID "\n";
	static const char script[] = "cd /x/" OLD_ID "/broca\nA=" OLD_ID
	    " \"" OLD_ID "\" x" OLD_ID " " OLD_ID "0\n";
	struct buf text = BUF_INIT(4096);

	(void)state;
	buf_str(&text, env);
	assert_int_equal(repoint_env(&text, OLD_ID, NEW_ID), 2);
	assert_non_null(strstr(text.data, "\nAGENT_ID=\"" NEW_ID "\"\n"));
	assert_non_null(strstr(text.data, "OTHER=" OLD_ID));
	assert_int_equal(repoint_line(text.data, text.len, OLD_ID), 1);
	assert_int_equal(repoint_env(&text, NEW_ID, OLD_ID), 2);
	assert_string_equal(text.data, env);
	buf_clear(&text);

	buf_str(&text, script);
	assert_int_equal(repoint_text(&text, OLD_ID, NEW_ID), 2);
	assert_string_equal(text.data, "cd /x/" OLD_ID "/broca\nA=" NEW_ID
	    " \"" NEW_ID "\" x" OLD_ID " " OLD_ID "0\n");
	assert_int_equal(repoint_text(&text, NEW_ID, OLD_ID), 2);
	assert_string_equal(text.data, script);
	buf_clear(&text);
	assert_int_equal(repoint_text(&text, OLD_ID, NEW_ID), 0);
	assert_int_equal(repoint_line(NULL, 0, OLD_ID), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_scripts_refuse),
		cmocka_unit_test(test_what_reads_a_file),
		cmocka_unit_test(test_repoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
