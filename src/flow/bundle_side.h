#ifndef FLOW_BUNDLE_SIDE_H
#define FLOW_BUNDLE_SIDE_H

#include "base/attr.h"

struct af_rules;
struct conf_agent;
struct err;
struct jdoc;
struct journal;

/* A staged side on its way out of the journal: where it is, and its facts. */
struct bundle_side {
	struct journal *journal;
	const struct conf_agent *agent;
	const char *side;	/* "source" or "target" */
	struct jdoc *shell;	/* without messages and values of secrets */
	struct jdoc *state;
};

/* Fails with ERR_FAILED when the side was not read. */
int bundle_side_load(struct journal *, const struct conf_agent *,
    const char *side, struct bundle_side *, struct err *) MUST_CHECK;
void bundle_side_clear(struct bundle_side *);

/* How its rows are converted for a server of today. */
void bundle_side_rules(const struct bundle_side *, struct af_rules *);

/* Give the shell the agent_type that goes with these rules. */
void bundle_side_modernise(struct bundle_side *);

#endif /* !FLOW_BUNDLE_SIDE_H */
