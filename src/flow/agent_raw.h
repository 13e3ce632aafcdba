#ifndef FLOW_AGENT_RAW_H
#define FLOW_AGENT_RAW_H

#include <stdint.h>

#include "base/attr.h"

struct buf;
struct conf_agent;
struct err;
struct jdoc;
struct journal;
struct server;

/*
 * Raw rows in place of listed ones (core/raw.h): wherever an export holds a
 * row as it is stored, that is what is staged and moved.
 */

struct agent_raw_counts {
	uint64_t placed;	/* listed rows that have become raw */
	uint64_t pairs;		/* raw rows of reasoning and a reply or call */
	uint64_t left;		/* raw rows without a listed one that is the
				 * same: the listed one stays */
};

/*
 * Put the rows of an export (the answer of the server, as it came) in place of
 * the listed ones of a source.  Of a target nothing is written: how many of
 * them are the listed ones is what its export is checked by.
 *
 * shell is what core/export.h made of the export.  ids are those of the rows in
 * context on the server, in the order of the file's list of them, so these rows
 * are known; all others are by their order.  NULL, or of another length: all
 * are.
 */
int agent_raw_place(const struct conf_agent *, const char *side,
    struct journal *, const struct buf *answer, const struct jdoc *shell,
    const struct jdoc *ids, bool legacy, struct agent_raw_counts *,
    struct err *) MUST_CHECK;

/*
 * The window: every other row as well, for which the source's list of
 * messages in context is exchanged batch by batch while each batch is exported,
 * and put back (0.16.2 and 0.16.8, seen).  For `raw_read = yes' alone.  The
 * list is in the journal before it is touched.
 *
 * Fails with ERR_AGAIN, having changed nothing, when the agent has a run that
 * is not ended.  After any failure the list is put back; where that fails too,
 * err says so, and agent_raw_restore does it at the next run.
 */
int agent_raw_window(struct server *, const char *id,
    const struct conf_agent *, struct journal *, struct agent_raw_counts *,
    struct err *) MUST_CHECK;

/*
 * Put the list back that a killed run has left exchanged; without one there is
 * nothing to do.  Ids that the list got since stay at its end.
 */
int agent_raw_restore(struct server *, const char *id,
    const struct conf_agent *, struct journal *, struct err *) MUST_CHECK;

/* Whether the journal says that a list is still to be put back. */
int agent_raw_is_open(const struct conf_agent *, struct journal *, bool *out,
    struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_RAW_H */
