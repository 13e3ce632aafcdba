#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/crontab.h"

#define MARK "0123456789ab"
#define JOB "* * * * * ~/start.sh >> ~/log 2>&1"

static const struct {
	const char *line;
	enum crontab_form form;
	enum crontab_kind kind;
	const char *user, *command;
} lines[] = {
	{ "", CRONTAB_USER, CRONTAB_BLANK, "", "" },
	{ "  # x", CRONTAB_USER, CRONTAB_BLANK, "", "" },
	{ "PATH=/bin", CRONTAB_USER, CRONTAB_SETTING, "", "" },
	{ "MAILTO = \"a b\"", CRONTAB_USER, CRONTAB_SETTING, "", "" },
	{ " 'A' = b", CRONTAB_USER, CRONTAB_SETTING, "", "" },
	{ "*/5 1-3 * jan mon X=1 go", CRONTAB_USER, CRONTAB_JOB, "",
	    "X=1 go" },
	{ "\t@reboot\tgo  on ", CRONTAB_USER, CRONTAB_JOB, "", "go  on " },
	{ "* * * * * root go", CRONTAB_SYSTEM, CRONTAB_JOB, "root", "go" },
	{ "@daily ann go", CRONTAB_SYSTEM, CRONTAB_JOB, "ann", "go" },
	{ "* * * * *", CRONTAB_USER, CRONTAB_OTHER, "", "" },
	{ "* * * * * root", CRONTAB_SYSTEM, CRONTAB_OTHER, "", "" },
	{ "what is this", CRONTAB_USER, CRONTAB_OTHER, "", "" },
};

static void
test_lines(void **state)
{
	struct crontab tab;
	struct crontab_line at;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		crontab_init(&tab, lines[i].line, strlen(lines[i].line),
		    lines[i].form);
		if (*lines[i].line == '\0') {
			assert_false(crontab_next(&tab, &at));
			continue;
		}
		assert_true(crontab_next(&tab, &at));
		assert_int_equal(at.kind, lines[i].kind);
		assert_false(at.disabled);
		if (at.kind != CRONTAB_JOB)
			continue;
		assert_int_equal(at.command_len, strlen(lines[i].command));
		assert_memory_equal(at.command, lines[i].command,
		    at.command_len);
		assert_int_equal(at.user_len, strlen(lines[i].user));
		if (at.user)
			assert_memory_equal(at.user, lines[i].user,
			    at.user_len);
		assert_false(crontab_next(&tab, &at));
	}
}

static void
test_command(void **state)
{
	static const char text[] = "* * * * * date +\\%F; cat%one%two\\%";
	struct buf shell = BUF_INIT(256), input = BUF_INIT(256);
	struct crontab tab;
	struct crontab_line at;

	(void)state;
	crontab_init(&tab, text, strlen(text), CRONTAB_USER);
	assert_true(crontab_next(&tab, &at));
	crontab_command(&at, &shell, &input);
	assert_string_equal(buf_cstr(&shell), "date +%F; cat");
	assert_string_equal(buf_cstr(&input), "one\ntwo%\n");
	buf_clear(&shell);
	buf_clear(&input);
}

static void
test_setting(void **state)
{
	static const char text[] = "  \"MY NAME\" =  ' a b ' \n";
	struct buf name = BUF_INIT(256), value = BUF_INIT(256);
	struct crontab tab;
	struct crontab_line at;

	(void)state;
	crontab_init(&tab, text, strlen(text), CRONTAB_USER);
	assert_true(crontab_next(&tab, &at));
	crontab_setting(&at, &name, &value);
	assert_string_equal(buf_cstr(&name), "MY NAME");
	assert_string_equal(buf_cstr(&value), " a b ");
	buf_clear(&name);
	buf_clear(&value);
}

static void
set(struct buf *text, const char *to)
{
	buf_truncate(text, 0);
	buf_str(text, to);
}

