#ifndef IO_HTTP_H
#define IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;
struct secret;

/*
 * Requests to one HTTP server over one kept-alive connection.  http.c alone
 * sees libcurl (7.85 or later).
 *
 *     struct http_reply reply = { .body = BUF_INIT(MAX) };
 *
 *     http_open(&spec, &server, err)
 *     http_call(server, "GET", "/v1/health/", NULL, 5000, &reply, err)
 *     if (reply.status != 200) ...
 *     buf_clear(&reply.body);
 *     http_close(server);
 *
 * Always: TLS verified (peer and name, TLS 1.2 at least), http:// only to a
 * loopback address (or, with `clear', without a token), the bearer token on
 * requests to the server's own host, scheme and port only, no redirect
 * followed at all (3xx is an answer; a server that answers so is
 * misconfigured and the caller says where it points), answers bounded by the
 * caller, gzip not asked for, no proxy environment for loopback.  Limits in
 * time: connect 10 s, no byte for 120 s (letta imports stall the server for
 * 0.13 s per 1,000 rows), and the caller's deadline.
 *
 * An answer of any status is a success here: the caller knows what 404 means.
 * Failures are of transport: ERR_UNREACHABLE (name, connect, cut, silence),
 * ERR_AUTH for a certificate that does not verify, ERR_DATA for an answer
 * over its bound or not HTTP at all, ERR_INTERRUPTED after a signal.
 * Messages name the method and URL, never a header.
 *
 * Sent once: libcurl sends a request again by itself when a kept connection
 * turns out to be closed before a byte of the answer (7.88.1, seen); only a
 * GET may do so here.  A POST, PUT, PATCH or DELETE that fails after it was
 * on its way says "whether the server acted on it is not known" and is not
 * transient: look before it is repeated.
 */
struct http;

struct http_spec {
	const char *url;		/* "https://host[:port][/prefix]" */
	const struct secret *token;	/* Bearer; NULL: none.  Borrowed */
	const char *ca_file;		/* PEM; NULL: the system's */
	const char *connect_to;		/* address instead of DNS; NULL: DNS */
	bool clear;			/* http:// beyond loopback too, for
					 * a question without any secret;
					 * token must be NULL */
	bool tls13;			/* offer TLS 1.3 alone */
	unsigned int connect_ms;	/* 0: 10 s */
	unsigned int silence_s;		/* 0: 120 s without a byte */
};

struct http_reply {
	long status;
	struct buf body;		/* init with its maximum by caller */
	char content_type[64];
	char location[256];		/* of a 3xx */
	uint64_t retry_after_ms;	/* of a 429 or 503, at most 5 min; 0 */
};

/*
 * Check spec and get ready; nothing is sent.  The token and only the token
 * must outlive the handle.
 *
 * connect_to is an IP address or a host name without a port; with it, or for
 * a loopback URL, no proxy is asked.  For http:// it is the address that is
 * connected to that must be loopback.
 *
 * Fails with ERR_USAGE: a URL that is not http or https, has a user, a query
 * or a fragment; http:// beyond loopback without `clear', or with `clear' and
 * a token; a token with a blank or control byte in it; a ca_file that cannot
 * be read.
 */
int http_open(const struct http_spec *, struct http **out, struct err *)
    MUST_CHECK;
void http_close(struct http *);

/* The base URL, without a "/" at its end; lives as long as the handle. */
const char *http_url(const struct http *);

/*
 * One request.  method is "GET", "POST", "PUT", "PATCH", "DELETE"; path
 * begins with "/" and is already escaped (str_url); a segment "." or "..",
 * escaped or not, is refused with ERR_DATA, since a server may climb with it.
 * json is the body or NULL.  timeout_ms 0: only the silence limit.
 * reply->body's maximum must be set; what it held is dropped first, and it
 * is empty after a failure.  content_type and location are printable.
 */
int http_call(struct http *, const char *method, const char *path,
    const char *json, uint64_t timeout_ms, struct http_reply *,
    struct err *) MUST_CHECK;

struct http_field {
	const char *name;
	const char *value;
};

/*
 * A request as somebody else would make it, and what http_call does not keep
 * of its answer.  The buffers are the caller's, with their maximum, and what
 * they held is dropped first; NULL: not wanted.
 */
struct http_probe {
	const struct http_field *fields;	/* n_fields, after ours; no
						 * secret */
	size_t n_fields;
	const char *body;			/* NULL: none */
	struct buf *head;	/* "Name: value\n" each, printable; a line
				 * that does not fit is left out */
	struct buf *certificate;	/* the server's own, PEM; a connection
					 * is made for it */
	uint64_t first_ms;	/* out: until the first byte of the body; 0:
				 * none came */
	uint64_t total_ms;	/* out: until its last */
};

/* As http_call, "OPTIONS" too; no Content-Type unless fields has one. */
int http_probe(struct http *, const char *method, const char *path,
    struct http_probe *, uint64_t timeout_ms, struct http_reply *,
    struct err *) MUST_CHECK;

/*
 * The next bytes of a file that is made while it is sent: at most size into
 * data.  Returns how many, 0 at the end, -1 with err filled.
 */
typedef ptrdiff_t http_source(void *ctx, char *data, size_t size,
    struct err *);

/*
 * POST multipart/form-data: the fields, then one file part `file` whose bytes
 * come from source (chunked, so its size need not be known and memory does
 * not grow).  A failure of source ends the request before its body is whole
 * and is what err tells.
 */
int http_upload(struct http *, const char *path,
    const struct http_field *fields, size_t n_fields, const char *filename,
    http_source *source, void *ctx, uint64_t timeout_ms,
    struct http_reply *, struct err *) MUST_CHECK;

#endif /* !IO_HTTP_H */
