#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker_queue.h"
#include "flow/worker_source.h"
#include "io/host.h"
#include "fake_http.h"
#undef OK
#undef FAILS
#include "queue_bed.h"

#define NO_URL "http://127.0.0.1:9"
#define STATES "SELECT id, status, attempts, timestamp FROM queue"
#define T1 "2026-03-01T10:00:01"
#define T2 "2026-03-01T10:00:02"

static void
test_counts(void **state)
{
	struct queue_bed bed;
	struct worker_queue_counts counts;
	struct db_report report;
	struct err err = ERR_INIT;

	queue_bed_open(&bed, *state, NO_URL, NO_URL);
	queue_bed_row(bed.old_db, 1, "pending", 0, "a", T1);
	queue_bed_row(bed.old_db, 2, "pending", 2, "b", T1);
	queue_bed_row(bed.old_db, 3, "held", 1, "c", T1);
	queue_bed_row(bed.old_db, 4, "processing", 1, "d", T1);
	queue_bed_row(bed.old_db, 5, "flushed", 1, "e", T1);
	OK(worker_queue_counts(bed.from, bed.old_db, &counts, &err));
	assert_int_equal(counts.pending, 2);
	assert_int_equal(counts.held, 1);
	assert_int_equal(counts.processing, 1);
	assert_int_equal(counts.retried, 2);
	assert_int_equal(counts.other, 1);

	/* A plugin's table, of a module that is not ours to have. */
	queue_bed_sql(bed.old_db, "PRAGMA writable_schema = 1; INSERT INTO "
	    "sqlite_schema VALUES ('table', 'vec', 'vec', 0, "
	    "'CREATE VIRTUAL TABLE vec USING vec0(a)')");
	OK(worker_queue_counts(bed.from, bed.old_db, &counts, &err));
	OK(host_db_check(bed.from, bed.old_db, &report, &err));
	queue_bed_sql(bed.old_db, "PRAGMA writable_schema = 1; DELETE FROM "
	    "sqlite_schema WHERE name = 'vec'");
	queue_bed_sql(bed.old_db, "ALTER TABLE queue RENAME attempts TO n");
	FAILS(worker_queue_counts(bed.from, bed.old_db, &counts, &err),
	    ERR_DATA, "it has no queue.attempts");
	queue_bed_close(&bed);
}

/* What others hold stays theirs, and times stay what they were. */
static void
test_hold_and_thaw(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;

	queue_bed_open(&bed, *state, NO_URL, NO_URL);
	queue_bed_row(bed.old_db, 1, "pending", 0, "a", T1);
	queue_bed_row(bed.old_db, 2, "held", 0, "b", T1);
	queue_bed_row(bed.old_db, 3, "completed", 0, "c", T1);
	OK(worker_queue_hold(bed.run, bed.worker, WORKER_MOVE, bed.from,
	    bed.old_db, &err));
	queue_bed_again(&bed);
	queue_bed_row(bed.old_db, 4, "pending", 1, "d", T2);
	OK(worker_queue_hold(bed.run, bed.worker, WORKER_MOVE, bed.from,
	    bed.old_db, &err));
	OK(worker_queue_hold(bed.run, bed.worker, WORKER_MOVE, bed.from,
	    bed.old_db, &err));
	queue_bed_expect(bed.old_db, STATES, "1|held|0|" T1 "\n2|held|0|" T1
	    "\n3|completed|0|" T1 "\n4|held|1|" T2 "\n");
	for (int i = 0; i < 2; i++)
		OK(worker_queue_thaw(bed.run, bed.worker, WORKER_MOVE,
		    bed.from, bed.old_db, &err));
	queue_bed_expect(bed.old_db, STATES, "1|pending|0|" T1 "\n2|held|0|"
	    T1 "\n3|completed|0|" T1 "\n4|pending|1|" T2 "\n");
	queue_bed_close(&bed);
}


/* An answer with the length of its body; the caller frees it. */
static char *
answer(const char *body)
{
	return mem_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
}

static void
judge(struct queue_bed *bed, struct buf *said)
{
	struct plan_note note = { .summary = BUF_INIT(4096),
		.diff = BUF_INIT(65536) };
	struct err err = ERR_INIT;

	OK(worker_queue_judge(bed->run, bed->worker, WORKER_MOVE, bed->to,
	    bed->new_db, &note, &err));
	buf_str(said, buf_cstr(&note.summary));
	buf_char(said, '\n');
	buf_str(said, buf_cstr(&note.diff));
	buf_clear(&note.summary);
	buf_clear(&note.diff);
}

#define SENT(at, text) "{\"id\":\"message-1\",\"date\":\"2026-03-01T10:" at \
    "Z\",\"message_type\":\"user_message\",\"sender_id\":\"" QUEUE_BED_ADA \
    "\",\"content\":\"[Username: @ada, Telegram ID: 7] " text "\"}"
#define SAYS(at, text) "{\"id\":\"message-2\",\"date\":\"2026-03-01T10:" at \
    "Z\",\"message_type\":\"assistant_message\",\"content\":\"" text "\"}"

