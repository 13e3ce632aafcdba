#ifndef FLOW_AGENT_STAGED_H
#define FLOW_AGENT_STAGED_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct jdoc;
struct journal;

/*
 * Short listings of an agent in the journal, read and written at once: its
 * blocks, its identities.
 */

/*
 * The rows of the scope SIDE/NAME/what as [{"id":"...","row":{...}}].  The
 * caller frees *out, after a failure too.
 */
int agent_staged_load(const struct conf_agent *, const char *side,
    const char *what, struct journal *, struct jdoc **out, struct err *)
    MUST_CHECK;

/*
 * Drop the scope and stage it anew, as one transaction that each makes rows
 * in (journal_row_add).
 */
int agent_staged_renew(const struct conf_agent *, const char *side,
    const char *what, struct journal *,
    int (*each)(void *ctx, const char *scope, struct err *), void *ctx,
    struct err *) MUST_CHECK;

/*
 * A list of texts that is a fact of the journal: what this job made.  *out is
 * an empty list when there is none yet; the caller frees it.  add keeps the
 * fact, too, and does nothing for a text that the list has.
 */
int agent_staged_list(struct journal *, const char *key, struct jdoc **out,
    struct err *) MUST_CHECK;
int agent_staged_list_add(struct journal *, const char *key,
    struct jdoc *list, const char *text, struct err *) MUST_CHECK;
bool agent_staged_list_has(const struct jdoc *list, const char *text);

#endif /* !FLOW_AGENT_STAGED_H */
