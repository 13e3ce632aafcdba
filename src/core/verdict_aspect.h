#ifndef CORE_VERDICT_ASPECT_H
#define CORE_VERDICT_ASPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct jdoc;
struct verdict;

/*
 * A history compared by what a reader of it asks for: each a check of its own,
 * so that a verdict says not only that row 17 differs but that all replies
 * are the same and one return of a tool is not.
 */
enum verdict_aspect {
	VERDICT_TURNS,		/* rows of a user: each begins a turn */
	VERDICT_TEXT,		/* rows with visible text of the assistant */
	VERDICT_REASONING,	/* rows with reasoning, shown or hidden */
	VERDICT_CALLS,		/* calls of tools */
	VERDICT_RETURNS,	/* what tools returned */
	VERDICT_FAILURES,	/* of them, that say so */
	VERDICT_APPROVALS,	/* rows that ask for or give approval */
	VERDICT_IMAGES,		/* parts of content that are no text */
	VERDICT_ASPECTS
};

struct verdict_history {
	uint64_t counts[2][VERDICT_ASPECTS];	/* source, target */
	uint64_t different[VERDICT_ASPECTS];	/* pairs of rows */
};

/*
 * Count a row of core/turn.h.  A call of send_message with a message counts
 * as visible text too: a listing shows it as the assistant's.
 */
void verdict_history_count(struct verdict_history *, int side,
    const struct jdoc *row);

/* Note in what two rows differ whose canonical texts do. */
void verdict_history_differ(struct verdict_history *,
    const struct jdoc *source, const struct jdoc *target);

/* Add a check for each aspect that a side has anything of. */
void verdict_history_add(const struct verdict_history *, struct verdict *);

/*
 * The text that a reader sees of the assistant in this row: the message of its
 * send_message, or, of a letta_v1_agent (v1), the last text of its content;
 * of other types a listing shows that as reasoning.  NULL: none.  *owned is a
 * document behind it that the caller frees, or NULL.
 */
const char *verdict_visible_text(const struct jdoc *row, bool v1,
    struct jdoc **owned);

#endif /* !CORE_VERDICT_ASPECT_H */
