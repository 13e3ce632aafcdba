#include "base/base.h"

#include "cli/cmd.h"

/* A Letta server as a whole: all of its agents, its database. */
static const struct cmd *const verbs[] = {
	NULL
};

const struct cmd cmd_letta = {
	.name = "letta",
	.args = "VERB ...",
	.about = "a Letta server as a whole",
	.verbs = verbs,
};
