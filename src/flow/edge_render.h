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

/* Paths on the host, which the caller frees: the file itself, */
char *edge_path(const struct conf_edge *);
/* the users of the ADE; NULL when there are none; */
char *edge_htpasswd_path(const struct conf_edge *);
/* the certificate and its key. */
char *edge_certificate_path(const struct conf_edge *);
char *edge_certificate_key_path(const struct conf_edge *);

/* Port on the loopback of the server behind the edge. */
unsigned int edge_upstream_port(const struct conf *,
    const struct conf_edge *);

#endif /* !FLOW_EDGE_RENDER_H */
