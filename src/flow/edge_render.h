#ifndef FLOW_EDGE_RENDER_H
#define FLOW_EDGE_RENDER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "core/nginx.h"

struct conf;
struct conf_edge;
struct edge_place;
struct err;

/* The edge's file and its generation. */
struct edge_text {
	struct buf text;
	char generation[NGINX_GENERATION_SIZE];
};

/*
 * Render the file of an edge: with TLS, or that of the first phase.  Asks no
 * host.  edge_text_clear in any case.
 */
int edge_render(const struct conf *, const struct conf_edge *, bool tls,
    const struct edge_place *, struct edge_text *out, struct err *)
    MUST_CHECK;
void edge_text_clear(struct edge_text *);

/* Where it lies on the host; the caller frees it. */
char *edge_path(const struct conf_edge *);
/* Where the users of the ADE lie, if there are any; the caller frees it. */
char *edge_htpasswd_path(const struct conf_edge *);

/* Port on the loopback of the server behind the edge. */
unsigned int edge_upstream_port(const struct conf *,
    const struct conf_edge *);

#endif /* !FLOW_EDGE_RENDER_H */
