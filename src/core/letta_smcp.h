#ifndef CORE_LETTA_SMCP_H
#define CORE_LETTA_SMCP_H

#include <stdbool.h>

#include "base/attr.h"
#include "core/letta.h"

struct buf;
struct err;
struct jdoc;
struct secret;

/*
 * What of a worker's SMCP a Letta server knows: the agent's secrets, which
 * SMCP takes into its environment, and the entry of the MCP server, which says
 * where it is reached.  0.16.2 and 0.16.8, seen; core/letta.h has the rules
 * for paths.
 */

/* Secrets. */

/* GET: an agent with its secrets, whose values come in clear. */
void letta_path_agent_secrets(struct buf *, const char *agent);

/*
 * Names that an agent is to be given: those of from that to has not, or has
 * with an empty value (as an import leaves them); sorted as they come.
 *
 *   kept      that to has with another value, which stays
 *   own       that say where a server is or who the agent is: the .env files
 *             say that anew, and a secret would win over them
 *
 * All three are new lists of texts.
 */
void letta_secret_names(const struct jdoc *from, const struct jdoc *to,
    struct jdoc **give, struct jdoc **kept, struct jdoc **own);

/*
 * Body of the PATCH of an agent that sets its secrets, as a whole: those that
 * to has, but `without', and of `give' the values of from (NULL: none).  The
 * caller wipes out.
 */
void letta_body_secrets(struct buf *out, const struct jdoc *from,
    const struct jdoc *to, const struct jdoc *give,
    const struct jdoc *without);

/* MCP servers. */

#define LETTA_PATH_MCP_SERVERS "/v1/mcp-servers/"
/* Before 0.16 there are these alone; an object by names. */
#define LETTA_PATH_MCP_SERVERS_OLD "/v1/tools/mcp/servers"
void letta_path_mcp_server(struct buf *, const char *server);
/* PATCH; no body.  404 when the server cannot be reached, too. */
void letta_path_mcp_refresh(struct buf *, const char *server);
void letta_path_mcp_tools(struct buf *, const char *server);

struct letta_mcp_entry {
	const char *id;		/* NULL: of a server before 0.16 */
	const char *name;
	const char *url;
	const char *token;	/* "Bearer ..."; NULL: none */
};

/*
 * Entry number i of either answer; false behind the last.  One without a URL
 * (stdio) has url NULL.  Pointers live as long as the document.
 */
bool letta_mcp_entry(const struct jdoc *answer, size_t i,
    struct letta_mcp_entry *) MUST_CHECK;

/*
 * Body of the POST that makes one (name not NULL), or of the PATCH that
 * changes its URL and, with a token, that.  key is sent as a bearer token;
 * else token as it is.  The caller wipes out.
 */
void letta_body_mcp_server(struct buf *out, const char *name,
    const char *url, const struct secret *key, const char *token);

/* Host and port of a URL; false when it is none.  IPv6 without brackets. */
bool letta_url_host(const char *url, struct buf *host, unsigned int *port)
    MUST_CHECK;

/*
 * Whether 0.16.8 refuses an MCP server of this host: localhost, .local and
 * the like, an address that is not global (its helpers/url_validation.py).
 */
bool letta_mcp_host_refused(const char *host) MUST_CHECK;

/* Whether this is of the machine that asks. */
bool letta_host_is_loopback(const char *host) MUST_CHECK;

#endif /* !CORE_LETTA_SMCP_H */
