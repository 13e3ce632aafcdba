#ifndef IO_LINES_H
#define IO_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * TCP connections to this machine's loopback that stay open from one call to
 * the next: a stream of events and requests beside it.  They are numbered, so
 * that sanctumctl-remote can keep them for the far side.
 *
 *     struct lines lines = LINES_INIT;
 *
 *     lines_dial(&lines, 8000, 2000, &line, err)
 *     lines_send(&lines, line, data, len, err)
 *     lines_recv(&lines, line, 1000, &bytes, &ended, err)
 *     lines_hangup(&lines, line);
 *     lines_clear(&lines);
 */
#define LINES_MAX 4
#define LINES_RECV_MAX 65536u	/* bytes of one lines_recv */

struct lines {
	int fds[LINES_MAX];	/* descriptor + 1; 0: free */
};

#define LINES_INIT { { 0 } }

/*
 * Connect to 127.0.0.1, or ::1 when nothing listens there.  ERR_UNREACHABLE:
 * nobody does; ERR_FAILED: LINES_MAX are open.
 */
int lines_dial(struct lines *, unsigned int port, uint64_t timeout_ms,
    unsigned int *line, struct err *) MUST_CHECK;

/* All of it, within 10 s. */
int lines_send(struct lines *, unsigned int line, const void *data,
    size_t len, struct err *) MUST_CHECK;

/*
 * Append what has come, at most LINES_RECV_MAX bytes, waiting up to wait_ms
 * (at most 60 s) for the first.  Nothing within that time is a success, too;
 * *ended: the other side has closed, and nothing will come.
 */
int lines_recv(struct lines *, unsigned int line, uint64_t wait_ms,
    struct buf *out, bool *ended, struct err *) MUST_CHECK;

/* One that is not open is no failure. */
void lines_hangup(struct lines *, unsigned int line);
void lines_clear(struct lines *);

#endif /* !IO_LINES_H */
