#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_agent_lint;

/* The agent path by hand, on servers and files, without a job file. */
static const struct cmd *const verbs[] = {
	&cmd_agent_lint,
	NULL
};

const struct cmd cmd_agent = {
	.name = "agent",
	.args = "VERB ...",
	.about = "one agent by hand",
	.verbs = verbs,
};
