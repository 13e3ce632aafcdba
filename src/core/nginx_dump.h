#ifndef CORE_NGINX_DUMP_H
#define CORE_NGINX_DUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/nginx.h"

/*
 * What other files have that shares ports and names with an edge, out of the
 * whole configuration as `nginx -T' prints it (1.22.1: each file behind a line
 * "# configuration file PATH:", included files after those that include them,
 * nothing at all when the configuration is not valid).
 *
 * Known: server blocks, their `listen' and `server_name', and who the worker
 * processes run as.  A place is "PATH:LINE", "" for none.
 */
#define NGINX_DUMP_PLACE_SIZE 512

struct nginx_dump {
	size_t n_foreign;	/* files but own_path */
	char group[64];		/* of `user', or its user; "" for none */
	/* Default servers of 443 and of ade_port, on every address. */
	char default_443[NGINX_DUMP_PLACE_SIZE];
	char default_ade[NGINX_DUMP_PLACE_SIZE];
	/*
	 * A server that names no name and says no default_server, so it has
	 * the unknown names of that port as long as it is the first.
	 */
	char nameless_443[NGINX_DUMP_PLACE_SIZE];
	char nameless_ade[NGINX_DUMP_PLACE_SIZE];
	/* A server of 80, 443 or ade_port that has the edge's name already:
	 * nginx keeps the first of the two, and only warns. */
	char same_name[NGINX_DUMP_PLACE_SIZE];
};

/* own_path is the edge's file, of which nothing is taken. */
void nginx_dump_read(const char *text, size_t len, const char *own_path,
    const struct nginx_edge *, struct nginx_dump *);

#endif /* !CORE_NGINX_DUMP_H */
