#ifndef FLOW_EDGE_H
#define FLOW_EDGE_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf_edge;
struct err;
struct plan;
struct run;
struct step_kind;
struct verdict;

/*
 * The edge of a host: nginx with TLS in front of a Letta server that listens
 * on that host's loopback alone.
 *
 *     backend       something listens on 127.0.0.1:PORT      edge_backend.c
 *     http          nginx answers on port 80, for the ACME challenge
 *                                                            edge_nginx.c
 *     certificate   certbot certonly --webroot, or another way to one
 *                                                            edge_cert.c
 *     tls           nginx serves site and ADE port with it   edge_nginx.c
 *     renewal       it is renewed by itself, and nginx hears of it
 *                                                            edge_renewal.c
 *
 * renewal comes last, since its proof is what nginx then serves.
 *
 * One file is ours on the host: /etc/nginx/conf.d/sanctumctl-SITE.conf
 * (edge_render.h).
 * It is written whole, tested with `nginx -t`, and only said to be in service
 * when the new rendering's own generation id was fetched: `nginx -s reload`
 * returns 0 even when the new configuration cannot bind (nginx 1.22.1, seen).
 * Otherwise what was there before is put back.
 */
void edge_plan(struct plan *, const struct conf_edge *);

/* Health and TLS of both ports, as a client sees them. */
int edge_verify(struct run *, const struct conf_edge *, struct verdict *,
    struct err *) MUST_CHECK;

extern const struct step_kind edge_backend_kind;
extern const struct step_kind edge_http_kind;
extern const struct step_kind edge_certificate_kind;
extern const struct step_kind edge_tls_kind;
extern const struct step_kind edge_renewal_kind;

/*
 * Whether clients can reach what is behind the edge: the journal says that
 * its last step is done.
 */
int edge_ready(struct run *, const struct conf_edge *, bool *out,
    struct err *) MUST_CHECK;

/*
 * The directory that answers the ACME challenges of this site, on the host:
 * one below EDGE_WEBROOTS, since another job may have another site there.
 * The caller frees it.
 */
#define EDGE_WEBROOTS "/var/lib/sanctumctl/acme"
char *edge_webroot(const struct conf_edge *);

/*
 * *there: the host holds a certificate that names the site and the ADE name,
 * and no other.  *lasts: and it has more than a day left.
 */
int edge_certificate(struct run *, const struct conf_edge *, bool *there,
    bool *lasts, struct err *) MUST_CHECK;

/*
 * Where certificate and key of this edge lie on its host, for nginx: those of
 * its own lineage, of one that was found there (flow/edge_lineage.h), or where
 * acme_command puts them.  The caller frees both.
 */
int edge_certificate_paths(struct run *, const struct conf_edge *,
    char **certificate, char **key, struct err *) MUST_CHECK;

/*
 * Before nginx is to serve a port: that no other program has it.  Fails with
 * ERR_FAILED and the other's name and process id; silent where the host
 * cannot tell (no ss(8), or not root).
 */
int edge_port_check(struct run *, const struct conf_edge *,
    unsigned int port, struct err *) MUST_CHECK;

/*
 * Whether Letta's own port is open on the address that the edge serves: it
 * must listen on loopback alone.  *known is false, and nothing was asked,
 * when the job file gives no IP address for the host (connect_to).
 */
int edge_raw_port_open(struct run *, const struct conf_edge *, bool *known,
    bool *open, struct err *) MUST_CHECK;

/*
 * Fetch the generation id that a URL of this edge serves right now: "" when
 * there is no answer, or another one.
 */
int edge_generation(const struct conf_edge *, const char *url,
    struct buf *out, struct err *) MUST_CHECK;

#endif /* !FLOW_EDGE_H */
