#ifndef CORE_NGINX_LOOK_H
#define CORE_NGINX_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct doctor;
struct nginx_tree;

/*
 * The traps of an nginx that stands in front of a Letta server, as far as its
 * configuration shows them (nginx 1.22.1, run): the "nginx-" traps of
 * core/doctor.h that are not of the running program.
 *
 * A server is Letta's when one of its locations passes to a loopback address
 * at a port of letta_ports.
 */
struct nginx_look {
	const struct nginx_tree *dump;
	const char *host;			/* for "host:file:line" */
	const unsigned int *letta_ports;	/* 0 behind the last */
	struct doctor *doctor;
};

void nginx_look(const struct nginx_look *);

/* Ports of nginx's Letta when nobody has said another. */
extern const unsigned int nginx_look_ports[];

/*
 * Call each for every server with ssl_certificate: the paths as nginx has
 * them, its server_name words (NULL-ended), and where it stands.
 */
void nginx_look_certificates(const struct nginx_look *,
    void (*each)(void *ctx, const char *certificate, const char *key,
    const char *const *names, const char *where), void *ctx);

/* Whether a location anywhere passes to that port of the loopback. */
bool nginx_look_passes(const struct nginx_look *, unsigned int port);

#endif /* !CORE_NGINX_LOOK_H */
