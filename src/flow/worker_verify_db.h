#ifndef FLOW_WORKER_VERIFY_DB_H
#define FLOW_WORKER_VERIFY_DB_H

#include "base/attr.h"

struct conf_worker;
struct err;
struct host;
struct run;
struct verdict;

/*
 * The database of a worker's target against the source's, row by row, by id:
 * what a row is about must be the same, what a worker changes as it works (a
 * status, an answer that was not there yet, when somebody was last seen) may
 * have gone on.  Rows that only the target has came since; they are counted.
 * Ids of users' identities and blocks must be those that the journal has for
 * the source's.
 *
 * Memory is bounded: a few thousand rows of either side at a time.
 */
int worker_verify_db(struct run *, const struct conf_worker *,
    struct host *from, struct host *to, struct verdict *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_WORKER_VERIFY_DB_H */
