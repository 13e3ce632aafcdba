#ifndef CORE_VERDICT_ROW_H
#define CORE_VERDICT_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * Rows as texts that are equal exactly when both sides hold the
 * same, as far as a listing of Letta 0.16.2 can show it.
 */

/*
 * Append the canonical text of a row (core/turn.h).  In it: role, content,
 * name, sender_id, tool_calls, tool_call_id, what tools returned (id, status,
 * text, stdout, stderr), approvals, and created_at in UTC to whole seconds
 * after stamp_clamp, which the target's went through as well.
 *
 * Left out, since they are of one server or a listing does not tell them
 * apart: ids, otid, step_id, run_id, model, group_id; members that are null
 * or empty lists; is_native of reasoning; the time inside a tool's return;
 * whether that return stood in tool_returns or in content; seams between
 * adjacent texts, or adjacent reasoning, of an assistant (their text is
 * joined, the first signature stands).
 *
 * Fails with ERR_DATA when it is no such row.
 */
int verdict_row_canonical(const struct jdoc *row, struct buf *out,
    struct err *) MUST_CHECK;

/*
 * Whether this is a system row.  The first one of an agent is only the same
 * until it is first used: Letta 0.16.2 writes its compiled prompt over it at
 * the first chat, and 0.16.8 at some PATCHes.  A comparison after that leaves
 * it out and says so with VERDICT_ROW_SYSTEM_REASON.
 */
bool verdict_row_is_system(const struct jdoc *row) MUST_CHECK;
#define VERDICT_ROW_SYSTEM_REASON \
    "the first system row: servers write their compiled prompt over it"

/*
 * One printable line, at most 200 bytes, on the first difference of two
 * canonical texts: "/role: \"assistant\" and \"user\"", "/content/1: only at
 * the source".  Empty when they are equal.
 */
void verdict_row_difference(const char *source, const char *target,
    struct buf *out);

#endif /* !CORE_VERDICT_ROW_H */
