#include "base/base.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "cli/opt.h"

#define WORDS_MAX 16

/* Parse the words, of which the first is the program's name. */
static int
parse(const char *const *words, struct opt *opt, struct err *err)
{
	char *argv[WORDS_MAX + 1] = { NULL };
	int argc = 0;

	for (; words[argc]; argc++) {
		assert_true(argc < WORDS_MAX);
		argv[argc] = (char *)(uintptr_t)words[argc];
	}
	optind = 0;	/* glibc: begin anew */
	return opt_parse(argc, argv, opt, err);
}

#define PARSE(opt, ...) parse((const char *const []) {		\
	"sanctumctl", __VA_ARGS__ }, opt, &err)

#define REFUSED(words, ...) do {				\
	err_clear(&err);					\
	assert_int_equal(PARSE(&opt, __VA_ARGS__), -1);		\
	assert_int_equal(err.kind, ERR_USAGE);			\
	assert_int_equal(err_exit(&err), 2);			\
	if (!strstr(err.text, words))				\
		fail_msg("%s", err.text);			\
} while (0)

static void
test_nothing_given(void **state)
{
	struct err err = ERR_INIT;
	struct opt opt = { .json = true, .command = "left over" };

	(void)state;
	assert_int_equal(PARSE(&opt, NULL), 0);
	assert_false(opt.json);
	assert_false(opt.help);
	assert_false(opt.version);
	assert_int_equal(opt.verbosity, 0);
	assert_null(opt.state_dir);
	assert_int_equal(opt.n_words, 0);
}

static void
test_every_option(void **state)
{
	struct err err = ERR_INIT;
	struct opt opt;

	(void)state;
	assert_int_equal(PARSE(&opt, "--json", "--state", "/x", "-v", "plan",
	    "a.conf", NULL), 0);
	assert_true(opt.json);
	assert_string_equal(opt.state_dir, "/x");
	assert_int_equal(opt.verbosity, 1);
	assert_string_equal(opt.words[0], "plan");
	assert_string_equal(opt.words[1], "a.conf");
	assert_false(opt.help);

	/* Behind the command too, and with "=". */
	assert_int_equal(PARSE(&opt, "apply", "--state=/y z", "b.conf", "-vv",
	    "--help", NULL), 0);
	assert_string_equal(opt.words[0], "apply");
	assert_string_equal(opt.words[1], "b.conf");
	assert_string_equal(opt.state_dir, "/y z");
	assert_int_equal(opt.verbosity, 2);
	assert_true(opt.help);
	assert_int_equal(PARSE(&opt, "-h", NULL), 0);
	assert_true(opt.help);
	assert_int_equal(PARSE(&opt, "--version", NULL), 0);
	assert_true(opt.version);
	assert_int_equal(PARSE(&opt, "--verbose", "--verbose", NULL), 0);
	assert_int_equal(opt.verbosity, 2);
	assert_int_equal(PARSE(&opt, "-v", "--quiet", NULL), 0);
	assert_int_equal(opt.verbosity, -1);
	assert_int_equal(PARSE(&opt, "-q", NULL), 0);
	assert_int_equal(opt.verbosity, -1);
}

static void
test_words_after_two_dashes(void **state)
{
	struct err err = ERR_INIT;
	struct opt opt;

	(void)state;
	assert_int_equal(PARSE(&opt, "plan", "--", "--json", NULL), 0);
	assert_false(opt.json);
	assert_string_equal(opt.words[1], "--json");
	assert_int_equal(PARSE(&opt, "plan", "-", NULL), 0);
	assert_string_equal(opt.words[1], "-");
}

static void
test_what_is_refused(void **state)
{
	struct err err = ERR_INIT;
	struct opt opt;

	(void)state;
	REFUSED("unknown option --bogus", "--bogus", NULL);
	REFUSED("unknown option --bogus=1", "plan", "--bogus=1", "x", NULL);
	REFUSED("unknown option -x", "-x", NULL);
	REFUSED("unknown option -x", "plan", "-qxv", "a.conf", NULL);
	REFUSED("unknown option --json=yes", "--json=yes", NULL);
	REFUSED("--ver", "--ver", NULL);	/* verbose or version */
	REFUSED("option --state wants a value", "plan", "--state", NULL);
	REFUSED("--state: the directory is empty", "--state=", "plan", NULL);
	REFUSED("--state: the directory is empty", "--state", "", NULL);
	REFUSED("one word too many: 9", "1", "2", "3", "4", "5", "6", "7",
	    "8", "9", NULL);
}

/* A failure keeps what stood before it, so that --json is heeded. */
static void
test_json_before_the_fault(void **state)
{
	struct err err = ERR_INIT;
	struct opt opt;

	(void)state;
	REFUSED("--bogus", "--json", "--bogus", NULL);
	assert_true(opt.json);
	/* And what stands behind it. */
	REFUSED("--bogus", "--bogus", "plan", "--json", NULL);
	assert_true(opt.json);
	REFUSED("--bogus", "--bogus", "--", "--json", NULL);
	assert_false(opt.json);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_words_after_two_dashes),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_json_before_the_fault),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
