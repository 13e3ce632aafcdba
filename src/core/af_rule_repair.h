#ifndef CORE_AF_RULE_REPAIR_H
#define CORE_AF_RULE_REPAIR_H

#include "base/attr.h"

struct af_convert;
struct af_rule_place;
struct jdoc;

/*
 * The rules of a row, each finding with whether our import repairs it: that
 * is found out by doing to a copy what the import does (core/af_row.h) and
 * asking the rules again, so that the two cannot come apart.
 *
 * convert   has seen the rows before this one
 * changes   af_row_look of the row's text
 *
 * Edits the row; when it comes back it is what an import would write.
 */
int af_rule_repair(struct af_convert *convert, struct jdoc *row,
    unsigned int changes, const struct af_rule_place *) MUST_CHECK;

#endif /* !CORE_AF_RULE_REPAIR_H */
