#ifndef FLOW_BACKUP_DIR_H
#define FLOW_BACKUP_DIR_H

#include "base/attr.h"
#include "core/backup_index.h"

struct err;

/* The directory of a backup, and those beside it. */

/*
 * Make it and DIR/agents, 0700, and take its lock, which is gone with this
 * process: *lock is a descriptor for close(2).  ERR_LOCKED.  ERR_USAGE: what
 * is there is another user's, others may write to it, or agents is a link.
 */
int backup_dir_open(const char *dir, int *lock, struct err *) MUST_CHECK;

/* Write the index, whole or not at all, 0600. */
int backup_dir_write(const char *dir, const char *name,
    const struct backup_index *, struct err *) MUST_CHECK;

/*
 * The newest sibling of dir, "letta-backup-YYYYMMDD", of our own and 0700,
 * that has a bundle and a finished index of the server with this url; NULL
 * when there is none.
 */
int backup_dir_newest(const char *dir, const char *url, char **out,
    struct err *) MUST_CHECK;

/*
 * Fails with ERR_USAGE unless dir is called by a day: only such are counted
 * and removed by age.
 */
int backup_dir_dated(const char *dir, struct err *) MUST_CHECK;

/*
 * Remove the oldest siblings of that kind, so that keep stay with dir; and
 * beside these the newest of all in which no agent has failed.  One of a day
 * to come is not counted, one with other files in it stays.
 */
int backup_dir_retain(const char *dir, const char *url, unsigned int keep,
    uint64_t *removed, struct err *) MUST_CHECK;

#endif /* !FLOW_BACKUP_DIR_H */
