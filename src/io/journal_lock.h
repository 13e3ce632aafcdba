#ifndef IO_JOURNAL_LOCK_H
#define IO_JOURNAL_LOCK_H

#include "base/attr.h"

struct err;

/*
 * The one-writer lock of a journal; used by journal.c alone.
 *
 * It is an open file description lock (fcntl(2), F_OFD_SETLK) on the whole
 * of JOURNAL.lock, so it ends with the process however that ends, a second
 * journal_open of the same process meets it too, and no other close(2) of
 * the file drops it, as one would drop a lock of F_SETLK.
 *
 * The file holds "host pid start-time command\n", written by the holder for
 * the one who waits.  What it says decides nothing: only the lock does.  It
 * is emptied when the lock is given back and never removed, since a removed
 * file could be locked by one process and made anew by the next.
 */

/*
 * Take the lock of the journal at path, without waiting.  Returns a file
 * descriptor to give to journal_lock_drop, or -1: ERR_LOCKED with pid, host
 * and start of the holder; ERR_FAILED when JOURNAL.lock cannot be made, is a
 * symlink, or lies on a filesystem without locks.
 */
int journal_lock_take(const char *path, struct err *) MUST_CHECK;

/* Nothing happens for -1. */
void journal_lock_drop(int fd);

#endif /* !IO_JOURNAL_LOCK_H */
