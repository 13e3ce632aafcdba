#ifndef FLOW_UPGRADE_DATABASE_OF_H
#define FLOW_UPGRADE_DATABASE_OF_H

#include "base/attr.h"

struct err;
struct port_owner;
struct upgrade;

/*
 * Whether the database that the old server's process uses is the one of
 * `database': LETTA_PG_URI of its environment, or LETTA_PG_HOST, _PORT and
 * _DB, as Letta's own settings put them together (0.11.3 to 0.16.8).  Host,
 * port and name are compared, where every name of the loopback is one host.
 * ERR_STALE: another one, which this job would spare, and drop a third.
 * ERR_DATA: the process does not say which.
 */
int upgrade_database_same(const struct upgrade *, const struct port_owner *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_DATABASE_OF_H */
