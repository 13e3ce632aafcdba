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
 * The lines of a text, by name; text is borrowed.  find: NULL when there is
 * none.
 */
struct pg_tally {
	struct pg_tally_line *lines;
	size_t n;
};

void pg_tally_read(const char *text, struct pg_tally *);
const struct pg_tally_line *pg_tally_find(const struct pg_tally *,
    const char *name);
void pg_tally_clear(struct pg_tally *);

/*
 * Call each for every line that is not in both; was or is is NULL when there
 * is none.  How many.  each may be NULL.
 */
size_t pg_tally_compare(const char *before, const char *after,
    void (*each)(void *ctx, enum pg_tally_moved,
    const struct pg_tally_line *was, const struct pg_tally_line *is),
    void *ctx);

#endif /* !CORE_PG_TALLY_H */
