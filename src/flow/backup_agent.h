#ifndef FLOW_BACKUP_AGENT_H
#define FLOW_BACKUP_AGENT_H

#include <stdbool.h>

#include "base/attr.h"

struct backup_entry;
struct backup_look;
struct backup_seen;
struct buf;
struct endpoint;
struct err;

/* One agent of a backup: its bundle in DIR/agents. */

/*
 * Read the agent, as a look has seen it, and put its bundle at DIR/agents/ID,
 * in the place of the one that is there.  What is read is staged in a journal
 * below state_dir, which is removed in the end; one that a killed call has
 * left is gone on with when it was of the same print.  answer gets what
 * backup_agent_take reads.
 *
 * What the look has of it is not asked for again: its state, and who has its
 * blocks.  So whoever calls this looks again, and has the agent read again
 * when it is not what backup_agent_take makes of its print.
 *
 * *here: it failed on this machine, not at the server.
 */
int backup_agent_read(const struct endpoint *, const struct backup_look *,
    const struct backup_seen *, const char *dir, const char *state_dir,
    struct buf *answer, bool *here, struct err *) MUST_CHECK;

/*
 * Counts, path and digest of the bundle, into its entry; and into the print
 * that it has the marks of newest message and passage that are missing.
 */
int backup_agent_take(const struct buf *answer, struct backup_entry *,
    struct err *) MUST_CHECK;

/* Whether DIR has the bundle of this entry: the same, and whole. */
int backup_agent_holds(const char *dir, const struct backup_entry *,
    bool *out, struct err *) MUST_CHECK;

/*
 * Bring the bundle of an entry of another backup, `from', into dir: links to
 * its files, or copies where there can be none.  *taken is false when it is
 * not whole there, or others than we may write to it.
 */
int backup_agent_link(const char *from, const char *dir,
    const struct backup_entry *, bool *taken, struct err *) MUST_CHECK;

/* Remove what killed calls have left in DIR/agents.  Only under a lock. */
int backup_agent_sweep(const char *dir, struct err *) MUST_CHECK;

#endif /* !FLOW_BACKUP_AGENT_H */
