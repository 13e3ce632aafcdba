#ifndef FLOW_CLIENT_LOOK_H
#define FLOW_CLIENT_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "core/client_url.h"

struct conf_upgrade;
struct err;
struct host;

/*
 * Which files of a host name a server: those in which a Letta client is told
 * its base URL.  Looked through are what shells read at login, .env and
 * compose files, nginx's configuration, units, start scripts and Letta Code's
 * settings, below /root, /home, /opt, /srv and /etc; up to 256 KiB each.
 */

/*
 * The ways to write the loopback address of a port from this host or out of a
 * container of it; to_port 0: they are only looked for.
 */
void client_look_loopback(struct client_urls *, unsigned int port,
    unsigned int to_port);

/*
 * Those of an upgrade's old server that the new one has not, with its own in
 * their place: none when port and URL stay.
 */
void client_look_upgrade(struct client_urls *, const struct conf_upgrade *);

/* One line that is no comment; path, in no order that matters, and address. */
typedef int client_look_each(void *ctx, const char *path, size_t line,
    const char *address, struct err *);

/*
 * Stops at the first failure.  Nothing is changed.  *cut: more files than
 * CLIENT_LOOK_MAX name it, and those behind were not looked into.
 */
#define CLIENT_LOOK_MAX 1024
int client_look(struct host *, const struct client_urls *,
    client_look_each *, void *ctx, bool *cut, struct err *) MUST_CHECK;

#endif /* !FLOW_CLIENT_LOOK_H */
