#ifndef FLOW_COMPOSE_SERVICE_H
#define FLOW_COMPOSE_SERVICE_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct conf_letta;
struct err;
struct host;
struct jdoc;

/*
 * A Letta server that somebody runs as a service of docker compose: `compose'
 * and `service' of its section.
 *
 *     struct compose_service cs;
 *
 *     if (compose_service_open(&cs, host, letta, err) == 0) ...
 *     compose_service_close(&cs);
 *
 * Each command names the project, the files and the --env-file that its
 * container was made with, which the engine knows as labels of the container:
 * `docker compose -f FILE' alone would leave out a compose.override.yaml and
 * make another container of it.
 */
struct compose_service {
	struct host *host;
	const struct conf_letta *letta;
	const char *file;		/* its `compose' */
	const char *name;		/* its `service', or letta */
	/* By the engine; NULL: there is no container of it now. */
	char *container;		/* id */
	char *image;			/* that the container is made of */
	char *project;
	char *files;			/* with commas between; has `file' */
	char *env_file;			/* NULL: none was named */
	bool running;
};

#define COMPOSE_SERVICE_ASK_MS 60000
#define COMPOSE_SERVICE_PULL_MS (UINT64_C(60) * 60 * 1000)

/*
 * Ask the engine.  clear it in any case.  ERR_MISSING: no docker, or no
 * `compose' in it; ERR_DATA: containers of more than one project, or more than
 * one container, have that file and service.
 */
int compose_service_open(struct compose_service *, struct host *,
    const struct conf_letta *, struct err *) MUST_CHECK;
void compose_service_close(struct compose_service *);

/* Does it run now?  One that starts again and again does not. */
int compose_service_active(struct compose_service *, bool *out,
    struct err *) MUST_CHECK;

/* docker compose stop NAME: its container stays, as do all others. */
int compose_service_stop(struct compose_service *, struct err *) MUST_CHECK;

/*
 * docker compose up -d --no-deps NAME: made anew when its file has changed.
 * That it answers is for the caller to await.
 */
int compose_service_start(struct compose_service *, struct err *) MUST_CHECK;

/*
 * What the service is, all variables and files taken together: `docker
 * compose config'.  There are passwords in it: it is for questions alone.
 * The caller frees *out.  ERR_MISSING: no such service, with those that there
 * are.
 */
int compose_service_config(struct compose_service *, struct jdoc **out,
    struct err *) MUST_CHECK;

/*
 * Whether it can be upgraded: it sets LETTA_PG_URI, without which its image
 * (0.11.3 to 0.16.8, startup.sh) runs a PostgreSQL within the container that
 * stops with it; `compose_database' is another service of the file; its image
 * is what the file says.  ERR_USAGE or ERR_DATA, with what to do.
 */
int compose_service_check(struct compose_service *, struct err *)
    MUST_CHECK;

/* docker WORDS, which ends with NULL; asks: it changes nothing. */
int compose_service_docker(const struct compose_service *,
    const char *const *words, bool asks, struct buf *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_COMPOSE_SERVICE_H */
