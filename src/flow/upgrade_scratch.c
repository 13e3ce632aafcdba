#include "base/base.h"

#include <sys/random.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "flow/account.h"
#include "flow/endpoint.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/runtime_service.h"
#include "flow/service.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_scratch.h"
#include "io/host.h"

#define NAME "letta-rehearsal"
#define ENVIRONMENT UPGRADE_SCRATCH_DIR "/environment"
#define URI_MAX 4096
#define PASSWORD_MAX 256

/* Words of the journal: of the upgrade, and of the directory. */
#define THERE "scratch"
#define PORT "scratch.port"
#define DIRECTORY "scratch"

/* Below what systems give to clients, above the services that have names. */
#define PORT_FIRST 20000
#define PORT_COUNT 10000
#define PORT_TRIES 16

/*
 * The new server as it will be, but for its port: what the steps of a node
 * are told of it.
 */
struct scratch {
	const struct upgrade *up;
	struct conf_letta letta;
	struct runtime rt;
	char *database;
	struct runtime_service own;	/* its service: opened by start */
};

static void
scratch_open(struct scratch *s, const struct upgrade *up)
{
	*s = (struct scratch){ .up = up, .letta = *up->conf->to,
	    .database = mem_printf("sanctumctl_rehearsal_%s",
	    up->run->mark) };
	s->rt = (struct runtime){ .run = up->run, .letta = &s->letta,
	    .host = up->host };
}

static void
scratch_close(struct scratch *s)
{
	runtime_service_close(&s->own);
	free(s->database);
}

/* One that nobody listens on now. */
static int
draw_port(struct scratch *s, struct err *err)
{
	uint16_t random;
	bool taken = true;

	for (int i = 0; taken && i < PORT_TRIES; i++) {
		if (getrandom(&random, sizeof(random), 0) !=
		    (ssize_t)sizeof(random))
			return err_sys(err, ERR_FAILED, "getrandom");
		s->letta.port = PORT_FIRST + random % PORT_COUNT;
		if (host_connects(s->rt.host, "127.0.0.1", s->letta.port,
		    &taken, err) != 0)
			return -1;
	}
	if (taken)
		return err_set(err, ERR_FAILED, "%s: no free port from %d "
		    "to %d was found", host_name(s->rt.host), PORT_FIRST,
		    PORT_FIRST + PORT_COUNT - 1);
	(void)snprintf(s->own.port, sizeof(s->own.port), "%u",
	    s->letta.port);
	return upgrade_put(s->up, PORT, s->own.port, err);
}

static int
open_service(struct scratch *s, struct err *err)
{
	struct runtime_service *own = &s->own;

	own->key = run_key("upgrade", s->up->conf->name, "scratch.service");
	runtime_service_fill(&s->rt, own, ENVIRONMENT);
	own->spec.key = own->key;
	own->spec.name = NAME;
	own->spec.directory = UPGRADE_SCRATCH_DIR;
	own->spec.transient = true;
	return service_open(s->up->run, &own->spec, &own->service, err);
}

static int
make_database(struct scratch *s, struct postgres *pg, struct buf *uri,
    struct err *err)
{
	if (postgres_scratch_make(pg, s->database, err) != 0)
		return -1;
	log_detail("rehearsal: database %s", s->database);
	postgres_uri(pg, s->database, uri);
	if (buf_check(uri, "URI of the database", err) != 0)
		return -1;
	return runtime_schema_program(&s->rt, "create", uri, false, NULL,
	    err);
}

/* That of an upgrade by another job that is rehearsed now is left to it. */
static int
make_directory(struct scratch *s, struct err *err)
{
	struct fs_meta meta;

	if (host_stat(s->rt.host, UPGRADE_SCRATCH_DIR, &meta, err) != 0)
		return -1;
	if (meta.type != FS_NONE)
		return err_set(err, ERR_STALE, "%s:%s: is there, and not "
		    "made by this job; is another upgrade rehearsed there? "
		    "If not, stop the service " NAME " and move the "
		    "directory away", host_name(s->rt.host),
		    UPGRADE_SCRATCH_DIR);
	return runtime_dir_make(&s->rt, UPGRADE_SCRATCH_DIR, 0700,
	    RUNTIME_ACCOUNT, DIRECTORY, err);
}

