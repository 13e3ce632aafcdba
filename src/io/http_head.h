#ifndef IO_HTTP_HEAD_H
#define IO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/attr.h"

struct buf;

/*
 * The header lines of one answer, line by line as they come in; what is kept
 * is printable and of bounded size.  No network here; used by http.c alone.
 */

/* All lines of one request, 1xx answers and trailers included. */
#define HTTP_HEAD_MAX_BYTES (256 * 1024)

#define HTTP_HEAD_RETRY_MAX_MS (5 * 60 * 1000)

struct http_head {		/* begins zeroed */
	char content_type[64];
	char location[256];
	char retry_after[64];
	size_t bytes;		/* of all lines so far */
	struct buf *all;	/* each line of the answer; NULL: not kept */
	bool inside;		/* between a status line and its blank line */
};

/*
 * Take one line, its end included or not.  Each status line begins anew: a
 * 1xx comes before the answer.  A field that comes twice: the last stands.
 * False when there is more than HTTP_HEAD_MAX_BYTES of it all.
 */
bool http_head_line(struct http_head *, const char *line, size_t len)
    MUST_CHECK;

/*
 * How long the server asks us to wait: Retry-After in seconds or as a date
 * ("Sun, 06 Nov 1994 08:49:37 GMT"; RFC 9110, 10.2.3 and 5.6.7), at most
 * HTTP_HEAD_RETRY_MAX_MS.  0 for none, one in the past, anything else.
 */
uint64_t http_head_retry_ms(const struct http_head *, time_t now);

#endif /* !IO_HTTP_HEAD_H */
