#ifndef FLOW_AGENT_COMPARE_ROWS_H
#define FLOW_AGENT_COMPARE_ROWS_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct verdict;

/*
 * Compare the staged histories of both sides row by row, in order: the
 * source's as an import makes them, the target's as they are listed.  Adds
 * the check "messages" and one for each aspect of core/verdict_aspect.h.
 *
 * live: the target may have gone on since the move, so rows that follow the
 * source's are counted and not called different, and the first system row is
 * not compared.
 */
int agent_compare_rows(const struct conf_agent *, struct journal *,
    bool live, struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_COMPARE_ROWS_H */