/* Whatever [env] says, it is this database and this password. */
static int
fill_environment(struct scratch *s, struct runtime_env *env, const char *uri,
    const char *password, struct err *err)
{
	const struct {
		const char *key, *value;
	} own[] = {
		{ "HOME", UPGRADE_SCRATCH_DIR },
		{ "LETTA_DIR", UPGRADE_SCRATCH_DIR "/.letta" },
		{ "LETTA_SERVER_SECURE", "true" },
		{ "LETTA_SERVER_PASSWORD", password },
		{ "LETTA_PG_URI", uri },
	};

	if (runtime_env_common(&s->rt, env, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		if (runtime_env_set(env, own[i].key, own[i].value, err) != 0)
			return -1;
	}
	return buf_check(&env->now, ENVIRONMENT, err);
}

/* It goes with its directory: nothing was there that would be kept. */
static int
write_environment(struct scratch *s, const char *uri, const char *password,
    struct err *err)
{
	struct fs_meta meta = { .mode = 0600 };
	struct runtime_env env;
	struct account owner;
	int rc;

	if (account_find(s->rt.host, RUNTIME_ACCOUNT, &owner, err) != 0)
		return -1;
	meta.uid = owner.uid;
	meta.gid = owner.gid;
	account_clear(&owner);
	rc = runtime_env_read(&env, &s->rt, ENVIRONMENT, err);
	if (rc == 0)
		rc = fill_environment(s, &env, uri, password, err);
	if (rc == 0)
		rc = host_replace(s->rt.host, ENVIRONMENT,
		    buf_cstr(&env.now), env.now.len, &meta, err);
	runtime_env_clear(&env);
	return rc;
}

static int
start(struct scratch *s, struct err *err)
{
	bool acted;

	if (open_service(s, err) != 0 ||
	    service_up(s->own.service, s->up->run, &acted, err) != 0)
		return -1;
	return runtime_await(&s->rt, s->own.service, err);
}

static int
make(struct scratch *s, struct postgres *pg, const char *password,
    struct err *err)
{
	struct buf uri;
	int rc;

	buf_init_still(&uri, URI_MAX);
	rc = upgrade_put(s->up, THERE, "yes", err);
	if (rc == 0)
		rc = make_directory(s, err);
	if (rc == 0)
		rc = make_database(s, pg, &uri, err);
	if (rc == 0)
		rc = draw_port(s, err);
	if (rc == 0)
		rc = write_environment(s, buf_cstr(&uri), password, err);
	if (rc == 0)
		log_detail("rehearsal: its tables are made; " NAME " is to "
		    "listen on 127.0.0.1:%s", s->own.port);
	if (rc == 0)
		rc = start(s, err);
	buf_wipe(&uri);
	return rc;
}

int
upgrade_scratch_make(const struct upgrade *up, struct postgres *pg,
    struct endpoint *to, struct err *err)
{
	struct buf password;
	struct scratch s;
	int rc;

	scratch_open(&s, up);
	buf_init_still(&password, PASSWORD_MAX);
	rc = runtime_draw(&password, err);
	if (rc == 0)
		rc = make(&s, pg, buf_cstr(&password), err);
	if (rc == 0) {
		to->name = mem_strdup(NAME);
		to->url = mem_printf("http://127.0.0.1:%s", s.own.port);
		to->version = mem_strdup(s.letta.version);
		to->token = secret_new(password.data, password.len);
	}
	buf_wipe(&password);
	scratch_close(&s);
	return rc;
}

/* The port is known before the first of its files is written. */
static int
take_service(struct scratch *s, struct err *err)
{
	bool edited = false;
	char *port = NULL;
	int rc = upgrade_get(s->up, PORT, &port, err);

	if (rc != 0 || !port)
		return rc;
	(void)snprintf(s->own.port, sizeof(s->own.port), "%s", port);
	free(port);
	if (open_service(s, err) != 0 ||
	    service_down(s->own.service, s->up->run, &edited, err) != 0)
		return -1;
	if (edited)
		log_warn("%s: a file of the service " NAME " was edited by "
		    "somebody and stays; it is stopped",
		    host_name(s->rt.host));
	return upgrade_put(s->up, PORT, "", err);
}

int
upgrade_scratch_is_there(const struct upgrade *up, bool *out,
    struct err *err)
{
	char *there = NULL;
	int rc = upgrade_get(up, THERE, &there, err);

	*out = there != NULL;
	free(there);
	return rc;
}

int
upgrade_scratch_remove(const struct upgrade *up, struct postgres *pg,
    struct err *err)
{
	struct scratch s;
	bool there;
	int rc;

	if (upgrade_scratch_is_there(up, &there, err) != 0)
		return -1;
	if (!there)
		return 0;
	scratch_open(&s, up);
	rc = take_service(&s, err);
	if (rc == 0)
		rc = runtime_dir_remove(&s.rt, UPGRADE_SCRATCH_DIR,
		    DIRECTORY, true, err);
	if (rc == 0)
		rc = postgres_scratch_drop(pg, s.database, err);
	if (rc == 0)
		rc = upgrade_put(up, THERE, "", err);
	scratch_close(&s);
	return rc;
}
