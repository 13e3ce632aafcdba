#ifndef FLOW_EDGE_MOVE_H
#define FLOW_EDGE_MOVE_H

#include "base/attr.h"

struct conf_edge;
struct err;
struct run;

/*
 * certificate_from: certbot's lineage of another host comes to the edge's,
 * before DNS does, so that the edge has TLS from the first moment.
 *
 * The newest certificate, its chain and key, and the account that renews it
 * are read there and written here as lineage SITE, the key 0600 before its
 * first byte.  They pass through this machine's memory, which is wiped; no
 * byte of a key is in the journal or on this machine's disk.  The old host is
 * only read, and goes on renewing its own.
 *
 * Checked before anything is written: that the certificate names what the job
 * needs and nothing else, that it lasts, and that the key is its own.
 *
 * live/SITE/fullchain.pem comes last, so whatever a kill leaves is not yet a
 * lineage, and the same call finishes it.  Its account is the fact
 * edge.HOST.account while this job has brought it there.
 */
int edge_move_lineage(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;

/* Remove the account that this job has brought; none is a success. */
int edge_move_forget(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_EDGE_MOVE_H */
