#ifndef FLOW_EDGE_CERTBOT_H
#define FLOW_EDGE_CERTBOT_H

#include "base/attr.h"

struct conf_edge;
struct err;
struct run;

/*
 * certbot on the host of an edge.
 *
 * What the authority has refused is remembered in the journal, as the facts
 * edge.HOST.refused and edge.HOST.refused_staging:
 *
 *     UNTIL FAILURES FIRST SERVER       seconds since 1970, SERVER a URL or
 *                                       "-" for certbot's own
 *
 * Until that instant it is not asked again, by whatever command: no program
 * is run.  core/acme_refusal.h says how long that is.
 */
enum edge_ca {
	EDGE_CA,		/* acme_server, or certbot's own */
	EDGE_CA_STAGING		/* where the rehearsal is */
};

/*
 * Run a certbot command that asks an authority.  Fails with ERR_AGAIN and the
 * time of the day while a refusal holds, and when one has just come; with
 * ERR_FAILED and the authority's words for any other; ERR_MISSING when there
 * is no certbot.
 */
int edge_certbot_ask(struct run *, const struct conf_edge *, enum edge_ca,
    const char *const *argv, struct err *) MUST_CHECK;

/* One that asks nobody. */
int edge_certbot_run(struct run *, const struct conf_edge *,
    const char *const *argv, struct err *) MUST_CHECK;

/* ERR_AGAIN while a refusal holds, for a probe; nothing is run. */
int edge_certbot_may_ask(struct run *, const struct conf_edge *,
    enum edge_ca, struct err *) MUST_CHECK;

#endif /* !FLOW_EDGE_CERTBOT_H */
