#ifndef IO_HTTP_PART_H
#define IO_HTTP_PART_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/http.h"
#include "io/http_head.h"

/* What http.c and http_upload.c share; for no one else. */
struct http {
	CURL *curl;
	char *url;		/* no "/" at its end */
	const struct secret *token;
	char *ca_file;
	char *connect_to;	/* as CURLOPT_CONNECT_TO has it */
	bool direct;		/* no proxy may come between */
	bool tls13;
	long connect_ms;
	long silence_s;
};

/* One request under way. */
struct call {
	struct http_reply *reply;
	struct http_probe *probe;	/* NULL: http_call, http_upload */
	uint64_t begun_ms;
	bool repeatable;	/* GET, OPTIONS */
	unsigned int sent;	/* times that a connection was about to send */
	struct http_head head;
	bool body_over;
	http_source *source;
	void *ctx;
	struct err cause;	/* of source */
	char text[CURL_ERROR_SIZE];
};

/* Put a failed transfer into words. */
int http_fail(const struct http *, const struct call *, CURLcode,
    struct err *);

/*
 * The part that a call and an upload share: send, and wait for the answer.
 * json is the body, unless there is a mime.
 */
int http_request(struct http *, const char *method, const char *path,
    const char *json, curl_mime *, uint64_t timeout_ms, struct call *,
    struct err *) MUST_CHECK;

void http_begin_reply(struct http_reply *);

#endif /* !IO_HTTP_PART_H */
