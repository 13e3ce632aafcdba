#ifndef FLOW_RESTORE_IDS_H
#define FLOW_RESTORE_IDS_H

#include "base/attr.h"

struct err;
struct run;

/*
 * A restore is an import, so each agent has another id there.  Which one is
 * kept beside the journal of its job, for whoever names agents by their ids:
 *
 *     ids.tsv    a line an agent: OLD_ID, tab, NEW_ID, tab, SECTION
 *
 * 0600; sections as in the restore's job.conf.  An agent that was not restored
 * has no line.
 */

/* "DIR/ids.tsv" of "DIR/journal.db" or "DIR/job.conf"; the caller frees it. */
char *restore_ids_path(const char *beside);

/* Write it anew.  The run is of a restore's job. */
int restore_ids_write(struct run *, struct err *) MUST_CHECK;

/* Call each for every line; none when there is no file. */
int restore_ids_read(const char *path,
    void (*each)(void *ctx, const char *from, const char *to,
    const char *section), void *ctx, struct err *) MUST_CHECK;

#endif /* !FLOW_RESTORE_IDS_H */
