#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/switch.h"
#include "flow/units.h"
#include "io/journal.h"
#include "journal_bed.h"

/* What a step does; one script is one unit. */
struct script {
	struct conf_worker worker;	/* first: for a step of its switch */
	enum err_kind probe_fails, act_fails;
	bool done, undo_fails;
	struct journal *reader;	/* becomes the run's, which writes nothing */
};

static struct buf trace = BUF_INIT(4096);

static int
probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct script *s = step->subject;

	(void)run;
	plan_say(note, '+', "seen");
	*found = s->done ? PLAN_DONE : PLAN_TODO;
	return s->probe_fails ? err_set(err, s->probe_fails, "no sight") : 0;
}

static int
act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct script *s = step->subject;

	buf_printf(&trace, "%s ", step->name);
	plan_say(note, '+', "made");
	if (s->reader)
		run->journal = s->reader;
	return s->act_fails ? err_set(err, s->act_fails, "no luck") : 0;
}

static const struct step_kind first = {
	.word = "one", .probe = probe, .act = act
};
static const struct step_kind second = {
	.word = "two", .probe = probe, .act = act
};

/* The switch of a worker: what stops it works, what starts it may fail. */
static int
stand(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	(void)run;
	(void)err;
	buf_printf(&trace, "%s ", step->name);
	plan_say(note, '+', "stands");
	return 0;
}

static int
undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	(void)run;
	buf_printf(&trace, "-%s ", step->name);
	plan_say(note, '-', "back");
	return ((const struct script *)step->subject)->undo_fails ?
	    err_set(err, ERR_FAILED, "no way back") : 0;
}

static const struct step_kind freeze = {
	.word = "freeze", .probe = probe, .act = stand, .undo = undo
};
static const struct step_kind start = {
	.word = "start", .probe = probe, .act = act, .undo = undo
};
static const struct plan_watch nobody;

/* The node's step, and units a, b, c of two steps each. */
struct bed {
	struct conf conf;
	struct run run;
	struct plan plan;
	struct units units;
	struct script node, of[3];
	size_t n;
};

static void
bed_plan(struct bed *bed, size_t n)
{
	static const char *const names[] = { "a", "b", "c" };

	plan_clear(&bed->plan);
	units_clear(&bed->units);
	plan_add(&bed->plan, "node", "n", &first, &bed->node);
	for (size_t i = 0; i < n; i++) {
		bed->plan.unit = &bed->of[i];
		plan_add(&bed->plan, "agent", names[i], &first, &bed->of[i]);
		plan_add(&bed->plan, "agent", names[i], &second, &bed->of[i]);
	}
	units_init(&bed->units, &bed->plan);
	assert_int_equal(bed->units.n, n);
	buf_clear(&trace);
}

static void
bed_open(struct bed *bed, void **state, size_t n)
{
	*bed = (struct bed){ .n = n };
	bed->run.conf = &bed->conf;
	bed->run.journal = journal_bed_open(*state, true);
	bed_plan(bed, n);
}

static void
bed_close(struct bed *bed)
{
	units_clear(&bed->units);
	plan_clear(&bed->plan);
	journal_close(bed->run.journal);
	buf_clear(&trace);
}

/* As `apply' does. */
static int
apply(struct bed *bed, struct err *err)
{
	size_t todo, acted;

	if (units_look(&bed->units, &bed->run, &bed->plan, &nobody, &todo,
	    err) != 0 ||
	    switch_apply(&bed->run, &bed->plan, &bed->units, false, &nobody,
	    &acted, err) != 0)
		return -1;
	return units_conclude(&bed->units, &bed->run, err);
}

static void
add_failure(void *ctx, const struct unit_failure *f)
{
	buf_printf(ctx, "%s %s %s %s;", f->label, f->step, f->kind, f->text);
}

static void
expect_failures(struct bed *bed, const char *want)
{
	struct buf text = BUF_INIT(4096);
	struct err err = ERR_INIT;

	OK(units_each_failure(&bed->run, &bed->plan, add_failure, &text,
	    &err));
	assert_string_equal(buf_cstr(&text), want);
	buf_clear(&text);
}

static void
test_the_others_go_on(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;

	bed_open(&bed, state, 3);
	bed.of[1].act_fails = ERR_AUTH;
	FAILS(apply(&bed, &err), ERR_PARTIAL, "1 of 3 failed");
	assert_non_null(strstr(err.text, "agent.b.one"));
	assert_string_equal(buf_cstr(&trace), "node.n.one agent.a.one "
	    "agent.a.two agent.b.one agent.c.one agent.c.two ");
	expect_failures(&bed, "agent.b agent.b.one auth step agent.b.one: "
	    "no luck;");

	/* The next run takes it up, and the journal forgets. */
	err_clear(&err);
	bed_plan(&bed, 3);
	bed.node.done = bed.of[0].done = bed.of[2].done = true;
	bed.of[1].act_fails = ERR_NONE;
	OK(apply(&bed, &err));
	assert_string_equal(buf_cstr(&trace), "agent.b.one agent.b.two ");
	expect_failures(&bed, "");
	bed_close(&bed);
}

