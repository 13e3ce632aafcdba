#ifndef FLOW_UPGRADE_COMPOSE_H
#define FLOW_UPGRADE_COMPOSE_H

#include "base/attr.h"

struct compose_service;
struct err;
struct step;
struct run;
struct upgrade;

/*
 * The upgrade of a server that is a service of docker compose: what its two
 * steps, `pull' and `compose', share.
 */

/*
 * Its service, by its container; while it is stopped by this job and that is
 * gone, by what is noted of it (upgrade_compose_stop).  The caller closes it
 * in any case.
 */
int upgrade_compose_find(const struct upgrade *, struct compose_service *,
    struct err *) MUST_CHECK;

/* Both; the service is the caller's to close in any case. */
int upgrade_compose_open(struct upgrade *, struct compose_service *,
    struct run *, const struct step *, struct err *) MUST_CHECK;

/*
 * The image of the new server: [letta NEW] image, else the repository of the
 * old one with NEW's version for its tag.  The caller frees it.
 */
int upgrade_compose_image(const struct upgrade *,
    const struct compose_service *, char **out, struct err *) MUST_CHECK;

/*
 * Stop it, and keep the engine from starting it: with `restart: always' a
 * container that was stopped comes back with the daemon, at boot
 * (docs.docker.com, "Start containers automatically"), and would serve a
 * database that is being made anew.  So its restart policy becomes `no'; what
 * it was is a fact of the journal, "restart.CONTAINER", and what it was made
 * with are others, since what is stopped may be removed (docker system prune).
 */
int upgrade_compose_stop(const struct upgrade *, struct compose_service *,
    struct err *) MUST_CHECK;

/* Its container, if it is the one that was held, has its policy again. */
int upgrade_compose_release(const struct upgrade *, struct compose_service *,
    struct err *) MUST_CHECK;

/*
 * Start it, or closed to its clients (flow/upgrade_closed.h), and that; one
 * that is made anew has the policy of its file.
 */
int upgrade_compose_start(const struct upgrade *, struct compose_service *,
    struct err *) MUST_CHECK;
int upgrade_compose_start_closed(const struct upgrade *,
    struct compose_service *, struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_COMPOSE_H */
