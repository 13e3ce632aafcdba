#ifndef FLOW_SERVER_H
#define FLOW_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "core/letta.h"

struct buf;
struct err;
struct http;
struct http_spec;
struct jdoc;
struct secret;

/*
 * One Letta server that was found to be healthy, of a version that we know,
 * and letting our token in.
 *
 * Answers over 399 become failures here: 401 and 403 ERR_AUTH, 404
 * ERR_MISSING, 408, 429 and 502-504 ERR_AGAIN (transient), anything else
 * ERR_FAILED; the message has the method, the URL and what the server says.
 * A GET is tried up to four times when the failure is transient, waiting as
 * Retry-After says; nothing else is ever sent twice here.
 */
struct server {
	struct http *http;
	struct letta_caps caps;
	char *name;		/* of its section, for messages */
	const struct secret *token;	/* borrowed; kept out of messages */
};

/*
 * Look at health, version and authorization.  pinned, when not NULL, must be
 * the version that answers: ERR_DATA names both.
 */
int server_open(const struct http_spec *, const char *name,
    const char *pinned, struct server **out, struct err *) MUST_CHECK;
/*
 * The same server once more, of which caps were found a moment ago: nothing is
 * asked.
 */
int server_reopen(const struct http_spec *, const char *name,
    const struct letta_caps *, struct server **out, struct err *) MUST_CHECK;
void server_close(struct server *);

/* GET; what answer held is dropped, its maximum bounds the answer. */
int server_get(struct server *, const char *path, struct buf *answer,
    struct err *) MUST_CHECK;

/*
 * GET a JSON document.  *out is the caller's to free; what says, in an error,
 * what it is.
 */
int server_get_doc(struct server *, const char *path, const char *what,
    struct jdoc **out, struct err *) MUST_CHECK;

/* The same of a document that must be a list: anything else is ERR_DATA. */
int server_get_list(struct server *, const char *path, const char *what,
    struct jdoc **out, struct err *) MUST_CHECK;

/* The identity of this key, which has an id; NULL when there is none. */
int server_get_identity(struct server *, const char *key, struct jdoc **out,
    struct err *) MUST_CHECK;

/* POST, PATCH, PUT or DELETE once; json NULL: no body. */
int server_send(struct server *, const char *method, const char *path,
    const char *json, struct buf *answer, struct err *) MUST_CHECK;

/* DELETE; what is gone already is a success.  The answer is dropped. */
int server_delete(struct server *, const char *path, struct err *)
    MUST_CHECK;

/*
 * As server_send's failures, for an answer that was fetched otherwise; our
 * token in it is masked.
 */
int server_status(struct server *, const char *method, const char *path,
    long status, struct buf *body, struct err *) MUST_CHECK;

#endif /* !FLOW_SERVER_H */
