#ifndef FLOW_WORKER_TWINS_H
#define FLOW_WORKER_TWINS_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct err;
struct host;

/*
 * Split brain: two live Brocas with one Telegram token (each takes updates
 * from the other: HTTP 409) or one agent (each turn is answered twice).
 * Looked for by processes, their .env and their environment, never by pid
 * files, among all Brocas of both hosts of which one is the moved worker's:
 * below from_dir on from, or below to_dir on to.
 *
 * if_started  count the Broca below to_dir as live, though it is not yet: to
 *             be asked before it is started
 * *found      there are two
 * why         one line each pair: "node1:/srv/sage/broca (pid 12) and
 *             old:/srv/sage/broca (pid 77) have one Telegram token"; no value
 *
 * from may be to.  A host that cannot be asked is a failure: not knowing is
 * not the same as being alone.
 */
int worker_twins(struct host *from, const char *from_dir, struct host *to,
    const char *to_dir, bool if_started, bool *found, struct buf *why,
    struct err *) MUST_CHECK;

/*
 * The same before the switch: what there is now, and what there would be with
 * the Broca below staging (on to; NULL: not there yet) started and the one
 * below from_dir ended.
 */
int worker_twins_before(struct host *from, const char *from_dir,
    struct host *to, const char *staging, bool *found, struct buf *why,
    struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_TWINS_H */
