#ifndef FLOW_EDGE_RENEWAL_H
#define FLOW_EDGE_RENEWAL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "io/cert.h"

struct conf_edge;
struct edge_lineage;
struct err;
struct run;

/*
 * That a certificate is renewed by itself, and nginx serves the new one.
 *
 *     hook        /etc/letsencrypt/renewal-hooks/deploy/sanctumctl-SITE, which
 *                 certbot runs after each renewal and which acts on this
 *                 lineage alone; `nginx -s reload', so with or without systemd
 *     scheduler   flow/edge_schedule.h
 *     proof       one renewal, once for each lineage: edge.HOST.renewal
 *
 * How it is proven, since a certificate too many counts at a public authority:
 *
 *     a staging authority is known   `certbot renew --dry-run' there, then the
 *                                    hook by itself: a dry run has none
 *                                    (2.1.0, seen)
 *     not ours, an adopted lineage   the same, by its own settings
 *     a private authority            `certbot renew --force-renewal'
 *     acme_staging = none            not at all
 *     moved, and DNS does not lead   not before it does
 *     here yet
 *     acme_command                   it renews by itself; not proven
 *
 * Always: the serial number that site serves is that of the lineage.
 */
enum edge_renewal_proof {
	EDGE_PROOF_NONE,	/* nothing has been proven */
	EDGE_PROOF_WAITS,	/* cannot be before DNS leads here */
	EDGE_PROOF_OFF,		/* acme_staging = none, or acme_command */
	EDGE_PROOF_DONE
};

struct edge_renewal {
	bool hook;			/* as we would write it */
	bool scheduled;
	struct buf scheduler;		/* its name, or what is missing */
	enum edge_renewal_proof proof;
	bool served;			/* something answers with TLS, and: */
	bool current;			/* with the lineage's serial */
};

/* What there is of it.  Only asks; clear it in any case. */
int edge_renewal_look(struct edge_renewal *, struct run *,
    const struct conf_edge *, const struct edge_lineage *, struct err *)
    MUST_CHECK;
void edge_renewal_clear(struct edge_renewal *);

/*
 * Renew now, whatever is left: `edge cert --renew'.  Ends with nginx serving
 * the new one, or fails.
 */
int edge_renewal_force(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_EDGE_RENEWAL_H */
