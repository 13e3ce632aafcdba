#ifndef IO_LOOKUP_H
#define IO_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"

struct err;

/*
 * The addresses of a name, with a deadline.  getaddrinfo(3) has none of its
 * own: a name server that does not answer holds it for as long as
 * resolv.conf(5) says.  So a child of ours asks, and is ended in time.
 */
#define LOOKUP_MAX 16

struct lookup_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/*
 * At least one address, and at most LOOKUP_MAX, in the order to try them:
 * their number is in *n.  Fails with ERR_UNREACHABLE and the resolver's words,
 * or ERR_INTERRUPTED.
 */
int lookup_name(const char *name, unsigned int port, uint64_t deadline_ms,
    struct lookup_address out[static LOOKUP_MAX], size_t *n, struct err *)
    MUST_CHECK;

/* The name of this machine, for who reads of it elsewhere; never "". */
#define LOOKUP_OWN_SIZE 65
void lookup_own_name(char out[static LOOKUP_OWN_SIZE]);

/*
 * Whether this machine has any way to send to that address: without IPv6 it
 * has none to one of IPv6.  Nothing is sent.
 */
bool lookup_routed(const struct lookup_address *);

#endif /* !IO_LOOKUP_H */
