#ifndef FLOW_UPGRADE_UNLISTED_H
#define FLOW_UPGRADE_UNLISTED_H

#include "base/attr.h"

struct backup_index;
struct endpoint;
struct err;
struct postgres;
struct upgrade;

/*
 * Agents that the database has and no backup: a server lists those of one
 * organization alone, of the user whom its token stands for, and the database
 * goes with all of them.
 *
 * Each agent of the database must be in the index (NULL: there is none yet),
 * but not as one that is gone, or be listed by the server now (at NULL: it
 * is off, and nobody is asked), or be under `leave'.  ERR_PARTIAL names the
 * others: id, name, whose, messages, and what to do.  Changes nothing.
 *
 * An agent that the server lists and the index has not is no matter of this:
 * it is new, and `backup' and `stop' see to it.
 */
int upgrade_unlisted_check(const struct upgrade *, struct postgres *,
    const struct backup_index *, const struct endpoint *at, struct err *)
    MUST_CHECK;

/* The same by the index of the job's backup; of one that is not there, none. */
int upgrade_unlisted_check_backup(const struct upgrade *, struct postgres *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_UNLISTED_H */
