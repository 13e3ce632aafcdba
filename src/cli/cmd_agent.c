#include "base/base.h"

#include "cli/cmd.h"

/* The agent path by hand, on servers and files, without a job file. */
static const struct cmd *const verbs[] = {
	NULL
};

const struct cmd cmd_agent = {
	.name = "agent",
	.args = "VERB ...",
	.about = "one agent by hand",
	.verbs = verbs,
};
