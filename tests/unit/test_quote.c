#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/proc.h"
#include "io/ssh.h"

/* What /bin/sh makes of a quoted word, against the word. */
static void
check_word(const char *word)
{
	struct buf script = BUF_INIT(4096);
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
	struct proc_spec spec = { .argv = argv, .timeout_ms = 60000 };
	struct proc_result result;
	struct err err = ERR_INIT;

	buf_str(&script, "printf '[%s]' ");
	ssh_quote(&script, word);
	ssh_quote(&script, "");		/* joins: still one word */
	argv[2] = buf_cstr(&script);
	proc_result_init(&result, 4096);
	assert_int_equal(proc_run(&spec, &result, &err), 0);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.out.len, strlen(word) + 2);
	assert_memory_equal(result.out.data + 1, word, strlen(word));
	assert_int_equal(result.out.data[result.out.len - 1], ']');
	assert_int_equal(result.err_out.len, 0);
	proc_result_clear(&result);
	buf_clear(&script);
}

static void
test_words(void **state)
{
	static const char *const words[] = {
		"", "plain", "two words", "'", "''", "'\\''", "\\", "a\\",
		"\"", "$HOME", "${x}", "`id`", "$(id)", "a;b", "a&b", "a|b",
		"a>b", "*", "?", "[a]", "~", "!", "!!", "#x", "a\nb", "\n",
		"-n", "--", "%s", "\t \t", "\001\177\033[0m", "\xff\xfe",
		"it's 'quoted' $(touch /tmp/x)'; echo '", "'; exit 1; '"
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		check_word(words[i]);
}

/* Every byte but NUL, each between two others. */
static void
test_bytes(void **state)
{
	char all[3 * 255 + 1];
	size_t n = 0;
	int c;

	(void)state;
	for (c = 1; c < 256; c++) {
		all[n++] = 'a';
		all[n++] = (char)c;
		all[n++] = '\'';
	}
	all[n] = '\0';
	check_word(all);
}

static void
test_form(void **state)
{
	struct buf b = BUF_INIT(64);

	(void)state;
	ssh_quote(&b, "it's");
	assert_string_equal(buf_cstr(&b), "'it'\\''s'");
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
