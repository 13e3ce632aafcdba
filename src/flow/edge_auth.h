#ifndef FLOW_EDGE_AUTH_H
#define FLOW_EDGE_AUTH_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_edge;
struct edge_place;
struct err;
struct host;
struct run;

/*
 * The users of the ADE (ade_auth), lines of htpasswd in a file of their own
 * on the host, 0640, of root and the group of nginx's workers.  nginx reads
 * it at each request: no reload belongs to it.
 *
 * It is a secret, so the journal has nothing of it but that it is ours; what
 * was there before cannot come back, and `cancel' takes it away.
 */

/*
 * Whether the file is as the job wants it, or is not there when it wants
 * none.  Fails with ERR_USAGE for a line that is not NAME:HASH: nginx takes
 * a password in clear, and so must we not.
 */
int edge_auth_look(struct run *, struct host *, const struct conf_edge *,
    const struct edge_place *, bool *out, struct err *) MUST_CHECK;

/* Make it so. */
int edge_auth_set(struct run *, struct host *, const struct conf_edge *,
    const struct edge_place *, struct err *) MUST_CHECK;

/* Take it away, when it is ours. */
int edge_auth_undo(struct run *, struct host *, const struct conf_edge *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_EDGE_AUTH_H */
