#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_worker_env, cmd_worker_list, cmd_worker_repoint,
    cmd_worker_snapshot, cmd_worker_whereis;

/*
 * The worker path by hand, on hosts and files, without running a job.  One
 * file a verb; a verb may be a group of its own, as `env' is.
 */
static const struct cmd *const verbs[] = {
	&cmd_worker_list,
	&cmd_worker_whereis,
	&cmd_worker_env,
	&cmd_worker_snapshot,
	&cmd_worker_repoint,
	NULL
};

const struct cmd cmd_worker = {
	.name = "worker",
	.args = "VERB ...",
	.about = "one worker by hand",
	.verbs = verbs,
};
