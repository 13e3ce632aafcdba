#ifndef FLOW_WORKER_MCP_H
#define FLOW_WORKER_MCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct host;
struct jdoc;
struct secret;

/*
 * Whether a worker's SMCP works, asked over its own protocol from its own
 * host's loopback (io/lines.h): initialize, tools/list, one harmless call.  A
 * stream that only opens would prove the transport and not the tools.
 */

struct worker_mcp_spec {
	unsigned int port;
	const struct secret *key;	/* MCP_API_KEY; NULL: none */
	uint64_t timeout_ms;		/* for all of it; 0: 30 s */
	const struct jdoc *want;	/* names that it must have; NULL: any */
	bool call;			/* call a harmless tool as well */
};

struct worker_mcp_seen {
	struct jdoc *names;		/* of its tools; the caller frees it */
	bool called;			/* there was a harmless tool, and it
					 * worked */
};

/*
 * Ask.  Fails with ERR_UNREACHABLE: nobody listens, or says nothing in time;
 * ERR_AUTH: the key is refused; ERR_VERDICT: other tools than wanted, which
 * the message names; ERR_FAILED, ERR_DATA: it answers with an error, or not
 * in this protocol.  seen->names is set on success and with ERR_VERDICT.
 */
int worker_mcp_check(struct host *, const struct worker_mcp_spec *,
    struct worker_mcp_seen *, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_MCP_H */
