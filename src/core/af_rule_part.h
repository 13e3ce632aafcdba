#ifndef CORE_AF_RULE_PART_H
#define CORE_AF_RULE_PART_H

#include <stddef.h>

#include "base/attr.h"

struct af_part;
struct af_rule_place;
struct jdoc;

/*
 * The rules of one part of a file.  What names another part is
 * core/af_rule_link.h's and core/af_rule_context.h's business.
 */

/* /agents/N/messages/N, its id left aside. */
int af_rule_message(const struct jdoc *row, const struct af_rule_place *)
    MUST_CHECK;

/* /blocks/N, /tools/N and the like: key is that of the list. */
int af_rule_item(const char *key, const struct jdoc *item,
    const struct af_rule_place *) MUST_CHECK;

/* /agents/N/KEY. */
int af_rule_member(const char *key, const struct jdoc *value,
    const struct af_rule_place *) MUST_CHECK;

/* /KEY, which is no list that the reader cuts. */
int af_rule_top(const char *key, const struct jdoc *value,
    const struct af_rule_place *) MUST_CHECK;

/* U+0000 and half surrogate pairs in the text of any part. */
int af_rule_text(const struct af_part *, const struct af_rule_place *)
    MUST_CHECK;

/* The kind in the ids of a list ("block" of "blocks"); NULL: has none. */
const char *af_rule_kind(const char *key);

#endif /* !CORE_AF_RULE_PART_H */
