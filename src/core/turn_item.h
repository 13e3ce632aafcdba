#ifndef CORE_TURN_ITEM_H
#define CORE_TURN_ITEM_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct jdoc;

/*
 * What one item of a listing says of its row: the table of turn.c, one
 * function a message_type.
 */
struct turn_row {
	struct jdoc *body;	/* being put together */
	struct jdoc *content;	/* its list of parts, lent by body */
	const char *role;	/* NULL before the first item */
	const struct jdoc *step_id, *run_id;	/* lent by the items */
	bool v1;		/* the agent is a letta_v1_agent */
};

/*
 * Add one item to the row.  Fails with ERR_DATA for a message_type that is not
 * known, for a key that is missing, and for an item that cannot be of the same
 * row as those before it.
 */
int turn_item_add(struct turn_row *, const struct jdoc *item, struct err *)
    MUST_CHECK;

/*
 * Behind the last item.  What is of one server comes last in the row, so that
 * the texts of equal rows of two servers are equal up to there.
 */
void turn_item_end(struct turn_row *);

/*
 * Whether an item that has the row's id is of this row too.  Letta Cloud gives
 * one id to different rows: an item of another instant or role begins one, and
 * so does any after one of the system, a user or a response to a request,
 * since those rows list as one item.
 */
bool turn_item_fits(const struct turn_row *, const struct jdoc *item)
    MUST_CHECK;

#endif /* !CORE_TURN_ITEM_H */
