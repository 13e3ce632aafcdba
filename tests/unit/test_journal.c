#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/journal.h"
#include "journal_bed.h"

static void
test_facts_and_ids(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	char *text;

	OK(journal_get(j, "shell", &text, &err));
	assert_null(text);
	OK(journal_put(j, "shell", "{\"n\": 1e400}", &err));
	OK(journal_put(j, "shell", "{\"n\": 0.70}", &err));
	OK(journal_id_put(j, "block", "block-1", "block-8", &err));
	OK(journal_id_put(j, "block", "block-1", "block-9", &err));
	OK(journal_id_put(j, "row", "block-1", "other", &err));
	journal_close(j);

	j = journal_bed_open(p, false);
	OK(journal_get(j, "shell", &text, &err));
	assert_string_equal(text, "{\"n\": 0.70}");
	free(text);
	OK(journal_id_get(j, "block", "block-1", &text, &err));
	assert_string_equal(text, "block-9");
	free(text);
	OK(journal_id_get(j, "agent", "block-1", &text, &err));
	assert_null(text);
	FAILS(journal_put(j, "shell", "x", &err), ERR_FAILED, p->path);
	journal_close(j);
}

static int
list_step(void *ctx, const struct journal_step *s, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s %d %s%s(%s)\n", s->name, (int)s->state,
	    *s->begun_at ? "b" : "-", *s->ended_at ? "e" : "-", s->note);
	return 0;
}

static int
stop_list(void *ctx, const struct journal_step *s, struct err *err)
{
	(*(int *)ctx)++;
	return err_set(err, ERR_STALE, "enough at %s", s->name);
}

static void
test_steps(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	struct buf list = BUF_INIT(1024);
	enum journal_state s;
	int called = 0;

	OK(journal_step_state(j, "copy", &s, &err));
	assert_int_equal(s, JOURNAL_NONE);
	OK(journal_step_begin(j, "copy", &err));
	OK(journal_step_begin(j, "alpha", &err));
	OK(journal_step_state(j, "copy", &s, &err));
	assert_int_equal(s, JOURNAL_BEGUN);
	OK(journal_step_end(j, "copy", JOURNAL_DONE, "340 rows", &err));
	OK(journal_step_end(j, "alpha", JOURNAL_UNDONE, NULL, &err));
	OK(journal_step_end(j, "seen", JOURNAL_DONE, "", &err));
	OK(journal_step_begin(j, "alpha", &err));
	journal_close(j);

	j = journal_bed_open(p, false);
	OK(journal_steps(j, list_step, &list, &err));
	assert_string_equal(buf_cstr(&list), "copy 2 be(340 rows)\n"
	    "alpha 1 b-()\nseen 2 -e()\n");
	FAILS(journal_steps(j, stop_list, &called, &err), ERR_STALE,
	    "enough at copy");
	assert_int_equal(called, 1);
	buf_clear(&list);
	journal_close(j);
}

static void
test_step_needs_no_page(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	enum journal_state s;

	OK(journal_page_begin(j, &err));
	FAILS(journal_step_begin(j, "copy", &err), ERR_FAILED, "page is open");
	FAILS(journal_step_end(j, "copy", JOURNAL_NONE, "", &err), ERR_FAILED,
	    "no such state");
	FAILS(journal_page_begin(j, &err), ERR_FAILED, "open already");
	journal_page_abort(j);
	OK(journal_step_state(j, "copy", &s, &err));
	assert_int_equal(s, JOURNAL_NONE);
	journal_close(j);
}

static void
test_pages(void **state)
{
	static const char scope[] = "source/sage/messages";
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	bool added;

	journal_bed_cursor(j, scope, "none");
	OK(journal_page_begin(j, &err));
	journal_bed_add(j, scope, "m", 0, 3);
	OK(journal_row_add(j, scope, "m1", "new", 3, &added, &err));
	assert_false(added);
	OK(journal_page_commit(j, scope, "m2", false, &err));
	journal_bed_cursor(j, scope, "m2");

	/* What is not committed never was: rows, ids, the scope itself. */
	OK(journal_page_begin(j, &err));
	journal_bed_add(j, scope, "m", 3, 2);
	journal_bed_add(j, "other", "x", 0, 2);
	OK(journal_id_put(j, "row", "m3", "n3", &err));
	assert_int_equal(journal_bed_count(j, scope), 5);
	journal_page_abort(j);
	journal_page_abort(j);
	assert_int_equal(journal_bed_count(j, scope), 3);
	assert_int_equal(journal_bed_count(j, "other"), 0);
	FAILS(journal_row_add(j, scope, "m9", "", 0, &added, &err),
	    ERR_FAILED, "no page is open");
	FAILS(journal_page_commit(j, scope, "", true, &err), ERR_FAILED,
	    "no page is open");

	OK(journal_page_begin(j, &err));
	journal_bed_add(j, "other", "x", 0, 2);
	OK(journal_page_commit(j, "other", NULL, true, &err));
	journal_bed_cursor(j, "other", ".");
	OK(journal_scope_drop(j, scope, &err));
	assert_int_equal(journal_bed_count(j, scope), 0);
	assert_int_equal(journal_bed_count(j, "other"), 2);
	journal_bed_cursor(j, scope, "none");
	OK(journal_page_begin(j, &err));
	journal_bed_add(j, scope, "m", 0, 1);
	OK(journal_page_commit(j, scope, "m0", true, &err));
	journal_bed_cursor(j, scope, "m0.");
	journal_close(j);
}

