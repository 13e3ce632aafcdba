#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/compose_look.h"
#include "flow/doctor_part.h"
#include "io/host.h"

#define LISTING_MAX (1024 * 1024)
#define COMPOSE_MAX (256 * 1024)
#define LETTA_ENV "/etc/letta/letta.env"

/* PostgreSQL and Redis, with their TLS ports left out: those are a choice. */
static const unsigned int database_ports[] = { 5432, 6379, 0 };

static bool
is_of(const unsigned int *ports, uint64_t port)
{
	for (; *ports; ports++) {
		if (*ports == port)
			return true;
	}
	return false;
}

static bool
is_loopback(const char *address)
{
	return str_starts(address, "127.") || str_starts(address, "[::1]") ||
	    str_starts(address, "[::ffff:127.");
}

/* "LISTEN 0 511 0.0.0.0:443 0.0.0.0:* users:(("nginx",pid=1,fd=6))" */
static void
look_at_listener(const struct doctor_at *at, const char *line)
{
	char address[128], *colon;
	const char *who = strstr(line, "users:");
	uint64_t port;

	if (sscanf(line, "%*s %*s %*s %127s", address) != 1)
		return;
	colon = strrchr(address, ':');
	if (!colon || !str_u64(colon + 1, 65535, &port))
		return;
	if (is_of(database_ports, port))
		DOCTOR_JUDGE(at, NULL, !is_loopback(address), "port-public",
		    "%s is listened on", address);
	/* nginx at 8283 is the edge itself. */
	if (is_of(at->letta_ports, port) && !(who &&
	    strstr(who, "(\"nginx\"")))
		DOCTOR_JUDGE(at, NULL, !is_loopback(address),
		    "letta-public", "%s is listened on, by %.60s", address,
		    who ? who + strlen("users:") : "a program that only "
		    "root may see");
}

static int
look_at_listeners(const struct doctor_at *at, struct err *err)
{
	static const char *const argv[] = { "ss", "-Htlnp", NULL };
	struct buf out = BUF_INIT(LISTING_MAX);
	char *line, *rest = NULL;
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	if (rc == 0 && status != 0)
		rc = err_set(err, ERR_FAILED, "ss -Htlnp ended with %d",
		    status);
	for (line = rc == 0 && out.len > 0 ? strtok_r(out.data, "\n", &rest) :
	    NULL; line; line = strtok_r(NULL, "\n", &rest))
		look_at_listener(at, line);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "letta-public", err);
}

/* The processes that run Letta's server. */
struct lettas {
	struct {
		pid_t pid;
		uint64_t start;
	} list[16];
	size_t n;
};

static int
note_letta(void *ctx, const struct procs_info *info, struct err *err)
{
	struct lettas *all = ctx;
	const char *word, *end = info->argv + info->argv_len;
	bool letta = false;

	(void)err;
	for (size_t i = 0; i < all->n; i++) {
		if (all->list[i].pid == info->ppid)
			return 0;	/* a worker of it */
	}
	for (word = info->argv; word < end; word += strlen(word) + 1) {
		if (letta && str_eq(word, "server") && all->n < 16) {
			all->list[all->n].pid = info->pid;
			all->list[all->n++].start = info->start;
			break;
		}
		letta = str_eq(word, "letta") || str_ends(word, "/letta");
	}
	return 0;
}

/* What its environment file gives it, when its process cannot be asked. */
static bool
file_names_redis(const struct doctor_at *at)
{
	struct buf text;
	char *value = NULL;
	bool given;

	buf_init_still(&text, 65536);
	if (doctor_read(at, LETTA_ENV, &text))
		value = doctor_setting(buf_cstr(&text), "LETTA_REDIS_HOST");
	given = value && *value;
	free(value);
	buf_wipe(&text);
	return given;
}

static int
look_at_redis(const struct doctor_at *at, struct err *err)
{
	static const char *const names[] = { "LETTA_REDIS_HOST", NULL };
	struct lettas all = { .n = 0 };
	struct buf env = BUF_INIT(65536);
	int rc;

	if (at->no_redis)
		return 0;
	rc = host_processes(at->host, NULL, note_letta, &all, err);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		buf_clear(&env);
		rc = host_process_env(at->host, all.list[i].pid,
		    all.list[i].start, names, &env, err);
		if (rc == 0)
			DOCTOR_JUDGE(at, NULL, env.len == 0 &&
			    !file_names_redis(at), "letta-redis",
			    "pid %ld has no LETTA_REDIS_HOST",
			    (long)all.list[i].pid);
	}
	buf_wipe(&env);
	return rc == 0 ? 0 : doctor_pass(at, "letta-redis", err);
}

/*
 * A PostgreSQL of this host: that of runtime = venv, or the distribution's
 * with a database of Letta's name.  Says "ok", "missing", or nothing where
 * there is none.
 */
