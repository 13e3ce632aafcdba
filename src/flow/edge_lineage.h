#ifndef FLOW_EDGE_LINEAGE_H
#define FLOW_EDGE_LINEAGE_H

#include <stdbool.h>

#include "base/attr.h"
#include "io/cert.h"

struct conf_edge;
struct conf_host;
struct err;
struct run;

/*
 * The certificate that an edge serves, or is going to.  It is, in this order:
 *
 *     where acme_command puts it          `certificate' of the job file
 *     certbot's lineage of site's name    live/SITE, ours or there before
 *     another lineage of certbot's        one that names site and ade both
 *                                         and lasts; used, never changed
 *     else                                live/SITE, not there yet
 */
#define EDGE_LETSENCRYPT "/etc/letsencrypt"
#define EDGE_LASTING 86400	/* seconds: what has less left is renewed */

struct edge_lineage {
	char *name;		/* certbot's; NULL with acme_command */
	char *certificate;	/* paths on the host */
	char *key;
	bool adopted;		/* another's: its name is not site */
	bool present;		/* and if so: */
	bool fits;		/* it names site and ade (and no other, unless
				 * it is not a lineage of our name) */
	struct cert cert;
};

/*
 * Look for it on a host, usually the edge's own.  clear it in any case.
 * Only reads; a certificate that is there and cannot be read is an error.
 */
int edge_lineage_find(struct edge_lineage *, struct run *,
    const struct conf_edge *, const struct conf_host *, struct err *)
    MUST_CHECK;
void edge_lineage_clear(struct edge_lineage *);

/* Whether it can be served for more than a day from now. */
bool edge_lineage_lasts(const struct edge_lineage *);

#endif /* !FLOW_EDGE_LINEAGE_H */
