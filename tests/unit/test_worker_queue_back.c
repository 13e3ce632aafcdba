#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "flow/plan.h"
#include "flow/worker_queue.h"
#include "flow/worker_queue_back.h"
#include "queue_bed.h"

#define URL "http://127.0.0.1:9"
#define T1 "2026-03-01T10:00:01"
#define T9 "2026-03-02T10:00:09"
#define ROWS "SELECT id, letta_user_id, message_id, status, attempts, " \
    "timestamp FROM queue"

/* A switch: five rows at the source, held, and the copy that the target has. */
static void
move(struct queue_bed *bed, void **state)
{
	struct err err = ERR_INIT;

	queue_bed_open(bed, *state, URL, URL);
	queue_bed_row(bed->old_db, 1, "completed", 0, "one", T1);
	queue_bed_row(bed->old_db, 2, "pending", 0, "two", T1);
	queue_bed_row(bed->old_db, 3, "pending", 0, "three", T1);
	queue_bed_row(bed->old_db, 4, "pending", 0, "four", T1);
	queue_bed_row(bed->old_db, 5, "held", 0, "five", T1);
	queue_bed_row(bed->old_db, 6, "failed", 0, "six", T1);
	queue_bed_row(bed->old_db, 7, "flushed", 0, "seven", T1);
	OK(worker_queue_hold(bed->run, bed->worker, WORKER_MOVE, bed->from,
	    bed->old_db, &err));
	queue_bed_copy(bed->old_db, bed->new_db);
	OK(worker_queue_mark(bed->run, bed->worker, bed->to, bed->new_db,
	    &err));
	OK(worker_queue_release(bed->run, bed->worker, WORKER_MOVE, bed->to,
	    bed->new_db, &err));
}

/* What a target does in a day: it answers, meets somebody, loses a row. */
static void
serve(struct queue_bed *bed)
{
	queue_bed_sql(bed->new_db,
	    "UPDATE queue SET status = 'completed', timestamp = '" T9
	    "' WHERE id IN (2, 6);"
	    "UPDATE queue SET status = 'pending' WHERE id = 7;"
	    "UPDATE messages SET agent_response = 'Gr\xc3\xbc\xc3\x9f \"e\"\n',"
	    " processed = 1 WHERE id IN (2, 6);"
	    "DELETE FROM queue WHERE id = 4;"
	    "UPDATE platform_profiles SET username = 'ada2', last_active = '"
	    T9 "' WHERE id = 1;"
	    "INSERT INTO letta_users VALUES (3, '" T9 "', '" T9
	    "', 'identity-3', 'block-3', NULL, '', 1);"
	    "INSERT INTO platform_profiles VALUES (3, 3, 'telegram', '9', "
	    "NULL, 'Eve', '{\"a\":1}', '" T9 "', '" T9 "');"
	    "INSERT INTO messages VALUES (8, 3, 3, 'user', 'hi', '" T9
	    "', 1, 'hi Eve'), (9, 3, 3, 'user', 'and?', '" T9 "', 0, NULL);"
	    "INSERT INTO queue VALUES (8, 3, 8, 'completed', 0, '" T9 "'),"
	    "(9, 3, 9, 'pending', 2, '" T9 "')");
}

static int
bring_back(struct queue_bed *bed, bool fresh, struct err *err)
{
	struct plan_note note = { .summary = BUF_INIT(4096),
		.diff = BUF_INIT(65536) };
	int rc;

	rc = worker_queue_back(bed->run, bed->worker, bed->to, bed->new_db,
	    bed->from, bed->old_db, fresh, &note, err);
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	return rc;
}

static void
hold_target(struct queue_bed *bed)
{
	struct err err = ERR_INIT;

	OK(worker_queue_hold(bed->run, bed->worker, WORKER_REVERSE, bed->to,
	    bed->new_db, &err));
}

#define KNOWN "1|1|1|completed|0|" T1 "\n2|1|2|completed|0|" T9 \
    "\n3|1|3|pending|0|" T1 "\n4|1|4|flushed|0|" T1 "\n5|1|5|held|0|" T1 \
    "\n6|1|6|completed|0|" T9 "\n7|1|7|pending|0|" T1 "\n"
#define FRESH "8|3|8|completed|0|" T9 "\n9|3|9|pending|2|" T9 "\n"

