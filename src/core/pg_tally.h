#ifndef CORE_PG_TALLY_H
#define CORE_PG_TALLY_H

#include <stddef.h>

/*
 * A count of what a database holds, as a text that the journal keeps: lines
 *
 *     NAME, tab, COUNT, tab, MARK
 *
 * with a NAME ("messages agent-1") once in each, and a MARK that moves with
 * the contents: a date, a digest.  Order does not matter.
 */
enum pg_tally_moved {
	PG_TALLY_CHANGED,
	PG_TALLY_NEW,		/* not in `before' */
	PG_TALLY_GONE		/* not in `after' */
};

/* A line as it was and as it is; texts are not ended by NUL. */
struct pg_tally_line {
	const char *name, *count, *mark;
	int name_len, count_len, mark_len;
};

/*
 * Call each for every line that is not in both; was or is is NULL when there
 * is none.  How many.  each may be NULL.
 */
size_t pg_tally_compare(const char *before, const char *after,
    void (*each)(void *ctx, enum pg_tally_moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is),
    void *ctx);

#endif /* !CORE_PG_TALLY_H */
