#ifndef FLOW_UPGRADE_DATABASE_H
#define FLOW_UPGRADE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct postgres;
struct upgrade;

/*
 * What the steps `dump' and `database' know of each other, as facts of the
 * journal.
 *
 *     dump.size, .sha256          of the safety copy; no size: there is none
 *     dump.census                 what the database held then
 *     database.was                the oid of the old database, once its
 *                                 rebuild has begun
 *     database.made               the oid of the new one, once it is whole
 *     database.proven             the others were as before, or were reported
 *                                 (flow/upgrade_others.h, which has its own)
 *     database.back               the oid of the restored one, once it is
 *                                 whole
 */

/* The host's /var/lib/sanctumctl/JOB/NAME-MARK.dump; the caller frees it. */
char *upgrade_dump_path(const struct upgrade *);

/*
 * Beside it the SQL that makes a database like the old one, once its rebuild
 * has begun.  No fact of the journal: settings may hold secrets.
 */
char *upgrade_properties_path(const struct upgrade *);

/*
 * What is free where the copy goes; ERR_FAILED when it may not hold that of a
 * database of so many bytes.
 */
int upgrade_dump_room(const struct upgrade *, uint64_t database_bytes,
    uint64_t *room, struct err *) MUST_CHECK;

/* ERR_STALE unless the copy is there as it was made, by its SHA-256. */
int upgrade_dump_is_whole(const struct upgrade *, struct postgres *,
    struct err *) MUST_CHECK;

/*
 * What of the database db (NULL: the URI's) is not as when it was dumped, as
 * words; "" when all is.
 */
int upgrade_dump_moved(const struct upgrade *, struct postgres *,
    const char *db, struct buf *moved, struct err *) MUST_CHECK;

/* No copy counts any more: it is none of the last state. */
int upgrade_dump_forget(const struct upgrade *, struct err *) MUST_CHECK;

/* Whether another database, or none, has the old one's name by now. */
int upgrade_is_rebuilt(const struct upgrade *, struct postgres *, bool *out,
    struct err *) MUST_CHECK;

/* An oid that is kept; 0: none. */
int upgrade_oid(const struct upgrade *, const char *word, uint64_t *out,
    struct err *) MUST_CHECK;
int upgrade_put_oid(const struct upgrade *, const char *word, uint64_t oid,
    struct err *) MUST_CHECK;

/* "sanctumctl_new_MARK": a database of this job beside the real one. */
char *upgrade_aside(const struct upgrade *, const char *what);

#endif /* !FLOW_UPGRADE_DATABASE_H */
