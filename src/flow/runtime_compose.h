#ifndef FLOW_RUNTIME_COMPOSE_H
#define FLOW_RUNTIME_COMPOSE_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct runtime;

/*
 * `runtime = compose': /etc/letta/compose.yaml, brought up by `docker
 * compose'.  The image of Letta runs its own migrations at its start, so its
 * tables are not our business; that of PostgreSQL has pgvector in it.
 */
#define RUNTIME_POSTGRES_IMAGE "pgvector/pgvector:0.8.0-pg16"
#define RUNTIME_REDIS_IMAGE "redis:7.4.2-alpine"

/* Whether the engine says that the container of Letta runs. */
int runtime_compose_active(const struct runtime *, bool *out, struct err *)
    MUST_CHECK;

/*
 * Read-only, in the container of PostgreSQL: messages.sequence_id has its
 * default.  Nothing is asked of a database outside.
 */
int runtime_compose_sequence(const struct runtime *, struct err *)
    MUST_CHECK;

#endif /* !FLOW_RUNTIME_COMPOSE_H */
