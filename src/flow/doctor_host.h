#ifndef FLOW_DOCTOR_HOST_H
#define FLOW_DOCTOR_HOST_H

#include <stdbool.h>

#include "base/attr.h"

struct doctor;
struct err;
struct host;

/*
 * All that can be seen of a host from within, and nothing is changed there:
 *
 *     its Brocas and SMCPs, their .env, database and what starts them
 *                                               doctor_worker.c
 *     nginx: what it serves, and its settings   doctor_nginx.c
 *     certificates and their renewal            doctor_cert.c
 *     Letta, docker, compose, PostgreSQL, Redis doctor_service.c
 *     disk and clock                            doctor_machine.c
 *
 * name        the host's, as the user gave it
 * letta_port  where its Letta listens, when that is known; 0
 * no_redis    it is to run without
 *
 * Fails when the host cannot be asked any more.
 */
int doctor_host(struct doctor *, struct host *, const char *name,
    unsigned int letta_port, bool no_redis, struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_HOST_H */
