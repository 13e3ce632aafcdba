#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_agent_diff, cmd_agent_export, cmd_agent_import,
    cmd_agent_lint, cmd_agent_list;

/* The agent path by hand, on servers and files, without a job file. */
static const struct cmd *const verbs[] = {
	&cmd_agent_list,
	&cmd_agent_export,
	&cmd_agent_lint,
	&cmd_agent_import,
	&cmd_agent_diff,
	NULL
};

const struct cmd cmd_agent = {
	.name = "agent",
	.args = "VERB ...",
	.about = "one agent by hand",
	.verbs = verbs,
};
