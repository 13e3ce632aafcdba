#ifndef FLOW_DOCTOR_JOB_H
#define FLOW_DOCTOR_JOB_H

#include "base/attr.h"

struct doctor;
struct doctor_options;
struct err;

/*
 * Both ends of a job: each host from within, each server from here with the
 * `token' of its section, each edge as a browser of its `cors' origins meets
 * it at the site and at the ADE's port, and of each worker's agent what only
 * the server knows.  Its journal is not looked at, and no lock is taken.
 *
 * A password that was drawn on its host is not fetched: what a server of that
 * kind tells its own alone is unknown then.
 */
int doctor_job(struct doctor *, const char *path,
    const struct doctor_options *, struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_JOB_H */
