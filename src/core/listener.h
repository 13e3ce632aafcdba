#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct err;

/*
 * Who listens on a TCP port of a machine, by the text of /proc/net/tcp and
 * /proc/net/tcp6 (proc(5)): the address as text, and whose socket it is.
 * An IPv4 address in IPv6's clothes comes out as IPv4.
 */
#define LISTENER_ADDRESS_SIZE 46

struct listener {
	char address[LISTENER_ADDRESS_SIZE];	/* "127.0.0.1", "::" */
	bool loopback;		/* 127.0.0.0/8 or ::1 */
	uid_t uid;
	unsigned long inode;	/* of the socket: /proc/PID/fd names it */
};

/*
 * Call each for every socket that listens on port.  Fails with ERR_DATA when
 * text is not such a table.
 */
int listener_each(const char *text, unsigned int port,
    int (*each)(void *ctx, const struct listener *, struct err *), void *ctx,
    struct err *) MUST_CHECK;

/*
 * The addresses of a machine that are not its loopback's, from the output of
 * `ip -o addr': call each with one.  Link-local ones of IPv6 are *scoped:
 * they are reached with the name of their link alone.
 */
int listener_addresses(const char *text,
    int (*each)(void *ctx, const char *address, bool scoped, struct err *),
    void *ctx, struct err *) MUST_CHECK;

#endif /* !CORE_LISTENER_H */