static void
test_all_comes_back(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;

	move(&bed, state);
	serve(&bed);
	hold_target(&bed);
	for (int i = 0; i < 2; i++) {
		OK(bring_back(&bed, true, &err));
		queue_bed_expect(bed.old_db, ROWS, KNOWN FRESH);
		queue_bed_expect(bed.old_db, "SELECT id, processed, "
		    "agent_response FROM messages WHERE id > 1", "2|1|Gr\xc3"
		    "\xbc\xc3\x9f \"e\"\n\n3|0|-\n4|0|-\n5|0|-\n6|1|Gr\xc3"
		    "\xbc\xc3\x9f \"e\"\n\n7|0|-\n8|1|hi Eve\n9|0|-\n");
		queue_bed_expect(bed.old_db, "SELECT id, letta_identity_id, "
		    "letta_block_id, agent_preferences, custom_instructions, "
		    "typeof(is_active) FROM letta_users WHERE id > 1",
		    "2|identity-2|block-2|-|-|integer\n"
		    "3|identity-3|block-3|-||integer\n");
		queue_bed_expect(bed.old_db, "SELECT id, username, "
		    "display_name, metadata FROM platform_profiles",
		    "1|ada2|Ada|-\n2|bob|Bob|{}\n3|-|Eve|{\"a\":1}\n");
		queue_bed_expect(bed.old_db, "SELECT seq FROM sqlite_sequence "
		    "ORDER BY name", "3\n9\n3\n9\n");
		queue_bed_expect(bed.old_db, "PRAGMA foreign_key_check", "");
		/* A thaw finds nothing to do, whatever else it did. */
		OK(worker_queue_thaw(bed.run, bed.worker, WORKER_MOVE,
		    bed.from, bed.old_db, &err));
	}
	queue_bed_close(&bed);
}

/* Told not to: no new row, and no row that would be answered twice. */
static void
test_states_alone(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;

	move(&bed, state);
	serve(&bed);
	hold_target(&bed);
	OK(bring_back(&bed, false, &err));
	queue_bed_expect(bed.old_db, ROWS, KNOWN);
	queue_bed_expect(bed.old_db, "SELECT count(*) FROM letta_users",
	    "2\n");
	queue_bed_close(&bed);
}

static void
test_a_source_that_ran(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;

	move(&bed, state);
	serve(&bed);
	hold_target(&bed);
	queue_bed_row(bed.old_db, 8, "pending", 0, "late", T9);
	FAILS(bring_back(&bed, true, &err), ERR_STALE, "the source may have "
	    "taken rows since the switch");
	queue_bed_expect(bed.old_db, "SELECT status FROM queue",
	    "completed\nheld\nheld\nheld\nheld\nfailed\nflushed\npending\n");
	queue_bed_expect(bed.old_db, "SELECT count(*) FROM letta_users",
	    "2\n");
	queue_bed_close(&bed);
}

static void
test_a_row_in_processing(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;

	move(&bed, state);
	FAILS(bring_back(&bed, true, (queue_bed_sql(bed.new_db, "UPDATE queue "
	    "SET status = 'processing' WHERE id = 3"), &err)), ERR_FAILED,
	    "row 3 of the target's queue is in processing");
	queue_bed_close(&bed);
}

/* Unclear at the target: held at the source, whatever thaws it. */
static void
test_unclear_stays_held(void **state)
{
	struct plan_note note = { .summary = BUF_INIT(4096),
		.diff = BUF_INIT(65536) };
	struct queue_bed bed;
	struct err err = ERR_INIT;

	move(&bed, state);
	hold_target(&bed);
	queue_bed_sql(bed.new_db, "UPDATE queue SET status = 'processing' "
	    "WHERE id = 2; UPDATE queue SET attempts = 1 WHERE id = 3");
	OK(worker_queue_judge(bed.run, bed.worker, WORKER_REVERSE, bed.to,
	    bed.new_db, &note, &err));
	OK(bring_back(&bed, true, &err));
	OK(worker_queue_thaw(bed.run, bed.worker, WORKER_MOVE, bed.from,
	    bed.old_db, &err));
	queue_bed_expect(bed.old_db, "SELECT status, attempts FROM queue",
	    "completed|0\nheld|0\nheld|1\npending|0\nheld|0\nfailed|0\n"
	    "flushed|0\n");
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	queue_bed_close(&bed);
}

static void
test_a_job_that_moved_nothing(void **state)
{
	struct queue_bed bed;
	struct err err = ERR_INIT;

	queue_bed_open(&bed, *state, URL, URL);
	queue_bed_copy(bed.old_db, bed.new_db);
	FAILS(bring_back(&bed, true, &err), ERR_DATA, "has not moved it");
	queue_bed_close(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_comes_back),
		TEST(test_states_alone),
		TEST(test_a_source_that_ran),
		TEST(test_a_row_in_processing),
		TEST(test_unclear_stays_held),
		TEST(test_a_job_that_moved_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
