#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/log.h"
#include "catch_fd.h"

static void
say_all(enum log_level level, const char *want)
{
	struct catch_fd c;
	char *text;

	catch_fd_begin(&c, stderr);
	log_set_level(level);
	log_warn("disk %d", 1);
	log_info("step %s", "a");
	log_detail("page");
	log_debug("row");
	log_set_level(LOG_LEVEL_INFO);
	text = catch_fd_end(&c);
	assert_string_equal(text, want);
	free(text);
}

static void
test_levels(void **state)
{
	(void)state;
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
	say_all(LOG_LEVEL_WARN, "warning: disk 1\n");
	say_all(LOG_LEVEL_INFO, "warning: disk 1\nstep a\n");
	say_all(LOG_LEVEL_DETAIL, "warning: disk 1\nstep a\npage\n");
	say_all(LOG_LEVEL_DEBUG, "warning: disk 1\nstep a\npage\nrow\n");
}

static void
test_priorities_for_the_journal(void **state)
{
	(void)state;
	assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
	say_all(LOG_LEVEL_DEBUG,
	    "<4>warning: disk 1\n<6>step a\n<7>page\n<7>row\n");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

/* A line is cut at its bound, ends all the same, and is data, no format. */
static void
test_a_long_line_is_cut(void **state)
{
	struct catch_fd c;
	char long_text[5000], *text;

	(void)state;
	memset(long_text, '%', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	catch_fd_begin(&c, stderr);
	log_info("%s", long_text);
	text = catch_fd_end(&c);
	assert_int_equal(strlen(text), 2048);
	assert_int_equal(strspn(text, "%"), 2047);
	assert_int_equal(text[2047], '\n');
	free(text);
}

/* Texts from outside are shown, not obeyed; lines and UTF-8 are readable. */
static void
test_a_terminal_only_shows_it(void **state)
{
	struct catch_fd c;
	char *text;

	(void)state;
	catch_fd_begin(&c, stderr);
	log_warn("\033]0;x\007 \xc3\xa9");
	log_info("one\nwarning: two\n");
	log_info("%s", "");
	text = catch_fd_end(&c);
	assert_string_equal(text, "warning: \\x1b]0;x\\x07 \xc3\xa9\n"
	    "one\n    warning: two\n\n");
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_priorities_for_the_journal),
		cmocka_unit_test(test_a_long_line_is_cut),
		cmocka_unit_test(test_a_terminal_only_shows_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