/* Walk a scope and compare "seq:id=body;" of all rows. */
static void
expect_rows(struct journal *j, const char *scope, bool sorted,
    const char *want)
{
	struct err err = ERR_INIT;
	struct buf seen = BUF_INIT(4096);
	struct journal_rows *rows;
	struct journal_row row;
	int rc;

	OK(journal_rows_open(j, scope, sorted, &rows, &err));
	for (;;) {
		rc = journal_rows_next(rows, &row, &err);
		if (rc <= 0)
			break;
		buf_printf(&seen, "%" PRId64 ":%s=", row.seq, row.id);
		buf_add(&seen, row.body, row.body_len);
		buf_char(&seen, ';');
	}
	assert_int_equal(rc, 0);
	assert_int_equal(journal_rows_next(rows, &row, &err), 0);
	assert_string_equal(buf_cstr(&seen), want);
	buf_clear(&seen);
	journal_rows_close(rows);
}

/* Numbers and counts are kept from row to row: whatever comes between. */
static void
test_rows_are_counted_on(void **state)
{
	static const char one[] = "source/one", two[] = "source/two";
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	bool added;

	OK(journal_page_begin(j, &err));
	journal_bed_add(j, one, "a", 0, 2);
	assert_int_equal(journal_bed_count(j, one), 2);
	journal_bed_add(j, one, "a", 2, 1);
	OK(journal_row_add(j, one, "a0", "", 0, &added, &err));
	assert_false(added);
	assert_int_equal(journal_bed_count(j, one), 3);
	journal_bed_add(j, two, "b", 0, 1);
	journal_bed_add(j, one, "a", 3, 1);
	OK(journal_page_commit(j, one, "a3", false, &err));
	assert_int_equal(journal_bed_count(j, one), 4);

	/* What is given up is not counted, and its numbers come again. */
	OK(journal_page_begin(j, &err));
	journal_bed_add(j, one, "x", 0, 5);
	journal_page_abort(j);
	assert_int_equal(journal_bed_count(j, one), 4);
	OK(journal_page_begin_front(j, one, &err));
	journal_bed_add(j, one, "f", 0, 1);
	OK(journal_page_commit(j, one, "f0", false, &err));
	OK(journal_page_begin(j, &err));
	journal_bed_add(j, one, "a", 4, 1);
	OK(journal_page_commit(j, one, "a4", true, &err));
	assert_int_equal(journal_bed_count(j, one), 6);
	assert_int_equal(journal_bed_count(j, two), 1);
	expect_rows(j, one, false, "-1048576:f0=f0;0:a0=a0;1:a1=a1;2:a2=a2;"
	    "3:a3=a3;4:a4=a4;");
	journal_close(j);
}

static void
test_walk_order(void **state)
{
	static const char *const bodies[] = { "b", "\xc3\xa4", "", "a", "B" };
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	char id[2] = "p";
	bool added;
	size_t i;

	OK(journal_page_begin(j, &err));
	for (i = 0; i < 5; i++) {
		id[0] = (char)('v' + i);
		OK(journal_row_add(j, "s", id, bodies[i], strlen(bodies[i]),
		    &added, &err));
	}
	journal_bed_add(j, "t", "x", 7, 1);
	OK(journal_page_commit(j, "s", "", true, &err));
	expect_rows(j, "t", false, "0:x7=x7;");
	expect_rows(j, "s", false, "0:v=b;1:w=\xc3\xa4;2:x=;3:y=a;4:z=B;");
	expect_rows(j, "s", true, "2:x=;4:z=B;3:y=a;0:v=b;1:w=\xc3\xa4;");
	expect_rows(j, "none", false, "");
	journal_close(j);
}

