#ifndef FLOW_AGENT_ARCHIVES_H
#define FLOW_AGENT_ARCHIVES_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct jdoc;
struct run;
struct server;

/*
 * Which archives of a moved agent are this job's: those that the server made
 * for our inserts.  It names them after the agent, which has its temporary
 * name then (letta_archive_is_auto); the journal keeps their ids, so that
 * they are known under another name too.  Any other is the operator's: it is
 * never removed, nor is a passage in it.
 */

/* Whether one, as a listing has it, is; made are ids, or NULL for none. */
bool agent_archives_is_ours(const struct jdoc *archive,
    const struct jdoc *made, const char *temporary);

/* The ids that the journal has, as a list of texts; the caller frees it. */
int agent_archives_made(struct run *, const struct conf_agent *,
    struct jdoc **out, struct err *) MUST_CHECK;

/*
 * List the archives of the agent id and note in the journal those of this
 * job.  *others: it has one that is not.
 */
int agent_archives_note(struct run *, const struct conf_agent *,
    struct server *, const char *id, bool *others, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_ARCHIVES_H */
