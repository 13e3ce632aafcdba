#ifndef CORE_NGINX_H
#define CORE_NGINX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * The edge of one host: nginx with TLS in front of the Letta server on its
 * loopback, as one file for nginx's http context (sites-enabled or conf.d).
 * There are two shapes of it:
 *
 *   http.conf.in  phase 1, no certificate yet: port 80 answers the ACME
 *                 challenge from webroot, and 503 to all else (not 301: a
 *                 browser would remember a redirect that leads nowhere yet)
 *   tls.conf.in   phase 2: port 80 challenge and redirect, 443 and ade_port
 *                 with TLS, both to 127.0.0.1:upstream_port
 *
 * Leave certificate and certificate_key NULL for phase 1; that is how the
 * phase is told.  nginx -t refuses phase 2 before its certificate exists.
 *
 * Templates have no conditions.  What one edge has and another has not, and
 * what comes several times, is a template of its own (enum nginx_template_id)
 * that is filled first; its lines are a value of the next one.
 *
 * The file carries its generation: an id made of all its other bytes.  Every
 * server in it that serves a name answers
 *
 *     GET /.well-known/sanctumctl-generation  ->  200, "<generation>\n"
 *
 * so a caller knows that this rendering is what is served.  That must be
 * asked: `nginx -s reload` returns 0, and the old workers go on serving, even
 * when the new configuration could not bind its ports (nginx 1.22.1, seen).
 *
 * Port 80 has no default_server of ours, since Debian's own default site
 * claims it; 443 and ade_port have one, which rejects unknown names in the
 * handshake, unless somebody else's file has one already: nginx takes one.
 *
 * Maps and zones are named by an id made of the site, since two edges on one
 * host share nginx's http context.
 */
struct nginx_edge {
	const char *job;	/* name of the job, for the head comment:
				 * [A-Za-z0-9._-]+ */
	const char *site;	/* DNS name, port 443 */
	const char *ade_name;	/* DNS name for ade_port; may equal site */
	unsigned int ade_port;	/* 8283 */
	unsigned int upstream_port;	/* 18283, on 127.0.0.1 */
	const char *webroot;	/* holds .well-known/acme-challenge/ */
	const char *certificate;	/* full chain for both names; NULL */
	const char *certificate_key;	/* or both NULL */
	/* Lists of words with one blank between, or NULL; as struct conf_edge
	 * has them. */
	const char *cors;	/* origins; NULL: https://app.letta.com */
	const char *ade_allow;	/* networks; NULL: all */
	const char *mcp;	/* NAME:PORT */
	const char *static_root;	/* files at /; NULL: Letta is there */
	const char *htpasswd;	/* file for the ADE's users; NULL: none */
	bool ipv4_only;		/* the host has no IPv6 */
	bool foreign_443;	/* another file has the default server */
	bool foreign_ade;	/* of the port */
};

enum nginx_template_id {
	NGINX_HTTP,
	NGINX_TLS,
	NGINX_LISTEN,
	NGINX_LISTEN_IPV4,
	NGINX_GENERATION,
	NGINX_ACME,
	NGINX_UNKNOWN,
	NGINX_SSL,
	NGINX_HEADERS,
	NGINX_CORS_MAP,
	NGINX_CORS_ORIGIN,
	NGINX_CORS,
	NGINX_PROXY,
	NGINX_SITE,
	NGINX_STATIC,
	NGINX_MCP,
	NGINX_ADE_ALLOW,
	NGINX_ADE_NETWORK,
	NGINX_ADE_AUTH,
	NGINX_TEMPLATES
};

/* Their file names, "tls.conf.in", by id. */
extern const char *const nginx_template_names[NGINX_TEMPLATES];

struct nginx_template {
	const char *path;	/* for messages */
	const char *text;
	size_t len;
};

#define NGINX_GENERATION_SIZE 17	/* 16 hexadecimal digits and NUL */
#define NGINX_GENERATION_PATH "/.well-known/sanctumctl-generation"

#define NGINX_FILE_MAX (256 * 1024)

/*
 * Append the file to out.  Equal input gives equal bytes; any other byte in
 * it is another generation (FNV-1a, 64 bits: told apart, not secured).
 *
 * Fails as template_fill, and with ERR_USAGE when ports collide (ade_port is
 * 80, 443 or upstream_port) or only one of the certificate paths is given.
 */
int nginx_render(const struct nginx_edge *,
    const struct nginx_template templates[static NGINX_TEMPLATES],
    struct buf *out, char generation[static NGINX_GENERATION_SIZE],
    struct err *) MUST_CHECK;

#endif /* !CORE_NGINX_H */