/* What is put out of use comes back byte by byte, wherever it stands. */
static void
test_disable(void **state)
{
	static const char *const texts[] = {
		JOB "\n",
		JOB,
		"# top\n\nA=1\r\n" JOB "\n\t" JOB "\nx",
		"\xff\xfe\n" JOB "\n" JOB " \n" JOB "\n",
	};
	struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		set(&text, texts[i]);
		assert_int_equal(crontab_disable(&text, JOB, MARK, &n, &err),
		    0);
		assert_int_equal(n, i == 3 ? 2 : 1);
		assert_non_null(strstr(text.data, "#sanctumctl-" MARK
		    "# " JOB));
		assert_int_equal(crontab_disable(&text, JOB, MARK, &n, &err),
		    0);
		assert_int_equal(n, 0);
		assert_int_equal(crontab_enable(&text, JOB, "ffff", &n, &err),
		    0);
		assert_int_equal(n, 0);
		assert_int_equal(crontab_enable(&text, JOB, MARK, &n, &err),
		    0);
		assert_string_equal(text.data, texts[i]);
	}
	buf_clear(&text);
}

static void
test_seen_disabled(void **state)
{
	static const char text[] = "#sanctumctl-" MARK "# " JOB "\n";
	struct crontab tab;
	struct crontab_line at;

	(void)state;
	crontab_init(&tab, text, strlen(text), CRONTAB_USER);
	assert_true(crontab_next(&tab, &at));
	assert_true(at.disabled);
	assert_int_equal(at.kind, CRONTAB_JOB);
	assert_int_equal(at.mark_len, 12);
	assert_memory_equal(at.text, JOB, at.len);
	assert_int_equal(at.len, strlen(JOB));
}

static void
adds(const char *before, const char *after)
{
	struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;
	size_t n;

	buf_str(&text, before);
	assert_int_equal(crontab_add(&text, "A=1\n", JOB, MARK, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(text.data, after);
	assert_int_equal(crontab_add(&text, "A=1\n", JOB, MARK, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(crontab_add(&text, "", "@daily b", MARK, &n, &err),
	    0);
	assert_int_equal(n, 1);
	assert_int_equal(crontab_remove(&text, "@daily b", MARK, &n, &err),
	    0);
	assert_int_equal(n, 1);
	assert_string_equal(text.data, after);
	assert_int_equal(crontab_remove(&text, JOB, MARK, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(crontab_remove(&text, JOB, MARK, &n, &err), 0);
	assert_int_equal(n, 0);
	if (*before != '\0' && before[strlen(before) - 1] == '\n')
		assert_string_equal(text.data, before);
	buf_clear(&text);
}

#define ADDED "#sanctumctl-" MARK " begin\nA=1\n" JOB "\n#sanctumctl-" MARK \
    " end\n"

static void
test_add(void **state)
{
	(void)state;
	adds("", ADDED);
	adds("# x\n", "# x\n" ADDED);
	adds(JOB "\n", JOB "\n" ADDED);
	adds("# no end", "# no end\n" ADDED);
	adds("#sanctumctl-" MARK " begin\n", "#sanctumctl-" MARK " begin\n"
	    ADDED);
}

static void
test_refused(void **state)
{
	struct buf text = BUF_INIT(64);
	struct err err = ERR_INIT;
	size_t n;

	(void)state;
	buf_add(&text, "a\0b", 3);
	assert_int_equal(crontab_disable(&text, JOB, MARK, &n, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	set(&text, JOB "\n");
	assert_int_equal(crontab_disable(&text, JOB, "a b", &n, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(crontab_add(&text, "", "a\nb", MARK, &n, &err), -1);
	assert_int_equal(crontab_add(&text, "", JOB, MARK, &n, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_string_equal(text.data, JOB "\n");
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_setting),
		cmocka_unit_test(test_disable),
		cmocka_unit_test(test_seen_disabled),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("crontab", tests, NULL, NULL);
}
