#ifndef CORE_RESTORE_CONF_H
#define CORE_RESTORE_CONF_H

#include <stddef.h>

#include "core/conf.h"

struct buf;

/*
 * The job file that a restore is: every bundle of a backup to one server.
 *
 *     [job]
 *     kind = agent
 *     name = restore-0123456789ab
 *
 *     [letta target]
 *     url = https://letta.example
 *
 *     [agent AI-ML-Expert-10418b8d]
 *     from = bundle:/srv/letta-backup-20260102/agents/agent-10418b8d-...
 *     to = target
 */
struct restore_conf_agent {
	const char *id;		/* "agent-<uuid>" where it comes from */
	const char *name;	/* there */
	const char *bundle;	/* absolute path */
	char section[CONF_NAME_MAX + 1];
};

struct restore_conf {
	const char *job;	/* its name */
	const char *url;
	const char *version, *ca_file, *token, *tools;	/* NULL: no key */
	struct restore_conf_agent *agents;
	size_t n_agents;
};

/*
 * Give each agent its section's name: what a reader knows it by, and enough of
 * its id that no other has it.
 */
void restore_conf_sections(struct restore_conf *);

void restore_conf_write(const struct restore_conf *, struct buf *);

#endif /* !CORE_RESTORE_CONF_H */