static const char ask_sequence[] =
    "export PGOPTIONS='-c default_transaction_read_only=on'\n"
    "own=/opt/letta/postgres/pgsql/bin/psql\n"
    "set -- psql\n"
    "u=postgres\n"
    "if [ -x $own ]; then\n"
    "	u=letta-postgres\n"
    "	set -- $own -h /var/lib/letta-postgres -p 18432\n"
    "else\n"
    "	command -v psql >/dev/null || exit 0\n"
    "	[ -S /var/run/postgresql/.s.PGSQL.5432 ] || exit 0\n"
    "fi\n"
    "[ \"$(id -u)\" = 0 ] && set -- runuser -u $u -- \"$@\"\n"
    "cd / && \"$@\" -XAtqw -d letta -c \"SELECT CASE WHEN column_default "
    "IS NOT NULL OR is_identity = 'YES' THEN 'ok' ELSE 'missing' END FROM "
    "information_schema.columns WHERE table_schema = 'public' AND "
    "table_name = 'messages' AND column_name = 'sequence_id'\"\n";

int
doctor_sequence(const struct doctor_at *at, struct err *err)
{
	static const char *const argv[] = { "sh", "-c", ask_sequence, NULL };
	struct buf out = BUF_INIT(4096), said = BUF_INIT(4096);
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, &said, err);
	/* A PostgreSQL without a database of that name is no Letta's. */
	if (rc == 0 && status != 0 && !strstr(buf_cstr(&said),
	    "does not exist"))
		rc = err_set(err, ERR_FAILED, "psql ended with %d: %.200s",
		    status, buf_cstr(&said));
	else if (rc == 0 && out.len > 0)
		DOCTOR_JUDGE(at, NULL, str_starts(buf_cstr(&out), "missing"),
		    "letta-sequence", "the database letta");
	buf_clear(&said);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "letta-sequence", err);
}

static void
look_at_container(const struct doctor_at *at, char *line)
{
	char *rest = NULL, *name, *image, *ports;

	name = strtok_r(line, "\t", &rest);
	image = strtok_r(NULL, "\t", &rest);
	ports = strtok_r(NULL, "\t", &rest);
	if (!name || !image)
		return;
	DOCTOR_JUDGE(at, NULL, !compose_look_pinned(image), "docker-latest",
	    "%s runs %s", name, image);
	DOCTOR_JUDGE(at, NULL, ports && compose_look_published(ports),
	    "docker-published", "%s: %s", name, ports ? ports : "");
}

static int
look_at_docker(const struct doctor_at *at, struct err *err)
{
	static const char *const argv[] = { "docker", "ps", "--format",
	    "{{.Names}}\t{{.Image}}\t{{.Ports}}", NULL };
	struct buf out = BUF_INIT(LISTING_MAX);
	char *line, *rest = NULL;
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	for (line = rc == 0 && status == 0 && out.len > 0 ?
	    strtok_r(out.data, "\n", &rest) : NULL; line;
	    line = strtok_r(NULL, "\n", &rest))
		look_at_container(at, line);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "docker-published", err);
}

/* Directories that are not there make find(1) end with 1. */
static int
look_at_compose(const struct doctor_at *at, struct err *err)
{
	const char *const argv[] = { "find", "-H", "/home", "/opt", "/srv",
	    "/root", host_facts(at->host)->home, "-maxdepth", "5", "-type",
	    "f", "(", "-name", "compose*.y*ml", "-o", "-name",
	    "docker-compose*.y*ml", ")", "-print", NULL };
	struct buf out = BUF_INIT(LISTING_MAX), seen = BUF_INIT(LISTING_MAX);
	struct buf text = BUF_INIT(COMPOSE_MAX);
	char *path, *place, *rest = NULL;
	int status, rc;

	rc = doctor_ask(at, argv, &status, &out, NULL, err);
	for (path = rc == 0 && out.len > 0 ? strtok_r(out.data, "\n", &rest) :
	    NULL; path; path = strtok_r(NULL, "\n", &rest)) {
		buf_clear(&text);
		if (strstr(buf_cstr(&seen), path) ||
		    !doctor_read(at, path, &text))
			continue;
		buf_printf(&seen, "%s\n", path);
		place = doctor_place(at, path);
		compose_look(at->d, place, buf_cstr(&text));
		free(place);
	}
	buf_clear(&text);
	buf_clear(&seen);
	buf_clear(&out);
	return rc == 0 ? 0 : doctor_pass(at, "compose-latest", err);
}

int
doctor_containers(const struct doctor_at *at, struct err *err)
{
	return look_at_docker(at, err) != 0 ? -1 : look_at_compose(at, err);
}

int
doctor_services(struct doctor_at *at, struct err *err)
{
	if (look_at_listeners(at, err) != 0 || look_at_redis(at, err) != 0 ||
	    doctor_sequence(at, err) != 0)
		return -1;
	return doctor_containers(at, err);
}
