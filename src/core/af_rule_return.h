#ifndef CORE_AF_RULE_RETURN_H
#define CORE_AF_RULE_RETURN_H

#include "base/attr.h"

struct af_rule_place;
struct jdoc;

/*
 * The rules of what tools gave back.  Which text a listing reads (0.16.2 and
 * 0.16.8, seen): with exactly one entry in tool_returns and exactly one text
 * in content, that text, whatever func_response says; with other content, or
 * more entries, each entry's func_response; without entries, the one text in
 * content.  The id of a single entry may be missing.
 */

/* A row of role tool. */
int af_rule_return(const struct jdoc *row, const struct af_rule_place *)
    MUST_CHECK;

/* A row of role approval. */
int af_rule_approval(const struct jdoc *row, const struct af_rule_place *)
    MUST_CHECK;

#endif /* !CORE_AF_RULE_RETURN_H */
