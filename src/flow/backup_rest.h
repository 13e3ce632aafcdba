#ifndef FLOW_BACKUP_REST_H
#define FLOW_BACKUP_REST_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct jdoc;
struct server;

/*
 * What a server has beside its agents, as lists for people, and what no bundle
 * carries (struct backup_index, `rest'):
 *
 *     identities    [{"id":"","identifier_key":"","name":"",...}]
 *     tools         those that are not Letta's own: id, name, tool_type
 *     mcp_servers   ["name"]; never an address, which may hold a token
 *     sources       ["name"]; their files are not in an agent
 *     groups        [{"id":"","manager_type":"","agent_ids":[]}]
 *     providers     [{"name":"","provider_type":""}] that somebody entered
 *     users         [{"id":"","name":"","organization_id":""}]
 *     organizations [{"id":"","name":""}]
 *     sandbox_configs  [{"id":"","type":""}]; never what is set in one
 *     unattached_blocks, unattached_archives, unattached_tools
 *                   what no agent has, so that it is in no bundle: ids and
 *                   names, never a value
 *     attached_archives
 *                   [{"id":"","agent_id":""}], one of the agents that has it
 *     losses        [{"what":"","reason":""}]
 *
 * A list that the server does not give is a loss with its reason.
 */
struct backup_rest_how {
	/* Whether any agent has a tool. */
	bool (*has)(void *ctx, const char *tool);
	void *ctx;
	/*
	 * NULL, or the agent that had an archive in an older backup, and is as
	 * it was then; NULL when there is none: the server is asked.
	 */
	const char *(*holder)(void *ctx, const char *archive);
	void *holder_ctx;
};

/* The caller owns *out. */
int backup_rest(struct server *, const struct backup_rest_how *,
    struct jdoc **out, struct err *) MUST_CHECK;

#endif /* !FLOW_BACKUP_REST_H */
