#include "base/base.h"

#include "cli/cmd.h"

extern const struct cmd cmd_edge_apply, cmd_edge_cert, cmd_edge_render,
    cmd_edge_test;

/* The edge of a job by hand.  One file a verb. */
static const struct cmd *const verbs[] = {
	&cmd_edge_render,
	&cmd_edge_test,
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
