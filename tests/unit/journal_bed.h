#ifndef TESTS_JOURNAL_BED_H
#define TESTS_JOURNAL_BED_H

#include <stdbool.h>
#include <stdint.h>

struct journal;

/* One directory a test; the journal is two levels down, to be made. */
struct journal_bed {
	char *root;
	char *dir;
	char *path;
};

/* For cmocka; *state is a struct journal_bed. */
int journal_bed_set_up(void **state);
int journal_bed_tear_down(void **state);

/* Each of these fails the test when the journal does. */
struct journal *journal_bed_open(const struct journal_bed *, bool writer);

/* Add n rows "PREFIX<i>" whose body is their id, from i on. */
void journal_bed_add(struct journal *, const char *scope,
    const char *prefix, int from, int n);
uint64_t journal_bed_count(struct journal *, const char *scope);

/* Compare "CURSOR" or "CURSOR." (ended), "none" when never begun. */
void journal_bed_cursor(struct journal *, const char *scope,
    const char *want);

/* A call that must work, with its own words when it does not. */
#define OK(call) do {						\
	if ((call) != 0)					\
		fail_msg("%s: %s", #call, err.text);		\
} while (0)

/* A call that must fail with this kind and these words. */
#define FAILS(call, want, words) do {				\
	err_clear(&err);					\
	assert_int_equal(call, -1);				\
	if (err.kind != (want) || !strstr(err.text, words))	\
		fail_msg("%s: %s", err_word(err.kind), err.text);\
} while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name,	\
	journal_bed_set_up, journal_bed_tear_down)

#endif /* !TESTS_JOURNAL_BED_H */
