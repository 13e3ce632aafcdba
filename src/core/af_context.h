#ifndef CORE_AF_CONTEXT_H
#define CORE_AF_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct af_stats;
struct buf;
struct err;
struct jdoc;

/*
 * Which rows the agent of the file has in context.  The ids at the source are
 * known first, the rows pass by one after the other, and the file's list is
 * written last; memory is that of the list.  core/af.h has the rules.
 */
struct af_context;

/* Fails with ERR_DATA: an entry that is no text, more than AF_CONTEXT_MAX. */
struct af_context *af_context_new(const struct jdoc *ids, struct err *)
    MUST_CHECK;
void af_context_free(struct af_context *);

/*
 * A row passes: its number in the file, its id at the source, the id of the
 * row that was merged into it (or NULL).
 */
void af_context_row(struct af_context *, uint64_t number, const char *id,
    const char *merged_id, const struct jdoc *row);

/*
 * Append ["message-0",...].  Fails with ERR_DATA when no system row passed:
 * without one the server would overwrite another row or fail every chat.
 */
int af_context_write(struct af_context *, struct buf *out, struct af_stats *,
    struct err *) MUST_CHECK;

#endif /* !CORE_AF_CONTEXT_H */
