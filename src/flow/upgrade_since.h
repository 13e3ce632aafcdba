#ifndef FLOW_UPGRADE_SINCE_H
#define FLOW_UPGRADE_SINCE_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct run;
struct upgrade;

/*
 * What clients have written to the new server since every agent was restored:
 * a rollback drops it with the new database.  Facts of the journal:
 *
 *     since.census    what the new database held then
 *     since.of        of which one: database.made
 *
 * Of agents, messages, passages, blocks and archives rows and last changes
 * count; of tools the rows alone, since a server that starts writes its own
 * tools anew.
 */

/*
 * Take the census, once a database: a restore that is gone on with later must
 * not take what was written meanwhile for its own.
 */
int upgrade_since_keep(const struct upgrade *, struct err *) MUST_CHECK;
int upgrade_since_kept(const struct upgrade *, bool *out, struct err *)
    MUST_CHECK;

/*
 * Before a rollback takes anything back: no other job upgrades this server
 * (flow/upgrade_marker.h), its database is one that this job knows, the safety
 * copy is whole, if it is needed, and nothing was written since, or
 * run->discard, which is warned of.  ERR_STALE names what is in
 * the way: the job, or agents and tables.  A job that has not stopped the old
 * server asks nobody; nor does one of another kind.  Changes nothing.
 */
int upgrade_may_go_back(struct run *, struct err *) MUST_CHECK;

/*
 * Whether the way back is by the safety copy alone: the old database is none
 * any more, and was not restored.  The host of the upgrade is known.
 */
int upgrade_needs_copy(const struct upgrade *, bool *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_UPGRADE_SINCE_H */
