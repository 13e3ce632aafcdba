#include "base/base.h"

#include "cli/cmd.h"

/* A Letta server as a whole: all of its agents, its database. */
extern const struct cmd cmd_letta_rollback, cmd_letta_upgrade;

static const struct cmd *const verbs[] = {
	&cmd_letta_rollback,
	&cmd_letta_upgrade,
	NULL
};

const struct cmd cmd_letta = {
	.name = "letta",
	.args = "VERB ...",
	.about = "a Letta server as a whole",
	.verbs = verbs,
};
