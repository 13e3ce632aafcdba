#ifndef FLOW_BUNDLE_EXTRA_H
#define FLOW_BUNDLE_EXTRA_H

#include "base/attr.h"

struct bundle_figures;
struct bundle_out;
struct bundle_side;
struct err;

/*
 * What a bundle has for people, made from the rest of it: an import does not
 * read it.
 */

/* tools/NAME.py: the source of each tool that has one. */
int bundle_extra_tools(struct bundle_out *, const struct bundle_side *,
    struct err *) MUST_CHECK;

/*
 * originals/changes.jsonl: each row that an import changes or leaves out,
 * what is done to it (core/af_row.h), and the row as it was read.  A history
 * that cannot be converted is said, and is no failure: the bundle is whole
 * without this list.
 */
int bundle_extra_changes(struct bundle_out *, const struct bundle_side *,
    struct bundle_figures *, struct err *) MUST_CHECK;

/*
 * losses.json: what an import cannot carry, each with its reason, and what
 * has to be supplied again: the names of secrets, MCP servers.
 */
int bundle_extra_losses(struct bundle_out *, const struct bundle_side *,
    struct bundle_figures *, struct err *) MUST_CHECK;

#endif /* !FLOW_BUNDLE_EXTRA_H */
