#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/queue.h"
#include "core/queue_verdict.h"

#define ADA "identity-00000000-0000-4000-8000-000000000001"
#define BOB "identity-00000000-0000-4000-8000-000000000002"
#define WIRE "[Username: @ada, Telegram ID: 7] how are you?"
#define AT "2026-03-01T10:00:00"

static void
expect_wire(const char *platform, const char *id, const char *name,
    const char *text, const char *want)
{
	struct buf out = BUF_INIT(4096);

	assert_int_equal(queue_wire(&out, platform, id, name, text), !!want);
	if (want)
		assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

static void
test_wire(void **state)
{
	(void)state;
	expect_wire("telegram", "7", "ada", "how are you?", WIRE);
	expect_wire("web_chat", "a-1", "web_user_a-1", "x",
	    "[Username: @web_user_a-1, Web_Chat ID: a-1] x");
	expect_wire("OTTO2bridge's", "7", NULL, "x",
	    "[Otto2Bridge'S ID: 7] x");
	expect_wire(NULL, "7", "", "x", "[Platform ID: 7] x");
	expect_wire("telegram", "", "ada", "x", "[Username: @ada] x");
	expect_wire("telegram", NULL, NULL, "x", "x");
	expect_wire("telegram", "7", "ada", "",
	    "[Username: @ada, Telegram ID: 7] ");
	expect_wire("t\xc3\xa9l\xc3\xa9", "7", "ada", "x", NULL);
	expect_wire("telegram", "7", "ada", NULL, NULL);
}

static void
expect_time(const char *text, int64_t unix_s, unsigned int micros)
{
	struct stamp at = { 0 };

	assert_true(queue_time(text, &at));
	assert_int_equal(at.unix_s, unix_s);
	assert_int_equal(at.micros, micros);
}

static void
test_times(void **state)
{
	struct stamp at;

	(void)state;
	expect_time("2026-03-01T10:00:05.000123", 1772359205, 123);
	expect_time("2026-03-01T10:00:05", 1772359205, 0);
	expect_time("2026-03-01 10:00:05", 1772359205, 0);
	expect_time("2026-03-01 10:00 UTC", 1772359200, 0);
	expect_time("2026-03-01T12:00:00+02:00", 1772359200, 0);
	assert_false(queue_time("yesterday", &at));
	assert_false(queue_time(" UTC", &at));
	assert_false(queue_time(NULL, &at));
}

static void
test_maybe_sent(void **state)
{
	(void)state;
	assert_true(queue_maybe_sent("processing", "0", AT, AT));
	assert_true(queue_maybe_sent("pending", "1", AT, AT));
	assert_false(queue_maybe_sent("pending", "0", AT, AT));
	assert_false(queue_maybe_sent("held", "0", "2026-03-01T10:00:59.5",
	    "2026-03-01 10:00 UTC"));
	/* Found in processing at a start, and put back without counting. */
	assert_true(queue_maybe_sent("pending", "0", "2026-03-01T10:05:01",
	    AT));
	assert_true(queue_maybe_sent("pending", "0", "soon", AT));
	assert_true(queue_maybe_sent("pending", "0", AT, NULL));
}

static void
test_schema(void **state)
{
	static const char *const queue[] = { "id", "letta_user_id",
		"message_id", "status", "timestamp", NULL };
	struct queue_schema schema = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	for (const char *const *c = queue; *c; c++)
		queue_schema_see(&schema, "queue", *c);
	queue_schema_see(&schema, "queue", "priority");
	queue_schema_see(&schema, "sqlite_sequence", "seq");
	assert_int_equal(schema.more, 1);
	assert_int_equal(queue_schema_check(&schema, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "queue.attempts"));
	assert_non_null(strstr(err.text, "letta_users.letta_block_id"));
	assert_null(strstr(err.text, "queue.status"));
}

/* Items of a listing, newest last. */
#define USER(sec, who, text) "{\"id\":\"message-" sec "\",\"date\":" \
    "\"2026-03-01T10:00:" sec "+00:00\",\"message_type\":\"user_message\"," \
    "\"sender_id\":" who ",\"run_id\":\"run-1\",\"content\":\"" text "\"}"
#define SAYS(sec, text) "{\"id\":\"message-" sec "\",\"date\":" \
    "\"2026-03-01T10:00:" sec "+00:00\",\"message_type\":" \
    "\"assistant_message\",\"run_id\":\"run-1\",\"content\":\"" text "\"}"
#define CALLS(sec, name, args) "{\"id\":\"message-" sec "\",\"date\":" \
    "\"2026-03-01T10:00:" sec "+00:00\",\"message_type\":" \
    "\"tool_call_message\",\"run_id\":\"run-1\",\"tool_calls\":[{\"name\":" \
    "\"" name "\",\"arguments\":\"" args "\"}]}"
#define RETURNS(sec) "{\"id\":\"message-" sec "\",\"date\":" \
    "\"2026-03-01T10:00:" sec "+00:00\",\"message_type\":" \
    "\"tool_return_message\",\"run_id\":\"run-1\"}"
#define BY_ADA "\"" ADA "\""
#define BY_BOB "\"" BOB "\""
#define OLD "{\"id\":\"message-0\",\"date\":\"2026-02-01T00:00:00Z\"," \
    "\"message_type\":\"system_message\",\"content\":\"\"}"

static const struct judged {
	const char *pages[3];	/* newest first, NULL-ended; "" cuts it */
	const char *runs;
	unsigned int twins;
	enum queue_verdict want;
	const char *told;	/* the answer, or a part of why */
} judged[] = {
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "fine") "]",
	    "[" OLD "]" }, "[]", 0, QUEUE_ANSWERED, "fine" },
	/* The last word counts, as with Broca. */
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "wait") ","
	    CALLS("12", "look", "{}") "," RETURNS("13") ","
	    SAYS("14", "fine") "," USER("15", BY_BOB, "hi") ","
	    SAYS("16", "hi Bob") "]", "[]" }, "[]", 0, QUEUE_ANSWERED,
	    "fine" },
	/* A turn that lies over two pages. */
	{ { "[" SAYS("11", "fine") "]", "[" USER("10", BY_ADA, WIRE) "]",
	    "[]" }, "[]", 0, QUEUE_ANSWERED, "fine" },
	/* An older agent speaks by a tool, and has heartbeats. */
	{ { "[" USER("10", BY_ADA, WIRE) "," CALLS("11", "look", "{}") ","
	    RETURNS("12") "," USER("13", "null", "{\\\"type\\\":\\\"heartbeat"
	    "\\\",\\\"time\\\":\\\"now\\\"}") "," CALLS("14", "send_message",
	    "{\\\"message\\\":\\\"fine\\\"}") "," RETURNS("15") "]", "[]" },
	    "[]", 0, QUEUE_ANSWERED, "fine" },
	{ { "[" USER("10", BY_BOB, "hi") "," SAYS("11", "hi Bob") "]",
	    "[" OLD "]" }, "[]", 0, QUEUE_UNANSWERED, NULL },
	{ { "[]" }, "[]", 0, QUEUE_UNANSWERED, NULL },
	/* Not of this row: it is older. */
	{ { "[{\"id\":\"message-1\",\"date\":\"2026-03-01T09:57:00Z\","
	    "\"message_type\":\"user_message\",\"sender_id\":" BY_ADA ","
	    "\"content\":\"" WIRE "\"}]" }, "[]", 0, QUEUE_UNANSWERED, NULL },
	{ { "[" USER("10", BY_ADA, WIRE) "]", "[]" }, "[]", 0, QUEUE_UNCLEAR,
	    "gave no answer" },
	{ { "[" USER("10", BY_ADA, WIRE) "," USER("11", BY_BOB, "hi") ","
	    SAYS("12", "hi Bob") "]", "[]" }, "[]", 0, QUEUE_UNCLEAR,
	    "gave no answer" },
	/* Its last word was a call: the turn broke off. */
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "wait") ","
	    CALLS("12", "look", "{}") "," RETURNS("13") "]", "[]" }, "[]", 0,
	    QUEUE_UNCLEAR, "gave no answer" },
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "fine") ","
	    USER("12", BY_ADA, WIRE) "," SAYS("13", "as I said") "]",
	    "[]" }, "[]", 0, QUEUE_UNCLEAR, "more than one" },
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "fine") "]", "[]" },
	    "[]", 1, QUEUE_UNCLEAR, "another row" },
	{ { "[" USER("10", BY_ADA, "[Username: @ada, Telegram ID: 7]  How "
	    "are you?") "," SAYS("11", "fine") "]", "[]" }, "[]", 0,
	    QUEUE_UNCLEAR, "like it" },
	/* She had another name, then. */
	{ { "[" USER("10", BY_ADA, "[Username: @al, Telegram ID: 7] how are "
	    "you?") "," SAYS("11", "fine") "]", "[]" }, "[]", 0,
	    QUEUE_UNCLEAR, "like it" },
	{ { "[" USER("10", BY_ADA, WIRE "\\n[Image Attachment: http://x/1]")
	    "," SAYS("11", "fine") "]", "[]" }, "[]", 0, QUEUE_UNCLEAR,
	    "like it" },
	{ { "[" USER("10", BY_BOB, WIRE) "," SAYS("11", "fine") "]", "[]" },
	    "[]", 0, QUEUE_UNCLEAR, "like it" },
	{ { "[" USER("10", BY_BOB, "[Username: @bob, Telegram ID: 8] how are "
	    "you?") "," SAYS("11", "fine") "]", "[]" }, "[]", 0,
	    QUEUE_UNANSWERED, NULL },
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "fine") "]", "" },
	    "[]", 0, QUEUE_UNCLEAR, "read back" },
	/* A run on its way, which no listing shows yet. */
	{ { "[]" }, "[{\"id\":\"run-2\",\"created_at\":"
	    "\"2026-03-01T10:00:10Z\"}]", 0, QUEUE_UNCLEAR, "still at work" },
	{ { "[]" }, "[{\"id\":\"run-2\",\"created_at\":"
	    "\"2026-03-01T09:00:10Z\"}]", 0, QUEUE_UNANSWERED, NULL },
	{ { "[]" }, "[{\"id\":\"run-2\",\"created_at\":"
	    "\"2026-03-01T10:00:10Z\",\"completed_at\":"
	    "\"2026-03-01T10:00:11\"}]", 0, QUEUE_UNANSWERED, NULL },
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "fine") "]", "[]" },
	    "[{\"id\":\"run-1\"}]", 0, QUEUE_UNCLEAR, "still at work" },
	{ { "[" USER("10", BY_ADA, WIRE) "," SAYS("11", "fine") "]", "[]" },
	    "[{\"id\":\"run-2\"}]", 0, QUEUE_ANSWERED, "fine" },
};

