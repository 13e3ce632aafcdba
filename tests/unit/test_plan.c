#include "base/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "io/journal.h"
#include "journal_bed.h"

/* What a scripted step does, and what it saw. */
struct script {
	enum plan_found found;
	bool probe_fails, act_fails, undo_fails;
	bool interrupts;		/* act sends us SIGTERM */
	const struct journal_bed *bed;
	enum journal_state on_disk;	/* while act ran */
};

/* What happened, in order: "probe a, begin a, act a, end a, ". */
static struct buf trace = BUF_INIT(4096);

/* The step's middle part: "g.NAME.word". */
static void
note_down(const char *what, const char *step)
{
	const char *name = strchr(step, '.') + 1;

	buf_printf(&trace, "%s %.*s, ", what, (int)strcspn(name, "."), name);
}

static void
expect_trace(const char *want)
{
	assert_string_equal(buf_cstr(&trace), want);
	buf_clear(&trace);
}

/* The state that another process would read now. */
static enum journal_state
state_on_disk(const struct journal_bed *bed, const char *step)
{
	enum journal_state state = JOURNAL_NONE;
	struct journal *j = journal_bed_open(bed, false);
	struct err err = ERR_INIT;

	OK(journal_step_state(j, step, &state, &err));
	journal_close(j);
	return state;
}

static int
probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct script *s = step->subject;

	(void)run;
	note_down("probe", step->name);
	if (s->probe_fails)
		return err_set(err, ERR_UNREACHABLE, "no route");
	plan_say(note, '~', "as seen by probe");
	buf_str(&note->diff, "-a\n+b\n");
	*found = s->found;
	return 0;
}

static int
act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct script *s = (struct script *)(uintptr_t)step->subject;

	(void)run;
	note_down("act", step->name);
	if (s->bed)
		s->on_disk = state_on_disk(s->bed, step->name);
	if (s->act_fails)
		return err_set(err, ERR_AUTH, "refused");
	if (s->interrupts)
		(void)raise(SIGTERM);
	plan_say(note, '+', "%d rows", 7);
	s->found = PLAN_DONE;
	return 0;
}

static int
undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct script *s = step->subject;

	(void)run;
	note_down("undo", step->name);
	if (s->undo_fails)
		return err_set(err, ERR_FAILED, "in use");
	plan_say(note, '-', "removed");
	return 0;
}

static const struct step_kind scripted = {
	.word = "word", .probe = probe, .act = act, .undo = undo
};
static const struct step_kind without_undo = {
	.word = "word", .probe = probe, .act = act
};

static void
event(void *ctx, const struct plan_event *e)
{
	static const char *const words[] = { "found", "begin", "end" };

	(void)ctx;
	note_down(e->type == PLAN_EVENT_END && !e->acted ? "nothing" :
	    words[e->type], e->step);
	if ((e->type == PLAN_EVENT_BEGIN) != !e->note)
		fail_msg("note of %s", e->step);
	if (e->type == PLAN_EVENT_FOUND)
		assert_string_equal(buf_cstr(&e->note->diff), "-a\n+b\n");
	if (e->type == PLAN_EVENT_END && e->acted)
		assert_string_equal(buf_cstr(&e->note->diff), "");
}

static const struct plan_watch watch = { .event = event };
static const struct plan_watch nobody;

/* Three steps over a fresh journal. */
struct bed {
	struct journal_bed *files;
	struct run run;
	struct plan plan;
	struct script a, b, c;
};

static void
bed_open(struct bed *bed, void **state)
{
	*bed = (struct bed){ .files = *state };
	bed->a.found = bed->b.found = bed->c.found = PLAN_TODO;
	bed->run.journal = journal_bed_open(bed->files, true);
	plan_add(&bed->plan, "g", "a", &scripted, &bed->a);
	plan_add(&bed->plan, "g", "b", &scripted, &bed->b);
	plan_add(&bed->plan, "g", "c", &scripted, &bed->c);
}

static void
bed_close(struct bed *bed)
{
	plan_clear(&bed->plan);
	assert_int_equal(bed->plan.n_steps, 0);
	journal_close(bed->run.journal);
	buf_clear(&trace);
}

