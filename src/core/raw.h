#ifndef CORE_RAW_H
#define CORE_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * Raw rows win over listed ones.  A listing loses part of a row (core/turn.h
 * says what); an export holds rows as they are stored, but with ids of its
 * own, and only some of them.  Here is said which listed row a raw row stands
 * for, and what both together are.
 *
 * A raw row may stand for a listed one when both have the same canonical text
 * but for the sender (core/verdict_row.h): then a listing would show of the raw
 * row just what it shows of the other.  So whatever is put in place of a listed
 * row is the same row or one that cannot be told from it.
 *
 * Two ways, by what is known:
 *   - of a row in context: agents[0].in_context_message_ids[i] of the file is
 *     message_ids[i] of the agent's state, when both lists are of one length
 *     (0.16.2 and 0.16.8, seen).  raw_place with the two rows.
 *   - of all others: both come in the order of the listing.  raw_align.
 */

/*
 * The row that raw and the listed one are together, appended to out: the raw
 * row's members, and those that it lacks or has as null from the listed one
 * (step_id, run_id, sender_id); without the file's own id and agent_id.
 *
 * *same is false, and nothing is appended, when their canonical texts differ:
 * the listed row should stay then, and be counted.  Fails with ERR_DATA when
 * body is no row.
 */
int raw_place(const struct jdoc *raw, const char *body, size_t len,
    struct buf *out, bool *same, struct err *) MUST_CHECK;

/*
 * Raw rows are pushed, listed ones are pulled, both in their order.  For each
 * raw row the first listed row of the same canonical text is taken that
 * follows the one taken before it, among the next RAW_WINDOW rows.  What has
 * no partner there is counted and left alone, never guessed.
 */
#define RAW_WINDOW 256
/* Less than RAW_WINDOW when their texts are together longer than this. */
#define RAW_WINDOW_BYTES (8 * 1024 * 1024)

struct raw_source {
	/*
	 * The next listed row: 1, 0 after the last, -1.  id and body live
	 * until the next call.
	 */
	int (*listed)(void *ctx, const char **id, const char **body,
	    size_t *len, struct err *);
	/* The listed row id is to have this body (raw_place). */
	int (*placed)(void *ctx, const char *id, const char *body,
	    size_t len, struct err *);
	void *ctx;
	/*
	 * The raw rows are of version 1: they begin with the first system row
	 * and go on with the first of a user, without any other system row
	 * (0.11.3, seen).  Listed rows that cannot be among them are passed
	 * over, however many there are.
	 */
	bool legacy;
};

struct raw_counts {
	uint64_t placed;
	uint64_t unseen;	/* raw rows that no listing shows */
	uint64_t unplaced;	/* raw rows without a partner */
};

struct raw_align;

/* source is copied. */
struct raw_align *raw_align_new(const struct raw_source *) MUST_CHECK;
void raw_align_free(struct raw_align *);

/* Fails with what a callback failed with, and for a row that is none. */
int raw_align_push(struct raw_align *, const struct jdoc *raw, struct err *)
    MUST_CHECK;
const struct raw_counts *raw_align_counts(const struct raw_align *);

#endif /* !CORE_RAW_H */