static void
judge(const struct judged *j)
{
	struct err err = ERR_INIT;
	struct queue_cases cases = { 0 };
	struct queue_case *one = queue_cases_add(&cases, 17, ADA, WIRE,
	    "how are you?", AT, AT);
	struct jdoc *runs = jdoc_parse(j->runs, strlen(j->runs), &err);
	struct queue_page page;
	const char *why;

	assert_int_equal(queue_cases_runs(&cases, runs, &err), 0);
	for (unsigned int i = 0; i < j->twins; i++)
		queue_case_twin(one, "2026-03-01 10:01 UTC");
	queue_case_twin(one, "2026-03-01 09:00 UTC");
	for (size_t i = 0; i < 3 && j->pages[i] && *j->pages[i]; i++) {
		assert_false(queue_cases_past(&cases));
		assert_int_equal(queue_cases_page(&cases, j->pages[i],
		    strlen(j->pages[i]), &page, &err), 0);
	}
	assert_int_equal(queue_case_verdict(&cases, one, &why), j->want);
	if (j->want == QUEUE_ANSWERED)
		assert_string_equal(one->reply, j->told);
	if (j->want == QUEUE_UNCLEAR)
		assert_non_null(strstr(why, j->told));
	jdoc_free(runs);
	queue_cases_clear(&cases);
}

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++)
		judge(&judged[i]);
}

