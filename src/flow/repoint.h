#ifndef FLOW_REPOINT_H
#define FLOW_REPOINT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;
struct host_word;

/*
 * The same worker, on the same host, for another agent: `worker repoint`.
 *
 * All that names the agent in its directory changes: .env of it and of its
 * trees, start scripts, broca/settings.json.  A directory's name stays.  The
 * texts are made before the first file is written, and the pair of ids stands
 * in a journal, STATE_DIR/repoint-DIGEST/journal.db, before it too: killed
 * anywhere, the same command finishes.  It can be reversed, to the byte, as
 * long as nobody else has edited those files.
 *
 * A running worker reads its .env at its start: it has to be started again.
 */
struct repoint_options {
	const char *state_dir;	/* as in struct run_options */
	bool dry_run;		/* write nothing, here neither */
	bool reverse;		/* back to what the journal has */
};

struct repoint_report {
	char *from, *to;	/* the two ids */
	struct buf diff;	/* masked, for people */
	struct buf by_hand;	/* a line each: what else names the old one */
	size_t files;		/* that change, or have */
	size_t places;
	bool was_done;		/* nothing was left to do */
};

/*
 * new_id is NULL with reverse.  Fails with ERR_USAGE (not an id; nothing to
 * reverse), ERR_DATA (no AGENT_ID; a file that cannot be edited safely),
 * ERR_STALE (a file has the new id already, and no journal says why; or
 * another repoint of this worker is not finished).
 */
int repoint(const struct host_word *, const char *new_id,
    const struct repoint_options *, struct repoint_report *, struct err *)
    MUST_CHECK;
void repoint_report_clear(struct repoint_report *);

#endif /* !FLOW_REPOINT_H */
