#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/opt.h"
#include "cli/show.h"
#include "core/jdoc.h"
#include "flow/plan.h"
#include "catch_fd.h"

static const struct opt as_json = { .json = true };
static const struct opt as_text;

/* The one line that text is, as an object; the caller frees it. */
static struct jdoc *
read_line(const char *text)
{
	const char *end = strchr(text, '\n');
	struct err err = ERR_INIT;
	struct jdoc *object;

	assert_non_null(end);
	assert_string_equal(end, "\n");
	object = jdoc_parse(text, strlen(text), &err);
	if (!object)
		fail_msg("%s", err.text);
	assert_int_equal(jdoc_type(object), JDOC_OBJECT);
	assert_int_equal(jdoc_int(jdoc_get(object, "version")), 1);
	return object;
}

static void
expect_str(const struct jdoc *object, const char *key, const char *want)
{
	const char *got = jdoc_get_str(object, key);

	if (!got)
		fail_msg("no string %s", key);
	assert_string_equal(got, want);
}

static char *
shown(const struct opt *opt, const struct plan_event *event)
{
	struct catch_fd c;

	catch_fd_begin(&c, stdout);
	show_event((void *)(uintptr_t)opt, event);
	return catch_fd_end(&c);
}

static void
test_an_object_is_one_line(void **state)
{
	struct jdoc *object = show_new("status"), *back;
	struct catch_fd c;
	char *text;

	(void)state;
	jdoc_set_str(object, "text", "a\nb\"\\\033\303\244/");
	catch_fd_begin(&c, stdout);
	show_object(object);
	text = catch_fd_end(&c);
	back = read_line(text);
	expect_str(back, "type", "status");
	expect_str(back, "text", "a\nb\"\\\033\303\244/");
	assert_null(strchr(text, '\033'));
	jdoc_free(back);
	free(text);
}

static void
test_what_a_plan_found_as_json(void **state)
{
	static const char *const words[] = { "done", "todo", "waits" };
	struct plan_note note = {
		.glyph = '~', .summary = BUF_INIT(100), .diff = BUF_INIT(100)
	};
	struct plan_event event = {
		.type = PLAN_EVENT_FOUND, .step = "g.a.word", .note = &note
	};
	struct jdoc *object;
	char *text;

	(void)state;
	buf_str(&note.summary, "3 \"keys\"");
	for (int i = PLAN_DONE; i <= PLAN_WAITS; i++) {
		event.found = (enum plan_found)i;
		text = shown(&as_json, &event);
		object = read_line(text);
		expect_str(object, "type", "step");
		expect_str(object, "step", "g.a.word");
		expect_str(object, "state", words[i]);
		expect_str(object, "change", "~");
		expect_str(object, "summary", "3 \"keys\"");
		assert_false(jdoc_has(object, "diff"));
		assert_false(jdoc_has(object, "acted"));
		jdoc_free(object);
		free(text);
	}
	buf_str(&note.diff, "-a\n+b\n");
	text = shown(&as_json, &event);
	object = read_line(text);
	expect_str(object, "diff", "-a\n+b\n");
	jdoc_free(object);
	free(text);
	buf_clear(&note.summary);
	buf_clear(&note.diff);
}

static void
test_what_was_done_as_json(void **state)
{
	struct plan_note note = {
		.glyph = '+', .summary = BUF_INIT(100), .diff = BUF_INIT(100)
	};
	struct plan_event event = {
		.type = PLAN_EVENT_END, .step = "g.a.word", .note = &note,
		.acted = true, .took_ms = 1500
	};
	struct plan_event begin = {
		.type = PLAN_EVENT_BEGIN, .step = "g.a.word"
	};
	struct jdoc *object;
	char *text;

	(void)state;
	text = shown(&as_json, &begin);
	assert_string_equal(text, "");
	free(text);
	text = shown(&as_json, &event);
	object = read_line(text);
	expect_str(object, "state", "done");
	expect_str(object, "summary", "");
	assert_true(jdoc_bool(jdoc_get(object, "acted")));
	assert_int_equal(jdoc_int(jdoc_get(object, "took_ms")), 1500);
	jdoc_free(object);
	free(text);
	event.acted = false;
	text = shown(&as_json, &event);
	object = read_line(text);
	assert_int_equal(jdoc_type(jdoc_get(object, "acted")), JDOC_BOOL);
	assert_false(jdoc_bool(jdoc_get(object, "acted")));
	jdoc_free(object);
	free(text);
}

static void
expect_text(const struct plan_event *event, const char *want)
{
	char *text = shown(&as_text, event);

	assert_string_equal(text, want);
	free(text);
}

static void
test_what_was_taken_back_as_json(void **state)
{
	static const struct opt cancel = { .json = true, .command = "cancel" };
	struct plan_note note = { .glyph = '-' };
	struct plan_event event = {
		.type = PLAN_EVENT_END, .step = "agent.sage.import",
		.acted = true, .note = &note,
	};
	struct jdoc *object;
	char *text;

	(void)state;
	buf_init(&note.summary, 64);
	text = shown(&cancel, &event);
	object = read_line(text);
	expect_str(object, "state", "undone");
	jdoc_free(object);
	buf_clear(&note.summary);
	free(text);
}

