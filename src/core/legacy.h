#ifndef CORE_LEGACY_H
#define CORE_LEGACY_H

#include <stdint.h>

#include "base/attr.h"

struct err;
struct jdoc;

/*
 * The agent file of version 1, which Letta 0.11.3 exports (GET
 * /v1/agents/{id}/export?max_steps=1000000) and no later server imports, in
 * the shape of version 2.  core/export.h reads either.
 *
 * What version 1 does not have (0.11.3, seen): ids, hence those of the result
 * are made here (agent-0, block-0.., tool-0.., message-0..); read_only of a
 * block (false here: read the block itself); values of tool variables; and of
 * the history the rows before the first of a user, and every system row but
 * the first.
 */

/*
 * The shell: an export of version 2 without messages.  legacy is the document
 * without its messages; agent_type stays the source's own.
 * in_context_message_indices become ids "message-N".  Fails with ERR_DATA
 * when a member is missing or of another type.
 */
int legacy_shell(const struct jdoc *legacy, struct jdoc **shell,
    struct err *) MUST_CHECK;

/*
 * A row of /messages, changed in place: `type' and `id' are put in,
 * updated_at is left out, empty tool_calls become null.  tool_returns of
 * 0.11.3 hold status, stdout and stderr alone: with the row's text and
 * tool_call_id they become what a later server reads, since it would show
 * neither stdout nor stderr otherwise.
 */
int legacy_row(struct jdoc *row, uint64_t number, struct err *) MUST_CHECK;

#endif /* !CORE_LEGACY_H */
