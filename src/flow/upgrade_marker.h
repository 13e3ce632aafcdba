#ifndef FLOW_UPGRADE_MARKER_H
#define FLOW_UPGRADE_MARKER_H

#include "base/attr.h"

struct err;
struct postgres;
struct upgrade;

/*
 * What says on a host that a server there is being upgraded, for a job that
 * knows nothing of this one (another name, another state directory, another
 * machine): to it the new server, half filled, would look like any old one,
 * and its own upgrade would drop the only good state.
 *
 *     /var/lib/sanctumctl/upgrades/MARK.json
 *
 * is one object: job, file, journal (path on the machine that runs the job),
 * from_port, to_port, database ("ADDRESS:PORT/NAME"), since.  No secret.  It
 * is there from before `stop' tells anything until the job is completed or
 * taken back; a server that was upgraded and not completed can still go back,
 * so it counts, too.
 *
 * Another job is in the way when it has a port of ours or our database.
 */

/*
 * ERR_STALE names the other job, since when, and what goes on with it;
 * ERR_DATA: a marker that cannot be read.  pg, opened on the old
 * server's database, may be NULL: its ports alone count.
 */
int upgrade_marker_check(const struct upgrade *, const struct postgres *pg,
    struct err *) MUST_CHECK;

/* Check, and leave ours.  Of two that do so at once none goes on. */
int upgrade_marker_put(const struct upgrade *, const struct postgres *pg,
    struct err *) MUST_CHECK;

/* Take ours away; it may be gone. */
int upgrade_marker_remove(const struct upgrade *, struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_MARKER_H */