/* The rows of a queue at the freeze, and what became of them. */
static void
fill(struct queue_bed *bed)
{
	struct err err = ERR_INIT;

	queue_bed_row(bed->old_db, 1, "processing", 0, "one", T1);
	queue_bed_row(bed->old_db, 2, "pending", 1, "two", T1);
	queue_bed_row(bed->old_db, 3, "pending", 1, "three", T1);
	queue_bed_row(bed->old_db, 4, "pending", 0, "four", T1);
	queue_bed_row(bed->old_db, 5, "held", 1, "five", T1);
	OK(worker_queue_hold(bed->run, bed->worker, WORKER_MOVE, bed->from,
	    bed->old_db, &err));
	queue_bed_copy(bed->old_db, bed->new_db);
}

static const char page[] = "[" SENT("00:05", "one") "," SAYS("00:06",
    "first") "," SENT("00:07", "three") "]";

static void
test_judge(void **state)
{
	char *text = answer(page);
	struct fake_turn turns[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n"
		    "{\"version\":\"0.16.2\",\"status\":\"ok\"}", FAKE_KEEP },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", FAKE_KEEP },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", FAKE_KEEP },
		{ text, FAKE_KEEP },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", FAKE_KEEP },
		{ NULL, FAKE_KEEP }
	};
	struct buf said = BUF_INIT(65536), log = BUF_INIT(65536);
	struct fake_http fake;
	struct queue_bed bed;
	struct err err = ERR_INIT;

	fake_http_start(&fake, turns);
	queue_bed_open(&bed, *state, fake.url, NO_URL);
	fill(&bed);
	judge(&bed, &said);
	assert_non_null(strstr(buf_cstr(&said), "3 rows of the queue may "
	    "have been sent: 1 answered, 1 not, 1 unclear and held\n"));
	assert_non_null(strstr(buf_cstr(&said), "row 1, message 1 of telegram "
	    "7 (ada): answered by the agent; whether"));
	assert_non_null(strstr(buf_cstr(&said), "row 3, message 3 of telegram "
	    "7 (ada): held: the agent has it"));
	OK(worker_queue_release(bed.run, bed.worker, WORKER_MOVE, bed.to,
	    bed.new_db, &err));
	queue_bed_expect(bed.new_db, STATES, "1|completed|0|" T1
	    "\n2|pending|1|" T1 "\n3|held|1|" T1 "\n4|pending|0|" T1
	    "\n5|held|1|" T1 "\n");
	queue_bed_expect(bed.new_db, "SELECT id, processed, agent_response "
	    "FROM messages WHERE id < 3", "1|1|first\n2|0|-\n");
	/* The source has what it had. */
	OK(worker_queue_thaw(bed.run, bed.worker, WORKER_MOVE, bed.from,
	    bed.old_db, &err));
	queue_bed_expect(bed.old_db, "SELECT status FROM queue",
	    "processing\npending\npending\npending\nheld\n");
	queue_bed_close(&bed);
	fake_http_stop(&fake, &log);
	assert_non_null(strstr(buf_cstr(&log), "/v1/runs/?active=true"));
	buf_clear(&said);
	buf_clear(&log);
	free(text);
}

/* Killed before the database was written, or after: judged again. */
static void
test_judge_again(void **state)
{
	static const struct fake_turn turns[] = {
		{ "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
		{ "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
		{ "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
		{ NULL, FAKE_KEEP }
	};
	struct buf said = BUF_INIT(65536), more = BUF_INIT(65536);
	struct buf log = BUF_INIT(65536);
	struct fake_http fake;
	struct queue_bed bed;

	fake_http_start(&fake, turns);
	queue_bed_open(&bed, *state, fake.url, NO_URL);
	fill(&bed);
	judge(&bed, &said);
	assert_non_null(strstr(buf_cstr(&said), "3 unclear and held"));
	assert_non_null(strstr(buf_cstr(&said), "the agent cannot be asked: "));
	queue_bed_expect(bed.new_db, "SELECT status FROM queue",
	    "held\nheld\nheld\nheld\nheld\n");
	queue_bed_again(&bed);
	judge(&bed, &more);
	assert_string_equal(buf_cstr(&said), buf_cstr(&more));
	buf_truncate(&more, 0);
	queue_bed_copy(bed.old_db, bed.new_db);
	judge(&bed, &more);
	assert_string_equal(buf_cstr(&said), buf_cstr(&more));
	queue_bed_expect(bed.new_db, "SELECT status FROM queue",
	    "held\nheld\nheld\nheld\nheld\n");
	queue_bed_close(&bed);
	fake_http_stop(&fake, &log);
	buf_clear(&said);
	buf_clear(&more);
	buf_clear(&log);
}

/* The agent is that of the nearest .env, and is remembered. */
static void
test_agent(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;
	char *id = NULL, *env;

	queue_bed_open(&bed, *state, NO_URL, NO_URL);
	env = mem_printf("%s/old/broca/.env", bed.files->root);
	OK(worker_source_agent(bed.run, bed.worker, &id, &err));
	assert_string_equal(id, QUEUE_BED_AGENT);
	free(id);
	assert_int_equal(unlink(env), 0);
	OK(worker_source_agent(bed.run, bed.worker, &id, &err));
	assert_string_equal(id, QUEUE_BED_AGENT);
	free(id);
	free(env);
	queue_bed_close(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts),
		TEST(test_hold_and_thaw),
		TEST(test_judge),
		TEST(test_judge_again),
		TEST(test_agent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
