#ifndef FLOW_EDGE_ISSUE_H
#define FLOW_EDGE_ISSUE_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf_edge;
struct err;
struct run;

/*
 * certbot certonly --webroot for the names of an edge, as lineage SITE.
 *
 * The first issue of a job is rehearsed, where there is a staging authority
 * to rehearse with: `certbot certonly --dry-run', which asks Let's Encrypt's
 * own for certbot's default authority, and acme_staging where that is given.
 * It keeps nothing on the host but an account there.  (A second --config-dir
 * was the other way: it would prove as much, and leave a tree to clear up.)
 * edge.HOST.rehearsed is the names it was done for; it is not repeated.
 *
 * Before either, edge_reach_check; what it could not check is appended to
 * unknown.  Fails as edge_certbot_ask.
 */
int edge_issue(struct run *, const struct conf_edge *, bool first,
    struct buf *unknown, struct err *) MUST_CHECK;

/* Whether there is a staging authority for this edge. */
bool edge_issue_rehearses(const struct conf_edge *);

#endif /* !FLOW_EDGE_ISSUE_H */
