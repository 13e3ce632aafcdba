#ifndef CORE_COMPOSE_H
#define CORE_COMPOSE_H

#include "base/attr.h"

struct buf;
struct err;

/*
 * The compose file of a Letta server (compose-spec's compose.yaml, of no
 * version): a service `letta' that listens on the host's loopback alone, and
 * beside it PostgreSQL with pgvector and Redis, which no port of the host
 * leads to.  Passwords are in the env files that it names, never here.
 *
 * Every text is a double-quoted scalar and is checked not to end one, so no
 * value can add a key.
 */
struct compose_spec {
	const char *image;	/* letta/letta:0.16.2 or IMAGE@sha256:... */
	unsigned int port;	/* on 127.0.0.1 of the host */
	const char *env_file;	/* absolute, 0600 */
	/* NULL: an existing one is used. */
	const char *postgres_image;
	const char *postgres_env_file;	/* POSTGRES_USER and the rest */
	const char *redis_image;	/* NULL: another one, or none */
};

/*
 * Whose containers and volumes they are.  Not `letta', which compose calls
 * what somebody has started in a clone of Letta's repository: `up
 * --remove-orphans' and `down --volumes' would take those away.
 */
#define COMPOSE_PROJECT "sanctumctl-letta"

#define COMPOSE_MAX (64 * 1024)
#define COMPOSE_LETTA_PORT 8283		/* within its container */

/*
 * Append the file.  Fails with ERR_USAGE for an image that is not pinned (no
 * tag, `latest', a tag of that kind such as `main' or `nightly') and for a
 * text that cannot stand in a scalar.
 */
int compose_render(const struct compose_spec *, struct buf *out,
    struct err *) MUST_CHECK;

#endif /* !CORE_COMPOSE_H */
