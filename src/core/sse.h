#ifndef CORE_SSE_H
#define CORE_SSE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct err;

/*
 * A stream of server-sent events (HTML standard, "Server-sent events") out of
 * bytes as they arrive.  Comments, ids and retry times are passed over.
 *
 *     struct sse sse;
 *
 *     sse_init(&sse);
 *     sse_feed(&sse, data, len, each, ctx, err)       (as often as needed)
 *     sse_clear(&sse);
 */
#define SSE_EVENT_MAX (4 * 1024 * 1024)	/* bytes of one event, or line */

/*
 * An event that has data; type is "message" when none is given.  Both live
 * until it returns; what it returns but 0 ends the feeding with -1.
 */
typedef int sse_event(void *ctx, const char *type, const char *data,
    size_t len, struct err *);

struct sse {
	struct buf line, type, data;
	int has_data;
	int after_cr;		/* the CR of a CRLF was the last byte */
};

void sse_init(struct sse *);
void sse_clear(struct sse *);

/* Fails with ERR_DATA for an event over its bound. */
int sse_feed(struct sse *, const char *data, size_t len, sse_event *each,
    void *ctx, struct err *) MUST_CHECK;

#endif /* !CORE_SSE_H */
