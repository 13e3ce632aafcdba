#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_worker_env_get;

static const struct cmd *const verbs[] = {
	&cmd_worker_env_get,
	NULL
};

const struct cmd cmd_worker_env = {
	.name = "worker env",
	.args = "VERB ...",
	.about = "one .env file by hand",
	.verbs = verbs,
};
