#ifndef FLOW_AGENT_SEND_H
#define FLOW_AGENT_SEND_H

#include "base/attr.h"
#include "core/letta.h"

struct af_shell;
struct conf_agent;
struct err;
struct plan_note;
struct run;
struct server;

/*
 * One import: the agent file, made from the journal while it is uploaded, so
 * neither is ever whole in memory.  In it the agent has its temporary name,
 * the mark of the run, and the model as the target has it.
 */
struct agent_send {
	const struct conf_agent *agent;
	const char *name;		/* the temporary one */

	/*
	 * Called when the file can be made, before its first byte goes: to
	 * write down what must be known if no answer comes.
	 */
	int (*before)(void *ctx, const struct af_shell *, struct err *);
	void *ctx;
};

/*
 * Send it once.  id is what the answer names; note gets the figures and all
 * that was changed on the way.  When the server names a row of the file that
 * it refuses, err says which one of the source that is.
 */
int agent_send(struct run *, struct server *, const struct agent_send *,
    struct plan_note *, char id[static LETTA_ID_SIZE], struct err *)
    MUST_CHECK;

#endif /* !FLOW_AGENT_SEND_H */
