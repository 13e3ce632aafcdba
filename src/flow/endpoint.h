#ifndef FLOW_ENDPOINT_H
#define FLOW_ENDPOINT_H

#include "base/attr.h"

struct conf_letta;
struct err;
struct letta_caps;
struct run;
struct secret;
struct server;

/*
 * A server as the words of a command name it, without a job: a base URL, or
 * JOB#NAME, the section [letta NAME] of a job file with its token, ca_file,
 * version and edge.
 *
 *     struct endpoint at = { 0 };
 *
 *     endpoint_find(word, &at, err)
 *     endpoint_open(&at, &server, err)      borrows the token
 *     server_close(server);
 *     endpoint_clear(&at);
 *
 * A token never stands in a command line, where every user of the machine
 * can read it: with a URL it is that of the variable ENDPOINT_TOKEN, when
 * that is set, and a URL with a user in it is refused.
 */
#define ENDPOINT_TOKEN "LETTA_API_KEY"

struct endpoint {
	char *name;		/* of the section, or the URL */
	char *url;
	char *version;		/* pinned, or NULL */
	char *ca_file;		/* absolute or "~/...", or NULL */
	char *connect_to;	/* of an edge, or NULL */
	char *token_ref;	/* as in a job file, or NULL */
	struct secret *token;	/* of endpoint_fetch */
};

/* Fails with ERR_USAGE: neither of the two, no such section, a user. */
int endpoint_find(const char *word, struct endpoint *, struct err *)
    MUST_CHECK;

/*
 * Fetch the tokens of n endpoints, and take the variables that held one out
 * of the environment.  Fails with ERR_USAGE when one variable's token would
 * go to two servers.
 */
int endpoint_fetch(struct endpoint *, size_t n, struct err *) MUST_CHECK;

/*
 * That of a [letta] section of a run, with a copy of its token: what makes a
 * process or a job of its own is given one.
 */
int run_endpoint(struct run *, const struct conf_letta *, struct endpoint *,
    struct err *) MUST_CHECK;

/* The server, found healthy and letting us in; token is in use until then. */
int endpoint_open(const struct endpoint *, struct server **, struct err *)
    MUST_CHECK;

/* The same again, with what was found then: nothing is asked. */
int endpoint_reopen(const struct endpoint *, const struct letta_caps *,
    struct server **out, struct err *) MUST_CHECK;

void endpoint_clear(struct endpoint *);

#endif /* !FLOW_ENDPOINT_H */
