#ifndef CORE_CONF_VALUE_H
#define CORE_CONF_VALUE_H

#include <stdbool.h>

#include "base/attr.h"

/*
 * What one value of a job file may be.  Each function looks at a string and
 * returns NULL when it is fine, else what is wrong with it, as words that
 * follow the key's name: "is not a DNS name".  No such text holds any part of
 * the value, so a caller may print it for a secret too.
 */

/* Letters, digits, "-" and "." as RFC 1123 has them; not an IP address. */
const char *conf_value_dns(const char *);

/* A DNS name, or an IPv4 or IPv6 address (without brackets). */
const char *conf_value_address(const char *);

/* A login name that no program takes for an option. */
const char *conf_value_user(const char *);

/* "SHA256:" and 43 base64 characters, as ssh-keygen -l prints a key. */
const char *conf_value_host_key(const char *);

/*
 * Absolute or below "~/", without an empty, "." or ".." component and without
 * a slash at its end: so equal paths are equal texts.
 */
const char *conf_value_path(const char *);

/*
 * http:// or https://, a host, maybe a port, maybe a path that may end with
 * one slash; no user, query or fragment.
 */
const char *conf_value_url(const char *);

const char *conf_value_email(const char *);

/* digits.digits.digits and nothing else. */
const char *conf_value_version(const char *);

/* A name that Letta takes and can export: letta_name_may_pass. */
const char *conf_value_mcp_server(const char *);
const char *conf_value_agent_name(const char *);

/* A model's handle, "openai/gpt-4o-mini": PROVIDER/MODEL without blanks. */
const char *conf_value_handle(const char *);

/*
 * Of a host that becomes a node (conf_value_node.c).  Lists are words with
 * one blank between, none twice.
 */
const char *conf_value_redis(const char *);	/* HOST:PORT or "none" */
/* NAME[:PORT]/PATH:TAG, not "latest", or ...@sha256:DIGEST. */
const char *conf_value_image(const char *);
/* Origins as browsers write them: https://NAME[:PORT], without a path. */
const char *conf_value_origins(const char *);
const char *conf_value_networks(const char *);	/* addresses, CIDR networks */
const char *conf_value_mcp_routes(const char *);	/* NAME:PORT each */
/* A unit, program or compose service: [A-Za-z0-9@._-], no dash first. */
const char *conf_value_service(const char *);
const char *conf_value_agent_ids(const char *);	/* agent-UUID each */
const char *conf_value_paths(const char *);	/* conf_value_path each */
const char *conf_value_acme_staging(const char *);	/* https URL, "none" */
const char *conf_value_argv(const char *);	/* an absolute path first */

/* Lower-case letters, digits and "-", at most CONF_NAME_MAX. */
const char *conf_value_job_name(const char *);

/* "env:NAME", "file:PATH" or "cmd:WORD ..."; anything else is plain text. */
const char *conf_value_secret(const char *);

/* "agent-" and a UUID, as letta_id_ok has it. */
bool conf_value_is_agent_id(const char *);

/* A section's name: [A-Za-z0-9_-]{1,CONF_NAME_MAX}. */
bool conf_value_is_name(const char *);

/* A port: 1-65535.  False, and *out as it was, for anything else. */
bool conf_value_port(const char *, unsigned int *out) MUST_CHECK;

#endif /* !CORE_CONF_VALUE_H */
