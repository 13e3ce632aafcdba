#ifndef FLOW_PORT_OWNER_H
#define FLOW_PORT_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "core/listener.h"

struct buf;
struct err;
struct host;

/*
 * The process that listens on a TCP port of a host: the kernel's tables name
 * the socket, and /proc/PID/fd who has it open.  Only root is told that of
 * another user's process.
 */
struct port_owner {
	bool listens;		/* somebody does */
	pid_t pid;		/* the first of those that hold it; 0: not
				 * to be seen */
	uint64_t start;		/* as io/procs.h names a process */
	bool open;		/* at an address besides the loopback's */
	char address[LISTENER_ADDRESS_SIZE];
};

/*
 * Call each for every socket that listens on the port, of IPv6, where the host
 * has it, and then of IPv4.
 */
int port_owner_listeners(struct host *, unsigned int port,
    int (*each)(void *ctx, const struct listener *, struct err *), void *ctx,
    struct err *) MUST_CHECK;

int port_owner_find(struct host *, unsigned int port, struct port_owner *,
    struct err *) MUST_CHECK;

/* Whether pid is ancestor, or was started by it at any remove. */
int port_owner_descends(struct host *, pid_t, pid_t ancestor, bool *out,
    struct err *) MUST_CHECK;

/*
 * Those of n processes that there are, 0 being none, and all that they have
 * started at any remove: words "PID:START" with a blank between, appended to
 * out.
 */
int port_owner_family(struct host *, const pid_t *pids, size_t n,
    struct buf *out, struct err *) MUST_CHECK;
/* One of these words' processes that lives; 0: none does. */
int port_owner_lives(struct host *, const char *words, pid_t *out,
    struct err *) MUST_CHECK;

#endif /* !FLOW_PORT_OWNER_H */
