#ifndef FLOW_AGENT_COMPARE_ROWS_H
#define FLOW_AGENT_COMPARE_ROWS_H

#include <stdbool.h>

#include "base/attr.h"
#include "flow/agent.h"

struct conf_agent;
struct err;
struct journal;
struct verdict;

/*
 * Compare the staged histories of both sides row by row, in order: the
 * source's as an import makes them, the target's as they are listed.  Adds
 * the check "messages" and one for each aspect of core/verdict_aspect.h.
 *
 * Of a target that may have gone on the first system row is not compared; of a
 * source, when it has more rows and that one is not the same.
 */
int agent_compare_rows(const struct conf_agent *, struct journal *,
    enum agent_since, struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_COMPARE_ROWS_H */
