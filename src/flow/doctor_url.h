#ifndef FLOW_DOCTOR_URL_H
#define FLOW_DOCTOR_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct doctor;
struct err;
struct http_probe;
struct http_reply;
struct letta_caps;
struct secret;

/*
 * All that can be seen of an API from outside.  Nothing is changed: every
 * request is one that reads or that the server refuses by itself, but for
 * the turn that `turn' asks for.
 */
struct doctor_site {
	struct doctor *d;
	const char *url;		/* base URL, no "/" at its end */
	const char *ca_file;		/* NULL: the system's */
	const char *connect_to;		/* address instead of DNS; NULL */
	const struct secret *token;	/* NULL: only what needs none */
	const char *origin;		/* of the ADE's page */
	const char *turn;		/* agent that takes a turn; NULL */
};

#define DOCTOR_ADE_ORIGIN "https://app.letta.com"
#define DOCTOR_ADE_PORT 8283

/*
 * The API itself, TLS, what leads there and what should not be open
 * (doctor_url.c, doctor_tls.c, doctor_api.c).  *answers: there is one, so
 * that a browser may be played to it.
 */
int doctor_url(const struct doctor_site *, bool *answers, struct err *)
    MUST_CHECK;

/*
 * What the ADE's page, in a browser, would meet there: preflight for each
 * verb, answers with Access-Control-Allow-*, a big body, a stream
 * (doctor_ade.c, doctor_ade_stream.c).
 */
int doctor_ade(const struct doctor_site *, struct err *) MUST_CHECK;

/* For doctor_*.c alone. */

/* The parts of https://HOST[:PORT][/PREFIX]. */
struct doctor_address {
	bool tls;
	char host[256];		/* without brackets */
	unsigned int port;
	bool loopback;
};

void doctor_address(const char *url, struct doctor_address *);

/* How one request differs from the site's own. */
struct doctor_request {
	const char *url;	/* NULL: the site's */
	bool token;		/* send the site's token */
	bool tls13;
	bool clear;
	const char *connect_to;	/* NULL: the site's */
};

#define DOCTOR_ANSWER_MAX (8 * 1024 * 1024)
#define DOCTOR_ASK_MS 15000

/* One request on a connection of its own; probe may be NULL. */
int doctor_request(const struct doctor_site *, const struct doctor_request *,
    const char *method, const char *path, struct http_probe *,
    uint64_t timeout_ms, struct http_reply *, struct err *) MUST_CHECK;

/* err is forgotten, and told as unknown, unless it is a signal: then -1. */
int doctor_url_pass(const struct doctor_site *, const char *id, struct err *)
    MUST_CHECK;

/* reached: somebody took the connection; else there is no TLS to look at. */
int doctor_tls(const struct doctor_site *, bool reached, struct err *)
    MUST_CHECK;
int doctor_api(const struct doctor_site *, const char *health, size_t len,
    struct err *) MUST_CHECK;
/*
 * Whether the tables are those of its version, by requests that read them
 * (doctor_schema.c).  Which column is lacking no answer tells, and nothing
 * that reads shows whether messages.sequence_id has its default: doctor_host
 * asks the database for that.
 */
int doctor_schema(const struct doctor_site *, const struct letta_caps *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_DOCTOR_URL_H */