/* A message that is younger than its row was written in local time. */
static void
test_faults(void **state)
{
	struct queue_cases cases = { 0 };
	const char *why;

	(void)state;
	(void)queue_cases_add(&cases, 1, ADA, WIRE, "x", "2026-03-01T12:00:00",
	    AT);
	(void)queue_cases_add(&cases, 2, ADA, WIRE, "x", "noon", AT);
	assert_int_equal(queue_case_verdict(&cases, &cases.list[0], &why),
	    QUEUE_UNCLEAR);
	assert_non_null(strstr(why, "UTC"));
	assert_int_equal(queue_case_verdict(&cases, &cases.list[1], &why),
	    QUEUE_UNCLEAR);
	assert_non_null(strstr(why, "cannot be read"));
	assert_ptr_equal(queue_cases_find(&cases, 2), &cases.list[1]);
	assert_null(queue_cases_find(&cases, 3));
	queue_cases_clear(&cases);
}

static void
test_no_listing(void **state)
{
	static const char *const bad[] = { "{}", "[{}]", "[{\"message_type\":"
	    "\"user_message\",\"date\":\"noon\"}]", "nothing", NULL };
	struct queue_cases cases = { 0 };
	struct queue_page page;

	(void)state;
	for (const char *const *b = bad; *b; b++) {
		struct err err = ERR_INIT;

		assert_int_equal(queue_cases_page(&cases, *b, strlen(*b),
		    &page, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
	}
	queue_cases_clear(&cases);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_maybe_sent),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_no_listing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