static void
expect_states(const struct bed *bed, enum journal_state a,
    enum journal_state b, enum journal_state c)
{
	assert_int_equal(state_on_disk(bed->files, "g.a.word"), a);
	assert_int_equal(state_on_disk(bed->files, "g.b.word"), b);
	assert_int_equal(state_on_disk(bed->files, "g.c.word"), c);
}

static int
add_note(void *ctx, const struct journal_step *step, struct err *err)
{
	(void)err;
	buf_printf(ctx, "%s=%s%s,", step->name, step->note,
	    *step->begun_at ? "" : " (never begun)");
	return 0;
}

static void
expect_notes(const struct bed *bed, const char *want)
{
	struct buf notes = BUF_INIT(1024);
	struct err err = ERR_INIT;

	OK(journal_steps(bed->run.journal, add_note, &notes, &err));
	assert_string_equal(buf_cstr(&notes), want);
	buf_clear(&notes);
}

static void
test_steps_run_in_order(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted = 9;

	bed_open(&bed, state);
	OK(plan_apply(&bed.run, &bed.plan, &watch, &acted, &err));
	assert_int_equal(acted, 3);
	expect_trace("probe a, begin a, act a, end a, "
	    "probe b, begin b, act b, end b, "
	    "probe c, begin c, act c, end c, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_DONE, JOURNAL_DONE);

	/* Figures of the act, not what the probe promised. */
	expect_notes(&bed, "g.a.word=7 rows,g.b.word=7 rows,g.c.word=7 rows,");

	/* Once more: there is nothing to do, and the figures stay. */
	OK(plan_apply(&bed.run, &bed.plan, &watch, &acted, &err));
	assert_int_equal(acted, 0);
	expect_trace("probe a, nothing a, probe b, nothing b, "
	    "probe c, nothing c, ");
	expect_notes(&bed, "g.a.word=7 rows,g.b.word=7 rows,g.c.word=7 rows,");
	bed_close(&bed);
}

/* A kill inside of act must find the intent on the disk. */
static void
test_intent_stands_before_the_act(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted;

	bed_open(&bed, state);
	bed.a.bed = bed.b.bed = bed.files;
	OK(plan_apply(&bed.run, &bed.plan, &nobody, &acted, &err));
	assert_int_equal(bed.a.on_disk, JOURNAL_BEGUN);
	assert_int_equal(bed.b.on_disk, JOURNAL_BEGUN);
	expect_states(&bed, JOURNAL_DONE, JOURNAL_DONE, JOURNAL_DONE);
	bed_close(&bed);
}

static void
test_a_failed_act_is_resumed(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted;

	bed_open(&bed, state);
	bed.b.act_fails = true;
	FAILS(plan_apply(&bed.run, &bed.plan, &watch, &acted, &err), ERR_AUTH,
	    "step g.b.word: refused");
	assert_int_equal(acted, 1);
	expect_trace("probe a, begin a, act a, end a, "
	    "probe b, begin b, act b, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_BEGUN, JOURNAL_NONE);

	bed.b.act_fails = false;
	err_clear(&err);
	OK(plan_apply(&bed.run, &bed.plan, &watch, &acted, &err));
	assert_int_equal(acted, 2);
	expect_trace("probe a, nothing a, probe b, begin b, act b, end b, "
	    "probe c, begin c, act c, end c, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_DONE, JOURNAL_DONE);
	bed_close(&bed);
}

/* The world was changed back after the step was done: it acts again. */
static void
test_the_probe_decides_not_the_journal(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted;

	bed_open(&bed, state);
	OK(plan_apply(&bed.run, &bed.plan, &nobody, &acted, &err));
	buf_clear(&trace);
	bed.b.found = PLAN_TODO;
	bed.b.bed = bed.files;
	OK(plan_apply(&bed.run, &bed.plan, &nobody, &acted, &err));
	assert_int_equal(acted, 1);
	assert_int_equal(bed.b.on_disk, JOURNAL_BEGUN);
	expect_trace("probe a, probe b, act b, probe c, ");
	bed_close(&bed);
}

static void
test_a_failed_probe_is_named(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t n;

	bed_open(&bed, state);
	bed.b.probe_fails = true;
	FAILS(plan_look(&bed.run, &bed.plan, &watch, &n, &err),
	    ERR_UNREACHABLE, "plan g.b.word: no route");
	expect_trace("probe a, found a, probe b, ");
	FAILS(plan_apply(&bed.run, &bed.plan, &nobody, &n, &err),
	    ERR_UNREACHABLE, "step g.b.word: no route");
	assert_true(err.transient);
	expect_trace("probe a, act a, probe b, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_NONE, JOURNAL_NONE);
	bed_close(&bed);
}

/* From every state that the journal may hold. */
static void
test_what_is_found_done_is_recorded(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted;

	bed_open(&bed, state);
	bed.a.found = bed.b.found = bed.c.found = PLAN_DONE;
	OK(journal_step_begin(bed.run.journal, "g.b.word", &err));
	OK(journal_step_begin(bed.run.journal, "g.c.word", &err));
	OK(journal_step_end(bed.run.journal, "g.c.word", JOURNAL_UNDONE, "x",
	    &err));
	OK(plan_apply(&bed.run, &bed.plan, &watch, &acted, &err));
	assert_int_equal(acted, 0);
	expect_trace("probe a, nothing a, probe b, nothing b, "
	    "probe c, nothing c, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_DONE, JOURNAL_DONE);
	expect_notes(&bed, "g.b.word=as seen by probe,"
	    "g.c.word=as seen by probe,g.a.word=as seen by probe,");
	bed_close(&bed);
}

static void
test_look_changes_nothing(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t todo = 9;

	bed_open(&bed, state);
	bed.a.found = PLAN_DONE;
	bed.c.found = PLAN_WAITS;
	OK(plan_look(&bed.run, &bed.plan, &watch, &todo, &err));
	assert_int_equal(todo, 2);
	expect_trace("probe a, found a, probe b, found b, probe c, found c, ");
	expect_states(&bed, JOURNAL_NONE, JOURNAL_NONE, JOURNAL_NONE);
	expect_notes(&bed, "");
	bed_close(&bed);
}

static void
test_what_waits_acts_when_its_turn_comes(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted;

	bed_open(&bed, state);
	bed.a.found = bed.c.found = PLAN_DONE;
	bed.b.found = PLAN_WAITS;
	OK(plan_apply(&bed.run, &bed.plan, &nobody, &acted, &err));
	assert_int_equal(acted, 1);
	expect_trace("probe a, probe b, act b, probe c, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_DONE, JOURNAL_DONE);
	bed_close(&bed);
}

static void
test_cancel_takes_back_in_reverse(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t acted, undone = 9;

	bed_open(&bed, state);
	bed.b.act_fails = true;
	FAILS(plan_apply(&bed.run, &bed.plan, &nobody, &acted, &err),
	    ERR_AUTH, "refused");
	buf_clear(&trace);

	/* b was begun, c was not. */
	OK(plan_cancel(&bed.run, &bed.plan, &watch, &undone, &err));
	assert_int_equal(undone, 2);
	expect_trace("begin b, undo b, end b, begin a, undo a, end a, ");
	expect_states(&bed, JOURNAL_UNDONE, JOURNAL_UNDONE, JOURNAL_NONE);
	expect_notes(&bed, "g.a.word=removed,g.b.word=removed,");
	OK(plan_cancel(&bed.run, &bed.plan, &watch, &undone, &err));
	assert_int_equal(undone, 0);
	expect_trace("");
	bed_close(&bed);
}

static void
test_a_failed_undo_stops_the_cancel(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t n;

	bed_open(&bed, state);
	OK(plan_apply(&bed.run, &bed.plan, &nobody, &n, &err));
	buf_clear(&trace);
	bed.b.undo_fails = true;
	FAILS(plan_cancel(&bed.run, &bed.plan, &nobody, &n, &err), ERR_FAILED,
	    "take back g.b.word: in use");
	assert_int_equal(n, 1);
	expect_trace("undo c, undo b, ");
	expect_states(&bed, JOURNAL_DONE, JOURNAL_DONE, JOURNAL_UNDONE);

	/* It goes on where it stopped. */
	bed.b.undo_fails = false;
	err_clear(&err);
	OK(plan_cancel(&bed.run, &bed.plan, &nobody, &n, &err));
	expect_trace("undo b, undo a, ");
	bed_close(&bed);
}

static void
test_a_step_without_undo(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	size_t n;

	bed_open(&bed, state);
	plan_add(&bed.plan, "g", "d", &without_undo, &bed.c);
	OK(plan_apply(&bed.run, &bed.plan, &nobody, &n, &err));
	buf_clear(&trace);
	OK(plan_cancel(&bed.run, &bed.plan, &nobody, &n, &err));
	assert_int_equal(n, 4);
	expect_trace("undo c, undo b, undo a, ");
	assert_int_equal(state_on_disk(bed.files, "g.d.word"),
	    JOURNAL_UNDONE);
	bed_close(&bed);
}

/* In a child, since a caught signal stays: 0 when all was as it should be. */
static int
interrupted(struct bed *bed)
{
	struct err err = ERR_INIT;
	size_t n;

	stop_catch();
	bed->a.interrupts = true;
	if (plan_apply(&bed->run, &bed->plan, &nobody, &n, &err) != -1 ||
	    err.kind != ERR_INTERRUPTED || n != 1)
		return 1;
	if (!str_eq(buf_cstr(&trace), "probe a, act a, "))
		return 2;
	err_clear(&err);
	if (plan_look(&bed->run, &bed->plan, &nobody, &n, &err) != -1 ||
	    err.kind != ERR_INTERRUPTED)
		return 3;
	err_clear(&err);
	if (plan_cancel(&bed->run, &bed->plan, &nobody, &n, &err) != -1 ||
	    err.kind != ERR_INTERRUPTED || n != 0)
		return 4;
	return str_eq(buf_cstr(&trace), "probe a, act a, ") ? 0 : 5;
}

static void
test_a_signal_stops_between_steps(void **state)
{
	struct bed bed;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		bed_open(&bed, state);
		status = interrupted(&bed);
		journal_close(bed.run.journal);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	bed.files = *state;
	expect_states(&bed, JOURNAL_DONE, JOURNAL_NONE, JOURNAL_NONE);
}

static void
test_say_is_printable(void **state)
{
	struct plan_note note = {
		.summary = BUF_INIT(8192), .diff = BUF_INIT(16)
	};
	char text[5000];

	(void)state;
	plan_say(&note, '~', "%s and %d", "a\033[2Jb\n", 3);
	assert_int_equal(note.glyph, '~');
	assert_string_equal(buf_cstr(&note.summary),
	    "a\\x1b[2Jb\\x0a and 3");
	plan_say(&note, '-', "%s", "second");
	assert_int_equal(note.glyph, '-');
	assert_string_equal(buf_cstr(&note.summary), "second");

	/* Cut, in the middle of a character, and all of it grows. */
	memset(text, '\033', sizeof(text));
	memcpy(text + 1022, "\xc3\xa4", 3);
	plan_say(&note, '+', "%s", text);
	assert_false(note.summary.full);
	assert_int_equal(note.summary.len, 4 * 1023);
	assert_true(str_ends(buf_cstr(&note.summary), "\\x1b\\xc3"));
	buf_clear(&note.summary);
}

static void
test_names_are_put_together(void **state)
{
	struct plan plan = { 0 };

	(void)state;
	plan_add(&plan, "agent", "sage", &scripted, &plan);
	assert_int_equal(plan.n_steps, 1);
	assert_string_equal(plan.steps[0].name, "agent.sage.word");
	assert_ptr_equal(plan.steps[0].kind, &scripted);
	assert_ptr_equal(plan.steps[0].subject, &plan);
	plan_clear(&plan);
	plan_clear(&plan);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_steps_run_in_order),
		TEST(test_intent_stands_before_the_act),
		TEST(test_a_failed_act_is_resumed),
		TEST(test_the_probe_decides_not_the_journal),
		TEST(test_a_failed_probe_is_named),
		TEST(test_what_is_found_done_is_recorded),
		TEST(test_look_changes_nothing),
		TEST(test_what_waits_acts_when_its_turn_comes),
		TEST(test_cancel_takes_back_in_reverse),
		TEST(test_a_failed_undo_stops_the_cancel),
		TEST(test_a_step_without_undo),
		TEST(test_a_signal_stops_between_steps),
		cmocka_unit_test(test_say_is_printable),
		cmocka_unit_test(test_names_are_put_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
