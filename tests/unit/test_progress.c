#include "base/base.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/str.h"
#include "catch_fd.h"

#define CLEAR "\r\033[K"

/* Stderr is a terminal while a test runs; `far` is its other end. */
struct terminal {
	int far;
	int near;
	int saved;
};

static int
set_up(void **state)
{
	static struct terminal t;

	if (openpty(&t.far, &t.near, NULL, NULL, NULL) != 0)
		return -1;
	t.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	*state = &t;
	return t.saved >= 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct terminal *t = *state;

	(void)close(t->saved);
	(void)close(t->far);
	(void)close(t->near);
	return 0;
}

static void
terminal_on(const struct terminal *t)
{
	(void)fflush(stderr);
	(void)dup2(t->near, STDERR_FILENO);
}

static void
terminal_off(const struct terminal *t)
{
	(void)fflush(stderr);
	(void)dup2(t->saved, STDERR_FILENO);
}

/* What the terminal was sent within wait_ms, and at once after that. */
static void
take(const struct terminal *t, int wait_ms, struct buf *out)
{
	struct pollfd p = { .fd = t->far, .events = POLLIN };
	char data[512];
	ssize_t len;

	while (poll(&p, 1, wait_ms) > 0) {
		len = read(t->far, data, sizeof(data));
		if (len <= 0)
			return;
		buf_add(out, data, (size_t)len);
		wait_ms = 0;
	}
}

/* Tell how far it is until a line is drawn. */
static void
await_drawn(const struct terminal *t, uint64_t done, struct buf *out)
{
	while (out->len == 0) {
		progress_at(done);
		take(t, 5, out);
	}
}

static void
test_a_line_is_drawn_and_cleared(void **state)
{
	const struct terminal *t = *state;
	struct buf drawn = BUF_INIT(4096), after = BUF_INIT(4096);

	terminal_on(t);
	progress_begin("page messages", "rows", 300);
	await_drawn(t, 100, &drawn);
	progress_end();
	progress_end();
	take(t, 50, &after);
	terminal_off(t);
	assert_true(str_starts(buf_cstr(&drawn),
	    CLEAR "page messages: 100/300 rows, "));
	assert_non_null(strstr(buf_cstr(&drawn), "/s, "));
	assert_true(str_ends(buf_cstr(&drawn), " s left"));
	assert_string_equal(buf_cstr(&after), CLEAR);
	buf_clear(&drawn);
	buf_clear(&after);
}

static void
test_a_log_line_takes_its_place(void **state)
{
	const struct terminal *t = *state;
	struct buf drawn = BUF_INIT(4096), after = BUF_INIT(4096);

	terminal_on(t);
	progress_begin("copy", "bytes", 0);
	await_drawn(t, 7, &drawn);
	log_warn("x");
	log_warn("y");
	progress_end();
	take(t, 50, &after);
	terminal_off(t);
	assert_true(str_starts(buf_cstr(&drawn), CLEAR "copy: 7 bytes, "));
	assert_true(str_ends(buf_cstr(&drawn), "/s"));
	assert_string_equal(buf_cstr(&after),
	    CLEAR "warning: x\r\nwarning: y\r\n");
	buf_clear(&drawn);
	buf_clear(&after);
}

static void
test_begin_ends_the_one_before(void **state)
{
	const struct terminal *t = *state;
	struct buf drawn = BUF_INIT(4096), after = BUF_INIT(4096);

	terminal_on(t);
	progress_begin("one", "rows", 0);
	await_drawn(t, 1, &drawn);
	progress_begin("two", "files", 2);
	take(t, 50, &after);
	buf_clear(&drawn);
	await_drawn(t, 2, &drawn);
	progress_end();
	take(t, 50, &after);
	terminal_off(t);
	assert_string_equal(buf_cstr(&after), CLEAR CLEAR);
	assert_true(str_starts(buf_cstr(&drawn), CLEAR "two: 2/2 files, "));
	assert_null(strstr(buf_cstr(&drawn), "left"));
	buf_clear(&drawn);
	buf_clear(&after);
}

/* Long enough for a line to be drawn, if one were. */
static void
tell_for(uint64_t ms)
{
	uint64_t until = clock_ms() + ms;

	while (clock_left_ms(until) > 0)
		progress_at(5);
}

static void
test_silent(void **state)
{
	const struct terminal *t = *state;
	struct buf out = BUF_INIT(4096);

	terminal_on(t);
	log_set_level(LOG_LEVEL_WARN);
	progress_begin("quiet", "rows", 0);
	tell_for(250);
	progress_end();
	log_set_level(LOG_LEVEL_INFO);
	tell_for(250);		/* none was begun */
	take(t, 20, &out);
	terminal_off(t);
	assert_string_equal(buf_cstr(&out), "");
	buf_clear(&out);
}

/* A log gets a line every ten seconds, so none so soon, and no ESC ever. */
static void
test_not_a_terminal(void **state)
{
	struct catch_fd c;
	char *text;

	(void)state;
	catch_fd_begin(&c, stderr);
	progress_begin("log", "rows", 0);
	tell_for(250);
	progress_pause();
	progress_end();
	text = catch_fd_end(&c);
	assert_string_equal(text, "");
	free(text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_is_drawn_and_cleared),
		cmocka_unit_test(test_a_log_line_takes_its_place),
		cmocka_unit_test(test_begin_ends_the_one_before),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_not_a_terminal),
	};

	(void)unsetenv("JOURNAL_STREAM");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
