#ifndef FLOW_WORKER_SMCP_H
#define FLOW_WORKER_SMCP_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_worker;
struct err;
struct plan_note;
struct run;
struct step_kind;
struct worker_mcp_seen;

/*
 * What of a worker's SMCP lies at the Letta servers, when smcp is among the
 * trees: the secrets of its agent, and the entry that says where SMCP is
 * reached.
 *
 *     step `smcp'           while the source runs: secrets that the target's
 *                           agent lacks; the tools that the source's SMCP has
 *                           now are kept, to be compared with
 *     worker_smcp_connect   once SMCP runs at the target: its entry there is
 *                           changed or made, refreshed, its tools compared by
 *                           name, those that the source's agent had attached
 *
 * The entry is not touched before, since on the same server it is the one
 * that the source's agent uses, and a server that is told of an SMCP which
 * does not run yet finds no tools.
 *
 * Values of secrets are read from the source's server when they are sent.
 * Names alone are in the journal (worker.NAME.secrets) and in the plan.  Of
 * the entry worker.NAME.mcp-entry has what was there before:
 *
 *     {"existed":true,"id":"mcp_server-...","name":"","url":""}
 */
extern const struct step_kind worker_smcp_kind;

/*
 * Idempotent; the step's undo takes it back (a token that was replaced cannot
 * be given back, and is said).  Fails with ERR_FAILED when the server cannot
 * reach SMCP, ERR_VERDICT when it lists other tools than the source's.
 */
int worker_smcp_connect(struct run *, const struct conf_worker *,
    struct plan_note *, struct err *) MUST_CHECK;

/*
 * The entry as it was before, for a source that is to work again: nothing
 * without smcp among the trees.  What the server refuses is a warning, and the
 * step's undo tries it once more: a worker must not stand for it.
 */
int worker_smcp_disconnect(struct run *, const struct conf_worker *,
    struct plan_note *, struct err *) MUST_CHECK;

/*
 * Ask SMCP itself, from its host's loopback, at its MCP_PORT with its
 * MCP_API_KEY (flow/worker_mcp.h).  target: the one at to, whose tools must be
 * those that the source had; else the source's.  seen->names is the caller's.
 */
int worker_smcp_ask(struct run *, const struct conf_worker *, bool target,
    struct worker_mcp_seen *, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_SMCP_H */
