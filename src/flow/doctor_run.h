#ifndef FLOW_DOCTOR_RUN_H
#define FLOW_DOCTOR_RUN_H

#include "base/attr.h"

struct doctor;
struct err;

/* What the words of the command ask for besides. */
struct doctor_options {
	const char *origin;	/* NULL: DOCTOR_ADE_ORIGIN, or each of the
				 * edge's `cors' */
	const char *turn;	/* an agent; NULL: no turn is taken */
	const char *ca_file;	/* for a URL; a job file has its own */
	const char *connect_to;
};

/*
 * Look at what the word names, and tell of each trap through d:
 *
 *     http://..., https://...    an API from outside (flow/doctor_url.h), and
 *                                at https://HOST also port 8283 of it
 *     a file that exists         a job: each of its hosts, servers and edges
 *     JOB#NAME, USER@ADDRESS, local    a host (flow/host_named.h) from within
 *
 * Nothing is changed anywhere.  Fails with ERR_USAGE, and when the one host
 * that was asked for cannot be reached; a host or server of a job that cannot
 * be is a finding.
 */
int doctor_run(struct doctor *, const char *word,
    const struct doctor_options *, struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_RUN_H */
