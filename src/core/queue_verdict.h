#ifndef CORE_QUEUE_VERDICT_H
#define CORE_QUEUE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/letta.h"

struct err;
struct jdoc;

/*
 * Was a row of the queue answered already?  Asked of the messages of the agent
 * that it was sent to, page by page from the newest back, so that memory does
 * not grow with the history.
 *
 *     queue_cases_add(&cases, ...)             a row that may have been sent
 *     queue_cases_runs(&cases, runs, err)      before the first page
 *     queue_cases_page(&cases, text, len, &page, err)      while
 *                                              !queue_cases_past(&cases)
 *     queue_case_verdict(&cases, &cases.list[i], &why)
 *
 * The runs come first: a server stores a message with the step that answers
 * it, so that one on its way is in no listing (0.16.2, seen).  A run that ends
 * between the two questions makes a row unclear, and the other way round would
 * make a row that is being answered unanswered.
 *
 * Nothing here guesses.  A row is answered when exactly one message of its
 * user, not older than it, has exactly its text, no other row of the queue
 * can account for that message, and the turn behind it has ended with a text
 * for the user.  It is unanswered when all messages since were seen, none of
 * them looks like it and no run that is not ended is as young.  All else is
 * unclear.
 */
enum queue_verdict {
	QUEUE_ANSWERED,
	QUEUE_UNANSWERED,
	QUEUE_UNCLEAR
};

/* How far the clocks of a worker and a server may be apart. */
#define QUEUE_SLACK_S 120

struct queue_case {
	int64_t id;		/* of the row */
	const char *fault;	/* why it cannot be judged, or NULL */
	char *identity;		/* of its user, or NULL */
	char *wire;		/* as it is sent (core/queue.h) */
	char *like, *like_text;	/* the same to be compared loosely */
	int64_t since;		/* older messages are not it */
	size_t twins;		/* rows like it that may have been sent */

	size_t n_exact, n_like;
	bool finished;		/* the turn has a last word */
	bool mixed;		/* that is of another run */
	char *reply;
	char run[LETTA_ID_SIZE];	/* of the message, or "" */
};

/* A turn as it is met from its end: what came behind a user's message. */
struct queue_turn {
	bool begun;		/* something that counts was seen */
	bool finished;
	char *reply;
	char run[LETTA_ID_SIZE];
};

struct queue_run {
	char id[LETTA_ID_SIZE];
	int64_t since;
	bool ended;		/* listed all the same */
};

struct queue_cases {
	struct queue_case *list;
	size_t n;
	struct queue_run *runs;	/* that are not ended */
	size_t n_runs;
	struct queue_turn turn;
	bool past;		/* the listing is older than every case */
};

/* Of a page: the next one's cursor, and what it held. */
struct queue_page {
	size_t items;
	char first_id[LETTA_ID_SIZE];
};

/*
 * wire and text are copied.  time is the message's, as core/queue.h reads it;
 * row_time that of the row, which cannot be older.
 */
struct queue_case *queue_cases_add(struct queue_cases *, int64_t id,
    const char *identity, const char *wire, const char *text,
    const char *time, const char *row_time);
/* The case of a row, or NULL. */
struct queue_case *queue_cases_find(struct queue_cases *, int64_t id);
/* Another row of the same user and text, of this time. */
void queue_case_twin(struct queue_case *, const char *time);
void queue_cases_clear(struct queue_cases *);

/* The answer of letta_path_active_runs. */
int queue_cases_runs(struct queue_cases *, const struct jdoc *runs,
    struct err *) MUST_CHECK;

/*
 * A page of the listing (use_assistant_message=false), the newest first, each
 * in the order of time.  Fails with ERR_DATA for what is no such page.
 */
int queue_cases_page(struct queue_cases *, const char *text, size_t len,
    struct queue_page *, struct err *) MUST_CHECK;

/* Whether what is older cannot matter; true at the end of the listing, too. */
bool queue_cases_past(const struct queue_cases *);

/* *why is a word of explanation for QUEUE_UNCLEAR. */
enum queue_verdict queue_case_verdict(const struct queue_cases *,
    const struct queue_case *, const char **why);

#endif /* !CORE_QUEUE_VERDICT_H */