static void
test_what_cannot_be_seen_is_left(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;

	bed_open(&bed, state, 2);
	bed.of[0].probe_fails = ERR_UNREACHABLE;
	FAILS(apply(&bed, &err), ERR_PARTIAL, "1 of 2 failed");
	assert_string_equal(buf_cstr(&trace), "node.n.one agent.b.one "
	    "agent.b.two ");
	bed_close(&bed);
}

static void
test_all_that_fail_alike_say_so(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;

	bed_open(&bed, state, 2);
	bed.of[0].act_fails = bed.of[1].act_fails = ERR_VERDICT;
	FAILS(apply(&bed, &err), ERR_VERDICT, "2 of 2 failed");
	bed_close(&bed);
}

static void
test_one_alone_keeps_its_failure(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;

	bed_open(&bed, state, 1);
	bed.of[0].act_fails = ERR_AUTH;
	FAILS(apply(&bed, &err), ERR_AUTH, "step agent.a.one: no luck");
	expect_failures(&bed, "");
	bed_close(&bed);
}

static void
test_what_ends_all(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;
	struct journal *writer;

	bed_open(&bed, state, 2);
	writer = bed.run.journal;
	bed.node.act_fails = ERR_FAILED;
	FAILS(apply(&bed, &err), ERR_FAILED, "step node.n.one: no luck");
	assert_string_equal(buf_cstr(&trace), "node.n.one ");

	err_clear(&err);
	bed_plan(&bed, 2);
	bed.node.act_fails = ERR_NONE;
	bed.of[0].act_fails = ERR_INTERRUPTED;
	FAILS(apply(&bed, &err), ERR_INTERRUPTED, "step agent.a.one");
	assert_string_equal(buf_cstr(&trace), "node.n.one agent.a.one ");

	err_clear(&err);
	bed_plan(&bed, 2);
	bed.of[0].act_fails = ERR_AUTH;
	bed.of[0].reader = journal_bed_open(*state, false);
	FAILS(apply(&bed, &err), ERR_AUTH, "could not be written down");
	bed.run.journal = writer;
	journal_close(bed.of[0].reader);
	bed_close(&bed);
}

/* A node and two workers: what one's switch leaves, the other's meets. */
static void
plan_switches(struct bed *bed)
{
	static const char *const names[] = { "a", "b" };

	plan_clear(&bed->plan);
	units_clear(&bed->units);
	plan_add(&bed->plan, "node", "n", &first, &bed->node);
	for (size_t i = 0; i < 2; i++) {
		bed->of[i].worker.name = names[i];
		bed->plan.unit = &bed->of[i];
		plan_add_late(&bed->plan, "worker", names[i], &freeze,
		    &bed->of[i]);
		plan_add_late(&bed->plan, "worker", names[i], &start,
		    &bed->of[i]);
	}
	units_init(&bed->units, &bed->plan);
	buf_clear(&trace);
}

static void
test_a_worker_is_thawed_and_the_others_go_on(void **state)
{
	struct bed bed;
	struct err err = ERR_INIT;

	bed_open(&bed, state, 2);
	plan_switches(&bed);
	bed.of[0].act_fails = ERR_FAILED;
	FAILS(apply(&bed, &err), ERR_PARTIAL, "1 of 2 failed");
	assert_string_equal(buf_cstr(&trace), "node.n.one worker.a.freeze "
	    "worker.a.start -worker.a.start -worker.a.freeze "
	    "worker.b.freeze worker.b.start ");
	expect_failures(&bed, "worker.a worker.a.start failed [worker a] "
	    "works at the source as before; the switch ended because: "
	    "step worker.a.start: no luck;");

	/* One that stands is for the operator before anything else is. */
	err_clear(&err);
	plan_switches(&bed);
	bed.of[0].undo_fails = true;
	bed.node.done = true;
	FAILS(apply(&bed, &err), ERR_FAILED, "could not be started again");
	assert_string_equal(buf_cstr(&trace), "worker.a.freeze "
	    "worker.a.start -worker.a.start ");
	bed_close(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_worker_is_thawed_and_the_others_go_on),
		TEST(test_the_others_go_on),
		TEST(test_what_cannot_be_seen_is_left),
		TEST(test_all_that_fail_alike_say_so),
		TEST(test_one_alone_keeps_its_failure),
		TEST(test_what_ends_all),
	};

	log_set_level(LOG_LEVEL_WARN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