static void
test_events_as_text(void **state)
{
	struct plan_note note = {
		.glyph = '-', .summary = BUF_INIT(100), .diff = BUF_INIT(100)
	};
	struct plan_event event = {
		.type = PLAN_EVENT_FOUND, .step = "g.a.word", .note = &note,
		.found = PLAN_DONE, .took_ms = 1250
	};

	(void)state;
	buf_str(&note.summary, "3 rows");
	expect_text(&event, "    g.a.word: 3 rows\n");
	event.found = PLAN_TODO;
	expect_text(&event, "  - g.a.word: 3 rows\n");
	event.found = PLAN_WAITS;
	expect_text(&event, "  - g.a.word: 3 rows (known when the steps "
	    "before are done)\n");
	event.found = PLAN_TODO;
	buf_str(&note.diff, "-a\n\n+%s\n no end");
	expect_text(&event, "  - g.a.word: 3 rows\n      -a\n      \n"
	    "      +%s\n       no end\n");
	event.type = PLAN_EVENT_END;
	expect_text(&event, "");
	event.acted = true;
	event.took_ms = 1260;
	expect_text(&event, "  - g.a.word: 3 rows (1.3 s)\n      -a\n"
	    "      \n      +%s\n       no end\n");
	buf_clear(&note.summary);
	buf_clear(&note.diff);
}

/* The progress of a step is no result: it goes to stderr. */
static void
test_begin_is_on_stderr(void **state)
{
	struct plan_event event = {
		.type = PLAN_EVENT_BEGIN, .step = "g.a.word"
	};
	struct catch_fd c;
	char *out, *text;

	(void)state;
	catch_fd_begin(&c, stderr);
	out = shown(&as_text, &event);
	text = catch_fd_end(&c);
	assert_string_equal(text, "g.a.word ...\n");
	assert_string_equal(out, "");
	free(text);
	free(out);
}

static void
error_shown(const struct opt *opt, const struct err *err, char **out,
    char **err_out)
{
	struct catch_fd first, second;

	catch_fd_begin(&first, stdout);
	catch_fd_begin(&second, stderr);
	show_error(opt, err);
	*err_out = catch_fd_end(&second);
	*out = catch_fd_end(&first);
}

static void
test_an_error_is_escaped(void **state)
{
	struct err err = ERR_INIT;
	struct jdoc *object;
	char *out, *text;

	(void)state;
	(void)err_set(&err, ERR_UNREACHABLE, "old: \033[2J\nno \"route\"\377");
	error_shown(&as_text, &err, &out, &text);
	assert_string_equal(text,
	    "sanctumctl: old: \\x1b[2J\\x0ano \"route\"\\xff\n");
	assert_string_equal(out, "");
	free(text);
	free(out);

	error_shown(&as_json, &err, &out, &text);
	assert_string_equal(text,
	    "sanctumctl: old: \\x1b[2J\\x0ano \"route\"\\xff\n");
	object = read_line(out);
	expect_str(object, "type", "error");
	expect_str(object, "kind", "unreachable");
	expect_str(object, "text", "old: \\x1b[2J\\x0ano \"route\"\\xff");
	assert_int_equal(jdoc_int(jdoc_get(object, "exit")), 10);
	assert_true(jdoc_bool(jdoc_get(object, "transient")));
	jdoc_free(object);
	free(text);
	free(out);
}

/* Every byte grows to four, and none is lost. */
static void
test_the_longest_error(void **state)
{
	struct err err = ERR_INIT;
	struct jdoc *object;
	char *out, *text;

	(void)state;
	err.kind = ERR_DATA;
	memset(err.text, '\033', sizeof(err.text) - 1);
	error_shown(&as_json, &err, &out, &text);
	assert_int_equal(strlen(text), strlen("sanctumctl: \n") +
	    4 * (sizeof(err.text) - 1));
	object = read_line(out);
	assert_int_equal(jdoc_str_len(jdoc_get(object, "text")),
	    4 * (sizeof(err.text) - 1));
	assert_false(jdoc_bool(jdoc_get(object, "transient")));
	jdoc_free(object);
	free(text);
	free(out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_object_is_one_line),
		cmocka_unit_test(test_what_a_plan_found_as_json),
		cmocka_unit_test(test_what_was_done_as_json),
		cmocka_unit_test(test_what_was_taken_back_as_json),
		cmocka_unit_test(test_events_as_text),
		cmocka_unit_test(test_begin_is_on_stderr),
		cmocka_unit_test(test_an_error_is_escaped),
		cmocka_unit_test(test_the_longest_error),
	};

	(void)unsetenv("JOURNAL_STREAM");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
