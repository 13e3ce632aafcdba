#ifndef CORE_ANSWER_H
#define CORE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;

/*
 * One answer of an HTTP/1.1 server out of bytes as they arrive (RFC 9112):
 * for a connection that libcurl cannot be given, since it lies on another
 * host and an answer without an end has to be read while requests go out
 * beside it.
 *
 *     struct answer answer;
 *
 *     answer_init(&answer);
 *     answer_feed(&answer, data, len, &body, err)     (as often as needed)
 *     ... answer.status (0: no head yet), answer.done ...
 *     answer_clear(&answer);
 *
 * One answer a connection: what follows it is dropped.
 */
#define ANSWER_HEAD_MAX 65536

enum answer_state {
	ANSWER_HEAD,
	ANSWER_BODY,		/* left bytes; to the end when unbounded */
	ANSWER_CHUNK_SIZE,
	ANSWER_CHUNK,
	ANSWER_CHUNK_END,
	ANSWER_TRAILER
};

struct answer {
	unsigned int status;
	bool done;
	bool unbounded;		/* the connection's end is the body's */
	enum answer_state state;
	uint64_t left;
	struct buf line;
};

void answer_init(struct answer *);
void answer_clear(struct answer *);

/*
 * Take bytes, and append those of the body to body.  Fails with ERR_DATA:
 * not HTTP/1.x, a head over ANSWER_HEAD_MAX, a length or a chunk that is none,
 * body full.
 */
int answer_feed(struct answer *, const char *data, size_t len,
    struct buf *body, struct err *) MUST_CHECK;

#endif /* !CORE_ANSWER_H */
