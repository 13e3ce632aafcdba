#ifndef FLOW_EDGE_REACH_H
#define FLOW_EDGE_REACH_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf_edge;
struct err;
struct run;

/*
 * Before an authority is asked: would it meet our challenge?  A failed
 * validation counts against a limit of the authority, a question of ours does
 * not.
 *
 * A token is put where challenges are served from, and fetched from here, over
 * port 80, as the authority will: by every address that each name has, A and
 * AAAA, since an authority prefers IPv6.  An address at which the token is
 * served is right, whatever the host says of itself (NAT hides it).  One at
 * which it is not is an error that says whether it is the host's at all.
 *
 * With connect_to the token must be served at that address; a name that has
 * no address here is then let pass, and said to be unknown.
 *
 * What could not be checked is appended to unknown, with "; " before it.
 * The token is gone afterwards.  Fails with ERR_FAILED, and nobody was asked.
 */
int edge_reach_check(struct run *, const struct conf_edge *,
    struct buf *unknown, struct err *) MUST_CHECK;

/*
 * Before port 80 is to be proven by name: that both names have an address at
 * all.  With connect_to none is needed.  Only asks.
 */
int edge_reach_resolves(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;

/*
 * After port 80 could not be proven: put in front of err where the names lead
 * to, when that is none of the host's own addresses.  Nothing with connect_to.
 */
void edge_reach_explain(struct run *, const struct conf_edge *,
    struct err *);

/*
 * Whether site leads to this edge for the rest of the world: without
 * connect_to that is how we reach it; with it, the name's own addresses must
 * serve the same generation.  Only asks.
 */
int edge_reach_public(const struct conf_edge *, bool *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_EDGE_REACH_H */
