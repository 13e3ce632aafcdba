#ifndef FLOW_UPGRADE_OTHERS_H
#define FLOW_UPGRADE_OTHERS_H

#include "base/attr.h"

struct buf;
struct err;
struct postgres;
struct upgrade;

/*
 * The other databases of the server are as they were before ours was made
 * anew.  Their own clients go on writing, so a difference is no proof against
 * us: a person looks, once for each database.  Facts of the journal:
 *
 *     database.others         their sums (flow/postgres_census.h), as last seen
 *     database.acknowledged   a line for each database that was reported
 */

/* The sums as they are now. */
int upgrade_others_keep(const struct upgrade *, struct postgres *,
    struct err *) MUST_CHECK;

/*
 * ERR_VERDICT names what moved when it is in a database that was not reported
 * before, or is a definition; from then on the database counts as
 * acknowledged, and the next call compares with what was seen now.  words: what
 * was compared, and what was not, for a step's line.
 */
int upgrade_others_compare(const struct upgrade *, struct postgres *,
    struct buf *words, struct err *) MUST_CHECK;

/* The same for the way back, which nobody else's rows stop: it only warns. */
void upgrade_others_tell(const struct upgrade *, struct postgres *);

#endif /* !FLOW_UPGRADE_OTHERS_H */
