#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_edge_apply, cmd_edge_cert;

/* The edge of a job by hand.  One file a verb. */
static const struct cmd *const verbs[] = {
	&cmd_edge_apply,
	&cmd_edge_cert,
	NULL
};

const struct cmd cmd_edge = {
	.name = "edge",
	.args = "VERB ...",
	.about = "the edge of a job by hand",
	.verbs = verbs,
};
