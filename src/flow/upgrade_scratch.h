#ifndef FLOW_UPGRADE_SCRATCH_H
#define FLOW_UPGRADE_SCRATCH_H

#include <stdbool.h>

#include "base/attr.h"

struct endpoint;
struct err;
struct postgres;
struct upgrade;

/*
 * A server of the new version beside the old one, for a rehearsal alone:
 *
 *     service    letta-rehearsal, by the host's manager (flow/service.h), as
 *                the account `letta'
 *     directory  UPGRADE_SCRATCH_DIR, with its environment, 0600
 *     address    a free port of the loopback; a password that is drawn
 *     database   sanctumctl_rehearsal_MARK in the PostgreSQL of the old one,
 *                its tables by the models of the new version
 *
 *     struct endpoint to = { 0 };
 *
 *     upgrade_scratch_make(up, pg, &to, err)
 *     upgrade_scratch_remove(up, pg, err)      in any case
 *     endpoint_clear(&to)
 *
 * The account and the version are there by then (flow/runtime.h).  The journal
 * says that there is one before anything of it is made, so that what a killed
 * run leaves is found and taken away; it is never gone on with.  A service and
 * not a child of ours: it is to be found again after a kill.
 *
 * It takes about 430 MB of memory for itself (0.16.2, seen) and 13 MB more for
 * each 1,000 messages of the longest history while that is imported.
 */
#define UPGRADE_SCRATCH_DIR "/var/lib/letta-rehearsal"

/*
 * Bring it up, and wait until it answers.  to is how it is reached from the
 * host itself; the caller clears it.  ERR_STALE: the directory is there, and
 * not made by this job.
 */
int upgrade_scratch_make(const struct upgrade *, struct postgres *,
    struct endpoint *to, struct err *) MUST_CHECK;

/* All of it; where there is none that is a success. */
int upgrade_scratch_remove(const struct upgrade *, struct postgres *,
    struct err *) MUST_CHECK;

/* Whether the journal says that something of one may be there. */
int upgrade_scratch_is_there(const struct upgrade *, bool *out,
    struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_SCRATCH_H */