/* A listing that goes backwards: the newest page comes first. */
static void
test_pages_in_front(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	struct journal_rows *rows;
	struct journal_row row;
	uint64_t n = 0;
	char *body, name[32];
	bool added;

	for (int page = 2; page >= 0; page--) {
		OK(journal_page_begin_front(j, "s", &err));
		journal_bed_add(j, "s", "m", page * 10, 10);
		/* What is there stays where it is. */
		OK(journal_row_add(j, "s", "m29", "again", 5, &added, &err));
		assert_false(added && page < 2);
		OK(journal_page_commit(j, "s", "", page == 0, &err));
	}
	OK(journal_rows_open(j, "s", false, &rows, &err));
	while (journal_rows_next(rows, &row, &err) == 1) {
		(void)snprintf(name, sizeof(name), "m%" PRIu64, n++);
		assert_string_equal(row.id, name);
	}
	journal_rows_close(rows);
	assert_int_equal(n, 30);

	OK(journal_row_get(j, "s", "m7", &body, &err));
	assert_string_equal(body, "m7");
	free(body);
	OK(journal_row_get(j, "s", "m30", &body, &err));
	assert_null(body);
	FAILS(journal_row_set(j, "s", "m7", "x", 1, &err), ERR_FAILED,
	    "no page is open");
	OK(journal_page_begin(j, &err));
	OK(journal_row_set(j, "s", "m7", "other", 5, &err));
	OK(journal_page_commit(j, "s", "", true, &err));
	OK(journal_row_get(j, "s", "m7", &body, &err));
	assert_string_equal(body, "other");
	free(body);
	OK(journal_page_begin(j, &err));
	FAILS(journal_row_set(j, "s", "m30", "x", 1, &err), ERR_MISSING,
	    "no such row");
	journal_page_abort(j);
	journal_close(j);
}

static void
test_walk_while_adding(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	struct journal_rows *rows;
	struct journal_row row;
	uint64_t n = 0;
	char id[32];
	int rc;

	OK(journal_page_begin(j, &err));
	journal_bed_add(j, "from", "m", 0, 500);
	OK(journal_page_commit(j, "from", "", true, &err));
	OK(journal_rows_open(j, "from", false, &rows, &err));
	for (;;) {
		rc = journal_rows_next(rows, &row, &err);
		if (rc <= 0)
			break;
		assert_int_equal(row.seq, n);
		(void)snprintf(id, sizeof(id), "m%" PRIu64, n);
		OK(journal_page_begin(j, &err));
		journal_bed_add(j, "to", "t", (int)n, 1);

		/* Neither a commit nor an abort disturbs the walk. */
		if (n % 3 == 2) {
			journal_page_abort(j);
			OK(journal_page_begin(j, &err));
			journal_bed_add(j, "to", "t", (int)n, 1);
		}
		OK(journal_page_commit(j, "to", id, false, &err));
		assert_string_equal(row.id, id);
		assert_string_equal(row.body, id);
		n++;
	}
	assert_int_equal(rc, 0);
	journal_rows_close(rows);
	assert_int_equal(n, 500);
	assert_int_equal(journal_bed_count(j, "to"), 500);
	journal_close(j);
}

/* In a child: three pages, half of a fourth, and the process is gone. */
static void
die_in_page(const struct journal_bed *p)
{
	struct err err = ERR_INIT;
	struct journal *j = journal_bed_open(p, true);
	char cursor[16];
	int page;

	OK(journal_step_begin(j, "read", &err));
	for (page = 0; page < 4; page++) {
		(void)snprintf(cursor, sizeof(cursor), "page%d", page);
		OK(journal_page_begin(j, &err));
		journal_bed_add(j, "s", "m", page * 100, page == 3 ? 57 : 100);
		if (page == 3)
			(void)raise(SIGKILL);
		OK(journal_page_commit(j, "s", cursor, false, &err));
	}
}

static void
test_kill_loses_only_the_open_page(void **state)
{
	struct journal_bed *p = *state;
	struct err err = ERR_INIT;
	struct journal *j;
	enum journal_state s;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		die_in_page(p);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));

	/* A reader alone sees what was committed, before any writer. */
	j = journal_bed_open(p, false);
	assert_int_equal(journal_bed_count(j, "s"), 300);
	journal_close(j);

	j = journal_bed_open(p, true);
	assert_int_equal(journal_bed_count(j, "s"), 300);
	journal_bed_cursor(j, "s", "page2");
	OK(journal_step_state(j, "read", &s, &err));
	assert_int_equal(s, JOURNAL_BEGUN);
	OK(journal_page_begin(j, &err));
	journal_bed_add(j, "s", "m", 300, 100);
	OK(journal_page_commit(j, "s", "page3", true, &err));
	assert_int_equal(journal_bed_count(j, "s"), 400);
	journal_close(j);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_facts_and_ids),
		TEST(test_steps),
		TEST(test_step_needs_no_page),
		TEST(test_pages),
		TEST(test_rows_are_counted_on),
		TEST(test_walk_order),
		TEST(test_pages_in_front),
		TEST(test_walk_while_adding),
		TEST(test_kill_loses_only_the_open_page),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
