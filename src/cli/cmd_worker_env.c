#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_worker_env_get, cmd_worker_env_lint,
    cmd_worker_env_set;

static const struct cmd *const verbs[] = {
	&cmd_worker_env_get,
	&cmd_worker_env_set,
	&cmd_worker_env_lint,
	NULL
};

const struct cmd cmd_worker_env = {
	.name = "worker env",
	.args = "VERB ...",
	.about = "one .env file by hand",
	.verbs = verbs,
};
