#ifndef FLOW_AGENT_IDENTITIES_H
#define FLOW_AGENT_IDENTITIES_H

#include "base/attr.h"

struct conf_agent;
struct err;
struct jdoc;
struct journal;
struct server;
struct step_kind;
struct verdict;

/*
 * The identities that an agent is attached to: no agent file carries them.
 *
 *     agent_identities_read     stage one side (scope SIDE/NAME/identities)
 *     agent_identities_kind     the step "identities": found at the target by
 *                               their key, else made, then attached
 *     agent_identities_compare  two staged sides, as the check "identities"
 *
 * A row's id is the identity's, its body canonical:
 *
 *     {"identifier_key":"","identity_type":"user","name":"","properties":[]}
 *
 * A key stands for one identity of a server, whatever its type: a second one
 * of the same key is refused with 409 (0.16.2 and 0.16.8, seen).
 */

/* Stage one side afresh: its state, and a request an identity. */
int agent_identities_read(struct server *, const char *agent_id,
    const struct conf_agent *, const char *side, struct journal *,
    struct err *) MUST_CHECK;

/* The same of a state that somebody has got already, which is borrowed. */
int agent_identities_keep(struct server *, const struct jdoc *state,
    const struct conf_agent *, const char *side, struct journal *,
    struct err *) MUST_CHECK;

int agent_identities_compare(const struct conf_agent *, struct journal *,
    struct verdict *, struct err *) MUST_CHECK;

/* Bring why one could not be made from one journal into another. */
int agent_identities_carry(const struct conf_agent *, struct journal *from,
    struct journal *to, struct err *) MUST_CHECK;

extern const struct step_kind agent_identities_kind;

#endif /* !FLOW_AGENT_IDENTITIES_H */
