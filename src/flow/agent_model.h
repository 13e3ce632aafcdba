#ifndef FLOW_AGENT_MODEL_H
#define FLOW_AGENT_MODEL_H

#include "base/attr.h"

struct af_shell;
struct buf;
struct conf_agent;
struct err;
struct jdoc;
struct server;

/*
 * Which model, and which embedding, the agent gets on the target.
 *
 * The handle is the one that the job file asks for, else the agent's own.
 * When the target offers it, the file names the target's endpoint of it
 * (core/af_model.h).  When not, and nobody asked for it, the configuration
 * goes as it is, and the plan says that the agent cannot answer until the
 * target offers it: moving its memory is right all the same.
 */
struct agent_model {
	struct jdoc *llm_config;	/* for the file; NULL: as it is */
	struct jdoc *embedding_config;
};

/*
 * Ask the target and decide.  lines, when not NULL, gets a line for each
 * thing that will be another, or that is missing.
 *
 * Fails with ERR_USAGE when the job file asks for a handle that the target
 * does not offer: the nearest ones are named.
 */
int agent_model_choose(struct server *to, const struct conf_agent *,
    const struct af_shell *, struct agent_model *, struct buf *lines,
    struct err *) MUST_CHECK;

void agent_model_clear(struct agent_model *);

#endif /* !FLOW_AGENT_MODEL_H */
