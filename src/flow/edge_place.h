#ifndef FLOW_EDGE_PLACE_H
#define FLOW_EDGE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct conf_edge;
struct err;
struct host;
struct run;

/* What a host is for an edge's file; all 0 when it was not asked. */
struct edge_place {
	bool ipv4_only;		/* the host has no IPv6 */
	bool ipv6_loopback;	/* ::1 is one of its addresses */
	bool foreign_443;	/* as in struct nginx_edge */
	bool foreign_ade;
	size_t n_foreign;	/* files of nginx's configuration but ours */
	char group[64];		/* of nginx's workers; "": not known */
	/* The certificate that is there; "": where ours is going to be. */
	char certificate[512];
	char certificate_key[512];
	char broken[1024];	/* why nginx refuses a file that is not ours,
				 * with its PATH:LINE; "": it does not */
};

/*
 * Look at the host's nginx: `nginx -T' and what is in it.  Changes nothing.
 * Without nginx there (it may be a package that an earlier step brings) there
 * is nothing foreign.
 *
 * Fails with ERR_DATA, naming the file and line, when another file of nginx
 * has the edge's names already, or has unknown names of its ports without
 * saying so (default_server): the edge would take them away.
 */
int edge_place_look(struct host *, const struct conf_edge *,
    struct edge_place *, struct err *) MUST_CHECK;

/* The files of nginx's configuration but ours; 0 when it is not valid. */
int edge_place_count(struct host *, const struct conf_edge *, size_t *out,
    struct err *) MUST_CHECK;

/* Fill certificate and certificate_key in: edge_certificate_paths. */
int edge_place_certificate(struct run *, const struct conf_edge *,
    struct edge_place *, struct err *) MUST_CHECK;

#endif /* !FLOW_EDGE_PLACE_H */
