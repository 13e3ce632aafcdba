#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_letta_health;

/* A Letta server as a whole: all of its agents, its database. */
static const struct cmd *const verbs[] = {
	&cmd_letta_health,
	NULL
};

const struct cmd cmd_letta = {
	.name = "letta",
	.args = "VERB ...",
	.about = "a Letta server as a whole",
	.verbs = verbs,
};
