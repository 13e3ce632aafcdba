#ifndef IO_DIAL_H
#define IO_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"

struct err;

/* TCP to one address, with a deadline.  No name is looked up here. */

/*
 * A connected, non-blocking socket, or -1 with ERR_UNREACHABLE and the cause
 * ("connection refused"), or ERR_INTERRUPTED.  deadline_ms as clock_ms.
 */
int dial_open(const struct sockaddr *, socklen_t, uint64_t deadline_ms,
    struct err *) MUST_CHECK;

/*
 * Whether a connection to an IP address in text is taken up within
 * timeout_ms.  ERR_USAGE when it is not an IP address.
 */
int dial_probe(const char *ip, unsigned int port, uint64_t timeout_ms,
    bool *out, struct err *) MUST_CHECK;

/*
 * poll(2) for one descriptor: 1 when it is ready, 0 when wait_ms passed, -1
 * with ERR_INTERRUPTED once stop_asked.  Waits in slices, so that a signal
 * which came just before is seen.
 */
int dial_wait(int fd, short events, short *got, uint64_t wait_ms,
    struct err *) MUST_CHECK;

#endif /* !IO_DIAL_H */
