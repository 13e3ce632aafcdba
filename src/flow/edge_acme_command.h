#ifndef FLOW_EDGE_ACME_COMMAND_H
#define FLOW_EDGE_ACME_COMMAND_H

#include "base/attr.h"

struct conf_edge;
struct err;
struct run;

/*
 * Another ACME client, by acme_command: an argv that is run on the host, never
 * by a shell, with these in its environment besides its own:
 *
 *     SANCTUM_DOMAINS           site, and ade's name if it is another, with
 *                               one blank between
 *     SANCTUM_EMAIL             acme_email
 *     SANCTUM_WEBROOT           what answers challenges on port 80
 *     SANCTUM_CERTIFICATE       where the certificate with its chain must be
 *     SANCTUM_CERTIFICATE_KEY   afterwards, and its key: `certificate' and
 *                               `certificate_key' of the job file
 *     SANCTUM_ACME_SERVER       acme_server, "" when none is given
 *     SANCTUM_ACME_CA_FILE      acme_ca_file, or ""
 *
 * Exit code 75 (EX_TEMPFAIL) is ERR_AGAIN; any other than 0 is ERR_FAILED.
 * Its key must not be readable for others.  It renews by itself, and tells
 * nginx of it.
 */
int edge_acme_command_run(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_EDGE_ACME_COMMAND_H */
