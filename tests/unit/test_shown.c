#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/shown.h"

static void
masks(const char *text, const char *wanted)
{
	struct buf out = BUF_INIT(1024);

	shown_mask(&out, text, strlen(text));
	assert_string_equal(buf_cstr(&out), wanted);
	buf_clear(&out);
}

static void
test_mask(void **state)
{
	(void)state;
	masks("", "");
	masks("no URI, me@host", "no URI, me@host");
	masks("http://127.0.0.1:8283/v1 failed", "http://127.0.0.1:8283/v1 "
	    "failed");
	masks("\"postgresql+pg8000://letta:hunter2@db:5432/letta\" is wrong",
	    "\"postgresql+pg8000://***@db:5432/letta\" is wrong");
	/* What must be written %40 and so on, and is not. */
	masks("x://u:a@b/c\"d@db/l\ny@z", "x://***@db/l\ny@z");
	masks("a://b:c@d e://f:g@h", "a://***@d e://***@h");
	masks("token://hunter2@h", "token://***@h");
	masks("x://@h ://", "x://@h ://");
}

static void
test_text(void **state)
{
	struct buf out = BUF_INIT(1024);

	(void)state;
	shown_text(&out, "a\nb\x1b\xc3\xa4\xc3\xa4", 8, 6);
	assert_string_equal(buf_cstr(&out), "a b\\x1b\xc3\xa4...");
	buf_clear(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
