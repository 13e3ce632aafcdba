#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/stamp.h"

struct buf;
struct err;

/*
 * The queue of a worker, as Broca (1b368f9) keeps it in sanctum.db: the SQL
 * that asks for it and changes it, what a row's message looks like on its way
 * to the agent, and Broca's two ways to write a time.
 *
 * A row of `queue' is pending, processing, completed, failed or flushed.  Any
 * other status is passed over by Broca, so that `held' keeps a row out of its
 * hands: a row that waited goes there for as long as the worker moves.
 *
 * core/queue_verdict.h judges rows that may have been sent already.
 */

/* The status that is ours. */
#define QUEUE_HELD "held"

enum queue_sql {
	QUEUE_SQL_SCHEMA,	/* table, column: for queue_schema_see */
	QUEUE_SQL_COUNTS,	/* status, attempts > 0, rows */
	QUEUE_SQL_WORKING,	/* ?1 seconds: rows in processing for less */
	QUEUE_SQL_PENDING,	/* id: of the rows that wait */
	QUEUE_SQL_HOLD,		/* ?1 a list of ids; pending -> held */
	QUEUE_SQL_RELEASE,	/* ?1 a list of ids; held -> pending */
	/*
	 * ?1 a list of ids that are ours when they are held.  Columns as enum
	 * queue_column says: of rows that are processing, pending, or ours.
	 */
	QUEUE_SQL_ROWS,
	/*
	 * ?1 as above.  Of those rows: id, then status, attempts, time, time of
	 * the message, of another row of the same user and text.
	 */
	QUEUE_SQL_TWINS,
	QUEUE_SQL_ANSWER,	/* ?1 id of a queue row, ?2 text: messages */
	QUEUE_SQL_COMPLETE,	/* ?1 id: the row itself, unless it is over */
	QUEUE_SQL_STATUS	/* ?1 id, ?2 status: the same */
};

/* The text of one statement; a list of ids is JSON, [1,2]. */
const char *queue_sql(enum queue_sql);

enum queue_column {
	QUEUE_ID,
	QUEUE_STATUS,
	QUEUE_ATTEMPTS,
	QUEUE_TIME,		/* of its last change of status */
	QUEUE_MESSAGE,		/* id, text and time of the message */
	QUEUE_TEXT,
	QUEUE_TEXT_TIME,
	QUEUE_IDENTITY,		/* letta_identity_id of the user */
	QUEUE_PROFILE,		/* id of the one that Broca takes; then its */
	QUEUE_PLATFORM,
	QUEUE_USER_ID,
	QUEUE_USERNAME,
	QUEUE_COLUMNS
};

/*
 * Are the tables what Broca makes them?  Begin with a zeroed struct, see each
 * row of QUEUE_SQL_SCHEMA, then check: ERR_DATA names what is missing.
 * `more' counts columns of its tables that Broca does not have.
 */
struct queue_schema {
	uint64_t seen;
	size_t more;
};
void queue_schema_see(struct queue_schema *, const char *table,
    const char *column);
int queue_schema_check(const struct queue_schema *, struct err *) MUST_CHECK;

/*
 * Broca's times, in UTC: ISO 8601 (T or a blank, with or without micros), and
 * "2026-01-02 03:04 UTC".  NULL is no time.
 */
bool queue_time(const char *text, struct stamp *) MUST_CHECK;

/*
 * A row that waits, and was never tried (attempts 0), can have been sent all
 * the same: a Broca that starts puts rows that it finds in processing for
 * more than 300 s back to pending, without counting.  Each change of status
 * sets the row's time, so such a row is more than QUEUE_REQUEUED_S younger
 * than its message.  True as well when a time cannot be read.
 */
#define QUEUE_REQUEUED_S 240
bool queue_maybe_sent(const char *status, const char *attempts,
    const char *time, const char *message_time);

/*
 * Append what Broca sends: "[Username: @ada, Web_Chat ID: 7] text".  Empty
 * or NULL parts are left out as there, the label follows Python's
 * str.title().  False when it cannot be told: no text, or a platform beyond
 * ASCII.
 */
bool queue_wire(struct buf *out, const char *platform, const char *user_id,
    const char *username, const char *text) MUST_CHECK;

#endif /* !CORE_QUEUE_H */
