#ifndef FLOW_AGENT_REJECTS_H
#define FLOW_AGENT_REJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct journal_row;

/*
 * Passages that the target refuses for what they are: over its embedder's
 * limit of tokens, empty where that is not taken.  None is cut to fit and
 * none is left out in silence: each is a row of the scope
 * rejects/NAME/passages, and a line of the file
 *
 *     DIR/rejects/NAME-passages.jsonl       0600; DIR: where the journal is
 *
 *     {"id":"passage-...","created_at":"...","tags":[],"text":"...",
 *      "size_bytes":45000,"reason":"what the server said"}
 *
 * The scope is what counts; the file is made from it, whole, for people.
 */

/* Forget them all; the file stays until agent_rejects_write. */
int agent_rejects_drop(const struct conf_agent *, struct journal *,
    struct err *) MUST_CHECK;

/* A passage of the source and why it was refused.  Stands when it returns. */
int agent_rejects_add(const struct conf_agent *, struct journal *,
    const char *id, const char *body, size_t len, const char *reason,
    struct err *) MUST_CHECK;

int agent_rejects_has(const struct conf_agent *, struct journal *,
    const char *id, bool *out, struct err *) MUST_CHECK;
int agent_rejects_count(const struct conf_agent *, struct journal *,
    uint64_t *count, struct err *) MUST_CHECK;

/* Write the file, or remove it when there is none to list. */
int agent_rejects_write(const struct conf_agent *, struct journal *,
    struct err *) MUST_CHECK;

/* The file's path; the caller frees it. */
char *agent_rejects_path(const struct conf_agent *, const struct journal *);

/* Bring the scope from one journal into another. */
int agent_rejects_carry(const struct conf_agent *, struct journal *from,
    struct journal *to, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_REJECTS_H */
