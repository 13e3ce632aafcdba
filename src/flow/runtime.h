#ifndef FLOW_RUNTIME_H
#define FLOW_RUNTIME_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_letta;
struct err;
struct host;
struct plan;
struct run;
struct secret;
struct step_kind;

/*
 * The Letta server of a node, brought up by us where its section has a
 * `runtime':
 *
 *     account      users, directories; nothing else on its port
 *                                                  runtime_account.c
 *     database     PostgreSQL with pgvector, Redis runtime_database.c
 *     install      the virtual environment, by a list with hashes; of
 *                  compose: its file               runtime_install.c
 *     environment  /etc/letta/letta.env: password, URI, settings
 *                                                  runtime_environment.c
 *     schema       tables of an empty database; the default of
 *                  messages.sequence_id, looked at runtime_schema.c
 *     service      what keeps it running           runtime_service.c
 *     ready        it answers, wants the password, and nobody but the
 *                  loopback reaches it             runtime_ready.c
 *
 * With `runtime = compose' the images bring database and migrations, so
 * there are no `database' and `schema' then (runtime_compose.c).
 *
 * A server that somebody else has put there is never touched: the first
 * step's probe refuses it.
 */
void runtime_plan(struct plan *, const struct conf_letta *);

extern const struct step_kind runtime_account_kind;
extern const struct step_kind runtime_database_kind;
extern const struct step_kind runtime_install_kind;
extern const struct step_kind runtime_environment_kind;
extern const struct step_kind runtime_schema_kind;
extern const struct step_kind runtime_service_kind;
extern const struct step_kind runtime_ready_kind;
extern const struct step_kind runtime_compose_install_kind;
extern const struct step_kind runtime_compose_service_kind;

#define RUNTIME_ENV "/etc/letta/letta.env"

/*
 * The password of the server that we brought up, out of RUNTIME_ENV there.
 * ERR_MISSING: not made yet.  The caller frees it.
 */
int runtime_password(struct host *, struct secret **out, struct err *)
    MUST_CHECK;

/* Whether the journal says that the last of these steps is done. */
int runtime_is_ready(struct run *, const struct conf_letta *, bool *out,
    struct err *) MUST_CHECK;

#endif /* !FLOW_RUNTIME_H */
