#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_letta_backup;
extern const struct cmd cmd_letta_check;
extern const struct cmd cmd_letta_compare;
extern const struct cmd cmd_letta_health;
extern const struct cmd cmd_letta_restore;
extern const struct cmd cmd_letta_rollback;
extern const struct cmd cmd_letta_upgrade;

/* A Letta server as a whole: all of its agents, its database. */
static const struct cmd *const verbs[] = {
	&cmd_letta_backup,
	&cmd_letta_check,
	&cmd_letta_compare,
	&cmd_letta_health,
	&cmd_letta_restore,
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
