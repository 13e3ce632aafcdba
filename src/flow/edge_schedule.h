#ifndef FLOW_EDGE_SCHEDULE_H
#define FLOW_EDGE_SCHEDULE_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf_edge;
struct err;
struct run;

/*
 * What runs `certbot renew' on the host of an edge.  Debian's package ships
 * both a timer and a cron file whose line does nothing where systemd runs
 * (2.1.0-4, seen), so there:
 *
 *     systemd runs       certbot.timer, or snap.certbot.renew.timer
 *     it does not        /etc/cron.d/certbot
 *     neither is there   our /etc/cron.d/sanctumctl-certbot
 *
 * A timer that this job has enabled is edge.HOST.timer.
 */

/* *ready, and in shown what it is or what is missing.  Only asks. */
int edge_schedule_look(struct run *, const struct conf_edge *, bool *ready,
    struct buf *shown, struct err *) MUST_CHECK;
int edge_schedule_put(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;
/* Take away what this job has put there. */
int edge_schedule_undo(struct run *, const struct conf_edge *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_EDGE_SCHEDULE_H */
