#ifndef CORE_TURN_H
#define CORE_TURN_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/letta.h"

struct err;
struct jdoc;

/*
 * From the listing of an agent's messages to the rows behind it.
 *
 * A listing (GET /v1/agents/{id}/messages, order=asc,
 * use_assistant_message=false) shows one stored row as one or more items
 * that share an id.  turn_page puts the items of one page together into rows
 * as an agent file holds them; a page is never cut inside a row (Letta 0.16.2
 * and 0.16.8, seen), so each page stands alone.  Letta Cloud gives one id to
 * different rows, also side by side: they come as rows of one id.
 *
 * A row's body is JSON without `id`:
 *
 *   type, role, content (a list, [] when empty), created_at, and as far as
 *   they are set name, sender_id, tool_calls, tool_call_id, tool_returns,
 *   approve, approval_request_id, denial_reason, approvals: what an agent
 *   file takes
 *   step_id, run_id, merged_id: for turn_merge and the verdict; is_err: the
 *   row is of a run that failed (0.11.3 lists such rows with include_err
 *   alone, and exports them without a sign).  An agent file does not take
 *   these, core/af.h leaves them out
 *
 * What a listing does not show, and hence no row here has (seen): packing
 * of user messages, the seams between adjacent parts of one kind, extra keys
 * and the time in a tool's return (we write the row's date), model, group_id,
 * fractions of a second, rows without content.
 */
struct turn_page {
	size_t items;			/* 0: the listing has ended */
	size_t rows;
	size_t errors;			/* of them with is_err */
	char last_id[LETTA_ID_SIZE];	/* the cursor of the next page */
};

/*
 * The rows of one page, in order.  each is called once a row; id and body
 * live until it returns; what it returns but 0 ends the page with -1.
 *
 * agent_type  of the source.  With "letta_v1_agent" text is an
 *             assistant_message; other types list their text as reasoning
 *             of source non_reasoner_model, which becomes text again
 *
 * Fails with ERR_DATA, "/12 (message-...): ...", for an item that is not
 * understood: nothing is left out silently.
 */
int turn_page(const char *agent_type, const char *text, size_t len,
    int (*each)(void *ctx, const char *id, const char *body,
    size_t body_len, struct err *), void *ctx, struct turn_page *,
    struct err *) MUST_CHECK;

/*
 * Collapse: a turn that was stored as a row of reasoning and a row of text or
 * tool calls becomes the one row [reasoning..., text...] that servers write
 * today.  Rows go in with turn_merge_push and come out of `each' in order;
 * one row is held back at most.  Only rows of the same step are put together
 * (same step_id; when one has none, nothing may lie between them), so never
 * across turns, and a row never gets two texts.
 *
 * The row keeps the id, date and tool calls of the second one, and the id of
 * the first as `merged_id'.
 *
 * For a source alone: a target's rows have lost their step_id in the import,
 * so here rows would be put together that belong to different steps.  What
 * the target lists is compared as it is.
 *
 *     struct turn_merge merge = { .each = stage, .ctx = job };
 *
 *     turn_merge_push(&merge, id, row, changes, err)    once a row
 *     turn_merge_flush(&merge, err)                     at the end
 *     turn_merge_clear(&merge)                          after a failure too
 *
 * changes goes through as it is (bits of enum af_change), that of a pair is
 * both and AF_CHANGE_MERGED.
 */
struct turn_merge {
	/* Owns row from then on, also when it fails. */
	int (*each)(void *ctx, const char *id, struct jdoc *take,
	    unsigned int changes, struct err *);
	void *ctx;

	struct jdoc *held;		/* a row of reasoning only, or NULL */
	char held_id[LETTA_ID_SIZE];
	unsigned int held_changes;
};

/* Owns the row from then on, also when it fails. */
int turn_merge_push(struct turn_merge *, const char *id, struct jdoc *take,
    unsigned int changes, struct err *) MUST_CHECK;
int turn_merge_flush(struct turn_merge *, struct err *) MUST_CHECK;
void turn_merge_clear(struct turn_merge *);

#endif /* !CORE_TURN_H */
