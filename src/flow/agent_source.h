#ifndef FLOW_AGENT_SOURCE_H
#define FLOW_AGENT_SOURCE_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct journal;
struct run;

/*
 * Where an agent of a job comes from: a server, or a bundle or agent file on
 * this machine.  Behind these functions both are staged rows, and no step
 * asks which it was.
 */

/*
 * Read the source into the journal: agent_read_side for a server, bundle_load
 * for a path.  fresh drops what was staged first.
 */
int agent_source_load(struct run *, const struct conf_agent *, bool fresh,
    struct journal *, struct err *) MUST_CHECK;

/* The agent's id at its server, or the path: the journal's key of ids. */
const char *agent_source_id(const struct conf_agent *);

/* Where it comes from, in a message: "cloud", or "a bundle". */
const char *agent_source_place(const struct conf_agent *);

#endif /* !FLOW_AGENT_SOURCE_H */
