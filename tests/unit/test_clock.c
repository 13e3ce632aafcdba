#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/clock.h"

static void
test_it_never_goes_back(void **state)
{
	uint64_t last = clock_ms(), now;

	(void)state;
	assert_true(last > 0);
	for (int i = 0; i < 10000; i++) {
		now = clock_ms();
		assert_true(now >= last);
		last = now;
	}
}

static void
test_left(void **state)
{
	(void)state;
	assert_int_equal(clock_left_ms(0), 0);
	assert_int_equal(clock_left_ms(clock_ms()), 0);
	assert_int_equal(clock_left_ms(UINT64_MAX), INT_MAX);
	assert_in_range(clock_left_ms(clock_ms() + 3600000), 1, 3600000);
}

static void
as_text(time_t when, char text[static CLOCK_TEXT_SIZE])
{
	struct tm tm;

	(void)gmtime_r(&when, &tm);
	(void)strftime(text, CLOCK_TEXT_SIZE, "%FT%TZ", &tm);
}

/* Of the time zone it knows nothing. */
static void
test_utc(void **state)
{
	char first[CLOCK_TEXT_SIZE], text[CLOCK_TEXT_SIZE],
	    last[CLOCK_TEXT_SIZE];

	(void)state;
	assert_int_equal(setenv("TZ", "TST-11:30", 1), 0);
	tzset();
	as_text(time(NULL), first);
	clock_utc(text);
	as_text(time(NULL), last);
	assert_int_equal(strlen(text), 20);
	assert_true(strcmp(first, text) <= 0);
	assert_true(strcmp(text, last) <= 0);
}

static void
nothing(int number)
{
	(void)number;
}

/* The timer fires again and again: one comes while we wait. */
static void
test_a_signal_cuts_a_wait_short(void **state)
{
	struct sigaction action = { .sa_handler = nothing }, old;
	struct itimerval often = {
		.it_interval = { .tv_usec = 5000 },
		.it_value = { .tv_usec = 5000 },
	};
	static const struct itimerval never;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	clock_sleep_ms(UINT64_C(3600) * 1000);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
}

static void
test_a_wait_waits(void **state)
{
	uint64_t until = clock_ms() + 30;

	(void)state;
	clock_sleep_ms(0);
	clock_sleep_ms(31);
	assert_int_equal(clock_left_ms(until), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_never_goes_back),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_a_signal_cuts_a_wait_short),
		cmocka_unit_test(test_a_wait_waits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
