#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/compose_look.h"
#include "core/doctor.h"

static void
note(void *ctx, const struct doctor_finding *finding)
{
	buf_printf(ctx, "%s %s %s\n", finding->trap->id, finding->where,
	    finding->evidence);
}

static void
test_images(void **state)
{
	(void)state;
	assert_false(compose_look_pinned("letta/letta"));
	assert_false(compose_look_pinned("letta/letta:latest"));
	assert_false(compose_look_pinned("registry:5000/letta"));
	assert_false(compose_look_pinned("letta:"));
	assert_true(compose_look_pinned("registry:5000/letta:0.16.2"));
	assert_true(compose_look_pinned("letta@sha256:0123"));
	assert_true(compose_look_published("127.0.0.1:1->1/tcp, :::1->1/tcp"));
	assert_false(compose_look_published("127.0.0.1:1->1/tcp, 5432/tcp"));
}

static void
test_files(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct doctor d = { .tell = note, .ctx = &out };

	(void)state;
	compose_look(&d, "f", "services:\n  a:\n    image: 'letta/letta'\n"
	    "    command: [run, \"8283:8283\"]\n    ports:\n"
	    "      - 8283:8283 # all\n      - \"127.0.0.1:1:1\"\n"
	    "      - '0.0.0.0:2:2/tcp'\n      - [::]:3:3\n      - 4\n"
	    "      - 10:30 in the morning\n      - key: value\n"
	    "  b:\n    image: letta/letta:0.16.2\r\n    # image: x\n"
	    "    image_x: y");
	assert_string_equal(buf_cstr(&out),
	    "compose-latest f:3 image: letta/letta\n"
	    "compose-published f:6 8283:8283\n"
	    "compose-published f:8 0.0.0.0:2:2/tcp\n"
	    "compose-published f:9 [::]:3:3\n");
	buf_clear(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
