#ifndef FLOW_LETTA_HEALTH_H
#define FLOW_LETTA_HEALTH_H

#include "base/attr.h"
#include "core/letta.h"

struct doctor;
struct err;

/*
 * The part of `doctor' that is about one Letta server: what it is, whether
 * its tables are those of its version, and who will notice when it gets
 * another.  Nothing is changed, and no agent takes a turn.
 *
 *     from here        what flow/doctor_url.h asks of the API
 *     on its host      images without a version in docker and compose; the
 *                      default of messages.sequence_id; files of clients that
 *                      name its address (flow/client_look.h), of an upgrade
 *                      those alone that will need another and are not in
 *                      `clients'; each Letta Code that is installed
 */
struct letta_health_options {
	const char *on;		/* its host, for flow/host_named.h; NULL: that
				 * of a job's section, if it has one */
	const char *ca_file;	/* for a URL; a job file has its own */
	const char *connect_to;
};

/* A server that has answered. */
struct letta_health {
	const char *server;	/* of the section, or the URL */
	const char *url;
	struct letta_caps caps;	/* version "": its answer is no Letta's */
};

typedef void letta_health_tell(void *ctx, const struct letta_health *);

/*
 * word  a base URL, JOB#NAME for [letta NAME] of a job file, or a job file:
 *       each of its servers
 *
 * Fails with ERR_USAGE, and when the host of `on' cannot be reached; a server
 * that does not answer, and a host of a job that cannot be asked, are
 * findings.
 */
int letta_health(struct doctor *, const char *word,
    const struct letta_health_options *, letta_health_tell *, void *ctx,
    struct err *) MUST_CHECK;

/* Whether `letta health' looks for a trap. */
bool letta_health_has(const char *trap) MUST_CHECK;

#endif /* !FLOW_LETTA_HEALTH_H */
