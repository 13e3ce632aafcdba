#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_compare_rows.h"
#include "io/journal.h"
#include "journal_bed.h"

#define AT ",\"created_at\":\"2026-01-02T15:04:05+00:00\""
#define ROW(role, part) "{\"type\":\"message\",\"role\":\"" role "\"," \
    "\"content\":[" part "]" AT
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define THOUGHT(text) "{\"type\":\"reasoning\",\"is_native\":true," \
    "\"reasoning\":\"" text "\"}"
#define STEP(id) ",\"step_id\":\"" id "\""
#define RUN ",\"run_id\":\"run-1\""

static struct conf_agent sage = { .name = (char []){ "sage" } };

static void
stage(struct journal *j, const char *side, const char *const *bodies)
{
	struct err err = ERR_INIT;
	char *scope = agent_scope(side, &sage, "messages");
	char *key = agent_state_key(side, &sage), id[32];
	bool added;

	OK(journal_put(j, key, "{\"agent_type\":\"letta_v1_agent\","
	    "\"version\":\"0.16.8\"}", &err));
	OK(journal_scope_drop(j, scope, &err));
	OK(journal_page_begin(j, &err));
	for (size_t i = 0; bodies[i]; i++) {
		(void)snprintf(id, sizeof(id), "%c%zu", side[0], i);
		OK(journal_row_add(j, scope, id, bodies[i],
		    strlen(bodies[i]), &added, &err));
	}
	OK(journal_page_commit(j, scope, "", true, &err));
	free(key);
	free(scope);
}

/* reason: words of the check of all rows; NULL when they are the same. */
static void
expect_since(struct journal *j, const char *const *source,
    const char *const *target, enum agent_since since, const char *reason)
{
	struct err err = ERR_INIT;
	struct verdict verdict = { 0 };
	const struct verdict_check *check;

	stage(j, "source", source);
	stage(j, "target", target);
	OK(agent_compare_rows(&sage, j, since, &verdict, &err));
	assert_true(verdict.n_checks > 0);
	check = &verdict.checks[0];
	assert_string_equal(check->name, "messages");
	if (!reason && check->state != VERDICT_SAME)
		fail_msg("%s", check->reason);
	if (reason) {
		assert_int_equal(check->state, VERDICT_DIFFERENT);
		if (!strstr(check->reason, reason))
			fail_msg("\"%s\" does not say \"%s\"", check->reason,
			    reason);
	}
	verdict_clear(&verdict);
}

static void
expect(struct journal *j, const char *const *source,
    const char *const *target, const char *reason)
{
	expect_since(j, source, target, AGENT_SINCE_NONE, reason);
}

static void
test_alike_as_they_were_staged(void **state)
{
	static const char *const target[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("u")) "}", NULL };
	static const char *const source[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("u")) STEP("step-1") RUN "}", NULL };
	static const char *const ran[] = { ROW("system", TEXT("s")) RUN "}",
		ROW("user", TEXT("u")) "}", NULL };
	struct journal *j = journal_bed_open(*state, true);

	expect(j, target, target, NULL);
	expect(j, source, target, NULL);
	expect(j, ran, target, NULL);
	expect(j, target, source, NULL);
	journal_close(j);
}

static void
test_not_alike(void **state)
{
	static const char *const target[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("u")) "}", NULL };
	static const char *const other[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("v")) "}", NULL };
	static const char *const more[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("u")) ",\"name\":\"Ann\"" STEP("step-1") "}",
		NULL };
	static const char *const shorter[] = { ROW("system", TEXT("s")) "}",
		NULL };
	struct journal *j = journal_bed_open(*state, true);

	expect(j, other, target, "row 2");
	expect(j, more, target, "row 2");
	expect(j, target, more, "row 2");
	expect(j, target, shorter, "lacks the last 1");
	expect(j, shorter, target, "1 rows more");
	journal_close(j);
}

/* A server that goes on, and what was read of it before. */
static void
test_written_since(void **state)
{
	static const char *const bundle[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("u")) "}", NULL };
	static const char *const more[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("u")) "}", ROW("user", TEXT("v")) "}",
		NULL };
	static const char *const compiled[] = { ROW("system", TEXT("t")) "}",
		ROW("user", TEXT("u")) "}", ROW("user", TEXT("v")) "}",
		NULL };
	static const char *const changed[] = { ROW("system", TEXT("t")) "}",
		ROW("user", TEXT("u")) "}", NULL };
	static const char *const other[] = { ROW("system", TEXT("s")) "}",
		ROW("user", TEXT("w")) "}", ROW("user", TEXT("v")) "}",
		NULL };
	const enum agent_since since = AGENT_SINCE_SOURCE;
	struct journal *j = journal_bed_open(*state, true);

	expect_since(j, bundle, bundle, since, NULL);
	expect_since(j, more, bundle, since, NULL);
	expect_since(j, compiled, bundle, since, NULL);
	expect_since(j, changed, bundle, since, "first system row");
	expect_since(j, other, bundle, since, "row 2");
	expect_since(j, bundle, more, since, "1 rows more");
	journal_close(j);
}

/* Texts that differ, of rows that a listing shows alike. */
static void
test_the_same_in_other_words(void **state)
{
	static const char *const source[] = {
		"{\"content\":[" TEXT("s") "],\"role\":\"system\"" AT "}",
		ROW("assistant", THOUGHT("t")) STEP("step-1") "}",
		ROW("assistant", TEXT("a")) STEP("step-1") "}", NULL };
	static const char *const target[] = { ROW("system", TEXT("s")) "}",
		ROW("assistant", THOUGHT("t") "," TEXT("a")) "}", NULL };
	static const char *const apart[] = { ROW("system", TEXT("s")) "}",
		ROW("assistant", THOUGHT("t")) "}",
		ROW("assistant", TEXT("a")) "}", NULL };
	struct journal *j = journal_bed_open(*state, true);

	expect(j, source, target, NULL);
	expect(j, source, apart, "row 2");
	journal_close(j);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_alike_as_they_were_staged),
		TEST(test_not_alike),
		TEST(test_written_since),
		TEST(test_the_same_in_other_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
