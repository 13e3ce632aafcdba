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
 * Each command names the project, its directory, the files and env files that
 * the container was made with, which the engine knows as labels of the
 * container: `docker compose -f FILE' alone would leave out a
 * compose.override.yaml, and make another container of it.
 */
struct compose_service {
	struct host *host;
	const struct conf_letta *letta;
	const char *file;		/* its `compose' */
	const char *name;		/* its `service', or letta */
	/* As the engine says; NULL: there is no container of it, and what it
	 * was made with is not recalled. */
	char *container;		/* id */
	char *rest;			/* id of another, that an `up' which
					 * was killed has made to replace it;
					 * NULL: none */
	char *image;			/* that it was made of; its id when no
					 * tag leads there any more */
	char *project;
	char *directory;
	char *files;			/* with commas between; has `file' */
	char *env_files;		/* the same; "" when none was named */
	bool running;
	bool closed;			/* made with the file of
					 * compose_service_closed_path, which
					 * is none of `files' */
};

/*
 * Ask the engine.  close it in any case.  ERR_MISSING: no docker, or no
 * `compose' in it; ERR_DATA: more than one container has that file and
 * service, `rest' aside.
 */
int compose_service_open(struct compose_service *, struct host *,
    const struct conf_letta *, struct err *) MUST_CHECK;
void compose_service_close(struct compose_service *);

/*
 * Its container is gone: it was made with these, which are copied.  Nothing is
 * done where there is one.
 */
void compose_service_recall(struct compose_service *, const char *project,
    const char *directory, const char *files, const char *env_files);

/*
 * As open, for the service of `compose_database'.  ERR_UNREACHABLE: it does
 * not run.
 */
int compose_service_open_database(struct compose_service *, struct host *,
    const struct conf_letta *, struct err *) MUST_CHECK;

/* Does it run now?  One that starts again and again does not. */
int compose_service_active(struct compose_service *, bool *out,
    struct err *) MUST_CHECK;

/*
 * docker compose stop NAME: its container stays, as do all others; but `rest'
 * is removed first, here and before each start.
 */
int compose_service_stop(struct compose_service *, struct err *) MUST_CHECK;

/*
 * docker compose up -d --no-deps NAME: made anew when its file has changed.
 * That it answers is for the caller to await.
 */
int compose_service_start(struct compose_service *, struct err *) MUST_CHECK;

/*
 * The same with one more file, the last of them, that closes the service to
 * its clients (flow/upgrade_closed.h).  Without it `up' opens it again.
 */
int compose_service_start_closed(struct compose_service *, struct err *)
    MUST_CHECK;

/* Where that file is, beside `compose'; the caller frees it. */
char *compose_service_closed_path(const struct compose_service *);

/*
 * What the service is, all variables and files taken together: `docker
 * compose config'.  There are passwords in it: it is for questions alone.
 * *out is the whole of it, the caller's to free; *service lies within.
 * ERR_MISSING: no such service.
 */
int compose_service_config(const struct compose_service *, struct jdoc **out,
    const struct jdoc **service, struct err *) MUST_CHECK;

/*
 * The image by all of that; the caller frees it.  ERR_DATA: none is named.
 */
int compose_service_image(const struct compose_service *, char **out,
    struct err *) MUST_CHECK;

/*
 * Whether it can be upgraded: there is one container, made of the image that
 * its files name now, so that `up' brings the same one back; it sets
 * LETTA_PG_URI, without which the image (0.11.3 to 0.16.8, its startup.sh)
 * runs a PostgreSQL within the container, that stops with it; and
 * `compose_database' is another service of these files.  ERR_DATA or
 * ERR_MISSING, with what to do.
 */
int compose_service_check(const struct compose_service *, struct err *)
    MUST_CHECK;

/*
 * Whether LETTA_PG_URI of the service names this database, on the service of
 * `compose_database' where that is given (by its name, container_name or an
 * alias).  ERR_STALE: another one.
 */
int compose_service_check_database(const struct compose_service *,
    const char *database, struct err *) MUST_CHECK;

/*
 * docker WORDS, which end with NULL, for an hour at most.  asks: it changes
 * nothing.  Any end but 0 is ERR_FAILED with the last that it said.
 */
int compose_service_docker(const struct compose_service *,
    const char *const *words, bool asks, struct buf *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_COMPOSE_SERVICE_H */
