#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/stop.h"
#include "base/str.h"

/* In a child, since the flag stays: catch, raise first and second, ask. */
static int
raised(int first, int second, bool ignored)
{
	struct err err = ERR_INIT;

	(void)signal(SIGHUP, ignored ? SIG_IGN : SIG_DFL);
	stop_catch();
	if (stop_asked() || stop_check(&err) != 0)
		return 1;
	(void)raise(SIGPIPE);
	if (stop_asked())
		return 2;
	(void)raise(first);
	(void)raise(second);
	if (!stop_asked() || stop_check(&err) != -1)
		return 3;
	if (err.kind != ERR_INTERRUPTED || err_exit(&err) != 130)
		return 4;
	return str_ends(err.text, " SIGINT") ? 10 :
	    str_ends(err.text, " SIGTERM") ? 11 :
	    str_ends(err.text, " SIGHUP") ? 12 : 5;
}

static int
in_child(int first, int second, bool ignored)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(raised(first, second, ignored));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_the_first_signal_is_told(void **state)
{
	(void)state;
	assert_int_equal(in_child(SIGINT, SIGTERM, false), 10);
	assert_int_equal(in_child(SIGTERM, SIGINT, false), 11);
	assert_int_equal(in_child(SIGHUP, SIGINT, false), 12);
}

/* nohup(1) starts us so. */
static void
test_an_ignored_hangup_stays_ignored(void **state)
{
	(void)state;
	assert_int_equal(in_child(SIGHUP, SIGTERM, true), 11);
	assert_int_equal(in_child(SIGHUP, SIGHUP, true), 3);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_signal_is_told),
		cmocka_unit_test(test_an_ignored_hangup_stays_ignored),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
