#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "core/doctor.h"

static void
note(void *ctx, const struct doctor_finding *finding)
{
	buf_printf(ctx, "%s %d %s: %s\n", finding->trap->id, finding->known,
	    finding->where, finding->evidence);
}

static void
test_counts(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct doctor d = { .tell = note, .ctx = &out };

	(void)state;
	doctor_fine(&d, "clock");
	doctor_judge(&d, false, "clock", "node1", "never");
	doctor_judge(&d, true, "clock", "node1", "%d s \x1b[2J", 90);
	doctor_unknown(&d, "tls-chain", "node\n1", "no answer");
	assert_string_equal(buf_cstr(&out), "clock 1 node1: 90 s \\x1b[2J\n"
	    "tls-chain 0 node\\x0a1: no answer\n");
	assert_int_equal(d.looked, 3);
	assert_int_equal(d.found, 1);
	assert_int_equal(d.unknown, 1);
	assert_int_equal(d.by_severity[DOCTOR_WARNING], 1);
	buf_clear(&out);
}

/* Each has all of its words, and an id of its own. */
static void
test_table(void **state)
{
	const struct doctor_trap *trap = doctor_traps;

	(void)state;
	for (size_t i = 0; i < doctor_n_traps; i++, trap++) {
		assert_true(*trap->id && *trap->title && *trap->cure &&
		    *trap->fact);
		assert_ptr_equal(doctor_trap(trap->id), trap);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_table),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
