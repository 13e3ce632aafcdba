#ifndef FLOW_EDGE_PROVE_H
#define FLOW_EDGE_PROVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct conf_edge;
struct err;
struct host;

/*
 * That a rendering is what nginx serves: each name and port, asked from here
 * with TLS verified, answers with its generation; and where the host has IPv6
 * the same is asked of ::1 by its own curl.  Without curl there, each port
 * must take a connection.
 */
struct edge_proof {
	const struct conf_edge *edge;
	struct host *host;
	const char *generation;
	bool port_80;		/* this port alone, without TLS */
	bool ipv6;
};

/* Ask once.  Into answers: what answers instead, or cannot be compared. */
int edge_serves(const struct edge_proof *, struct buf *answers, bool *out,
    struct err *) MUST_CHECK;

/*
 * Wait until it does.  log_end: of nginx's error log, before the reload.
 * ERR_FAILED: not within 15 seconds, or nginx has said why it cannot, which
 * the message tells.
 */
int edge_prove(const struct edge_proof *, uint64_t log_end, struct err *)
    MUST_CHECK;

#endif /* !FLOW_EDGE_PROVE_H */
