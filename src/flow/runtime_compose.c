#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/compose.h"
#include "core/conf.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_compose.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/runtime_postgres.h"
#include "io/host.h"

#define PULL_MS (UINT64_C(60) * 60 * 1000)
#define SAID_MAX (64 * 1024)

static const struct fs_meta file_meta = { .mode = 0644, .uid = 0, .gid = 0 };

static bool
has_redis(const struct runtime *rt)
{
	return !rt->letta->redis;
}

/* What the file is for this section. */
static int
render(const struct runtime *rt, struct buf *out, struct err *err)
{
	char *image = rt->letta->image ? mem_strdup(rt->letta->image) :
	    mem_printf("letta/letta:%s", rt->letta->version);
	const struct compose_spec spec = {
		.image = image,
		.port = rt->letta->port,
		.env_file = RUNTIME_ENV,
		.postgres_image = rt->letta->database.ref ? NULL :
		    RUNTIME_POSTGRES_IMAGE,
		.postgres_env_file = RUNTIME_PG_ENV,
		.redis_image = has_redis(rt) ? RUNTIME_REDIS_IMAGE : NULL,
	};
	int rc = compose_render(&spec, out, err);

	free(image);
	return rc != 0 ? err_ctx(err, "[letta %s]", rt->letta->name) : 0;
}

/* docker compose WORDS, of our file. */
static int
compose(const struct runtime *rt, const char *const *words, bool asks,
    struct buf *out, struct err *err)
{
	const char *argv[16] = { "docker", "compose", "-f", RUNTIME_COMPOSE };
	struct runtime_call call = { .what = "docker compose", .argv = argv,
	    .timeout_ms = asks ? RUNTIME_ASK_MS : PULL_MS, .asks = asks };
	size_t n = 4;

	while (*words && n < 15)
		argv[n++] = *words++;
	argv[n] = NULL;
	return runtime_do(rt->host, &call, out, err);
}

/* The engine, and its plugin, are there. */
static int
check_engine(const struct runtime *rt, struct err *err)
{
	static const char *const argv[] = { "docker", "compose", "version",
	    NULL };
	const struct runtime_call call = { .what = "docker compose version",
	    .argv = argv, .asks = true };

	if (runtime_do(rt->host, &call, NULL, err) == 0)
		return 0;
	if (err->kind != ERR_MISSING && err->kind != ERR_FAILED)
		return -1;
	return err_ctx(err, "%s has no docker with `compose'; on Debian, "
	    "install docker.io and a compose plugin (docker-compose-v2 or "
	    "docker-compose-plugin), or say `runtime = venv' in [letta %s]",
	    host_name(rt->host), rt->letta->name);
}

static int
open_file(const struct runtime *rt, struct host_file *file, char **key,
    struct err *err)
{
	*key = run_key("letta", rt->letta->name, "install");
	return host_file_read(file, rt->run, rt->letta->host, *key,
	    RUNTIME_COMPOSE, err);
}

static int
install_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct buf text = BUF_INIT(COMPOSE_MAX);
	struct host_file file = { 0 };
	struct runtime rt;
	struct fs_meta meta = { .type = FS_FILE };
	char *key = NULL;
	bool same = false;
	int rc;

	rc = runtime_open(&rt, run, step, err);
	if (rc == 0)
		rc = render(&rt, &text, err);
	if (rc == 0)
		rc = check_engine(&rt, err);
	if (rc == 0)
		rc = open_file(&rt, &file, &key, err);
	if (rc == 0 && !rt.letta->database.ref)
		rc = host_stat(rt.host, RUNTIME_PG_ENV, &meta, err);
	if (rc == 0) {
		same = host_file_is(&file, text.data, text.len, &file_meta);
		rc = host_file_note(&file, text.data, text.len, note, err);
	}
	*found = same && meta.type == FS_FILE ? PLAN_DONE : PLAN_TODO;
	if (rc == 0)
		plan_say(note, file.present ? '~' : '+', RUNTIME_COMPOSE);
	host_file_clear(&file);
	buf_clear(&text);
	free(key);
	return rc;
}

/* docker itself says whether it understands the file. */
static int
install_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct buf text = BUF_INIT(COMPOSE_MAX);
	struct host_file file = { 0 };
	struct runtime rt;
	char *key = NULL;
	int rc;

	rc = runtime_open(&rt, run, step, err);
	if (rc == 0)
		rc = render(&rt, &text, err);
	if (rc == 0)
		rc = check_engine(&rt, err);
	if (rc == 0 && !rt.letta->database.ref)
		rc = runtime_pg_env(&rt, err);
	if (rc == 0)
		rc = open_file(&rt, &file, &key, err);
	if (rc == 0)
		rc = host_file_set(&file, run, text.data, text.len,
		    &file_meta, err);
	if (rc == 0)
		plan_say(note, '+', RUNTIME_COMPOSE);
	host_file_clear(&file);
	buf_clear(&text);
	free(key);
	return rc;
}

static int
install_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct host_file file = { 0 };
	struct runtime rt;
	char *key = NULL, *kept = NULL;
	bool edited = false, env_edited;
	int rc;

	rc = runtime_open(&rt, run, step, err);
	if (rc == 0)
		rc = runtime_get(&rt, "database.kept", &kept, err);
	if (rc == 0)
		rc = open_file(&rt, &file, &key, err);
	if (rc == 0)
		rc = host_file_undo(&file, run, &edited, err);
	/* Its password is in the volume that stays. */
	if (rc == 0 && !kept)
		rc = runtime_env_undo(&rt, RUNTIME_PG_ENV, "database.env",
		    &env_edited, err);
	if (rc == 0)
		plan_say(note, '-', edited ? RUNTIME_COMPOSE " was edited by "
		    "somebody and stays" : RUNTIME_COMPOSE);
	host_file_clear(&file);
	free(kept);
	free(key);
	return rc;
}

const struct step_kind runtime_compose_install_kind = {
	.word = "install",
	.probe = install_probe,
	.act = install_act,
	.undo = install_undo,
};

/* One line of what `docker compose' prints; a failure is "". */
static void
ask(const struct runtime *rt, const char *const *words, char *out,
    size_t size)
{
	struct buf text = BUF_INIT(SAID_MAX);
	struct err ignored = ERR_INIT;

	out[0] = '\0';
	if (compose(rt, words, true, &text, &ignored) == 0)
		(void)snprintf(out, size, "%.*s",
		    (int)strcspn(buf_cstr(&text), "\n"), buf_cstr(&text));
	buf_clear(&text);
}

static void
sql(const struct runtime *rt, const char *text, char *out, size_t size)
{
	const char *const words[] = { "exec", "-T", "postgres", "psql", "-U",
	    "letta", "-d", "letta", "-XAtqc", text, NULL };

	ask(rt, words, out, size);
}

/* Of the file and of both environments: what a container is made of. */
static int
sum_of(const struct runtime *rt, char out[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	struct buf text = BUF_INIT(COMPOSE_MAX);
	struct runtime_env env = { 0 };
	int rc;

	out[0] = '\0';
	rc = render(rt, &text, err);
	if (rc == 0)
		rc = runtime_env_read(&env, rt, RUNTIME_ENV, err);
	if (rc == 0)
		rc = runtime_sum(&env.was, &text, out, err);
	runtime_env_clear(&env);
	buf_clear(&text);
	return rc;
}

/*
 * Started again when the environment has changed, which compose itself does
 * not see: the digest of the last start is in the journal.
 */
static int
started_with(const struct runtime *rt, char sum[static 2 * HASH_SIZE + 1],
    bool *same, struct err *err)
{
	char *before = NULL;
	int rc;

	rc = sum_of(rt, sum, err);
	if (rc == 0)
		rc = runtime_get(rt, "service.sum", &before, err);
	*same = rc == 0 && before && str_eq(before, sum);
	free(before);
	return rc;
}

int
runtime_compose_active(const struct runtime *rt, bool *out, struct err *err)
{
	static const char *const words[] = { "ps", "--status", "running",
	    "--services", NULL };
	struct buf text = BUF_INIT(SAID_MAX), lines = BUF_INIT(SAID_MAX + 2);
	int rc = compose(rt, words, true, &text, err);

	buf_printf(&lines, "\n%s", buf_cstr(&text));
	*out = rc == 0 && strstr(buf_cstr(&lines), "\nletta\n");
	buf_clear(&lines);
	buf_clear(&text);
	return rc;
}

static int
service_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	char sum[2 * HASH_SIZE + 1];
	struct err ignored = ERR_INIT;
	struct runtime rt;
	bool same, active;

	*found = PLAN_TODO;
	plan_say(note, '+', "docker compose up, on 127.0.0.1:%u",
	    ((const struct conf_letta *)step->subject)->port);
	if (runtime_open(&rt, run, step, err) != 0 ||
	    started_with(&rt, sum, &same, err) != 0)
		return -1;
	if (same && runtime_compose_active(&rt, &active, &ignored) == 0 &&
	    active)
		*found = PLAN_DONE;
	return 0;
}

static int
service_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	static const char *const check[] = { "config", "--quiet", NULL };
	static const char *const up[] = { "up", "--detach",
	    "--remove-orphans", NULL };
	static const char *const anew[] = { "up", "--detach",
	    "--remove-orphans", "--force-recreate", NULL };
	char sum[2 * HASH_SIZE + 1];
	struct runtime rt;
	bool same;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    started_with(&rt, sum, &same, err) != 0 ||
	    compose(&rt, check, true, NULL, err) != 0 ||
	    compose(&rt, same ? up : anew, false, NULL, err) != 0 ||
	    runtime_put(&rt, "service.sum", sum, err) != 0)
		return -1;
	plan_say(note, '+', "docker compose up");
	return 0;
}

/* How many agents its database holds; "" when that cannot be told. */
static int
keeps(const struct runtime *rt, bool *out, char **why, struct err *err)
{
	char said[32];
	uint64_t agents;

	*out = false;
	if (rt->run->purge || rt->letta->database.ref)
		return runtime_put(rt, "database.kept", "", err);
	sql(rt, "SELECT count(*) FROM pg_tables WHERE tablename = 'agents'",
	    said, sizeof(said));
	if (str_eq(said, "1"))
		sql(rt, "SELECT count(*) FROM agents", said, sizeof(said));
	*out = !str_u64(said, UINT64_MAX, &agents) || agents > 0;
	*why = mem_printf(*said ? "it holds %s agents" : "it does not say "
	    "what it holds%s", said);
	return runtime_put(rt, "database.kept", *out ? "yes" : "", err);
}

/* Those that an undo has left, after which there is no file any more. */
static int
remove_volumes(const struct runtime *rt, struct err *err)
{
	static const char *const argv[] = { "docker", "volume", "rm",
	    "--force", COMPOSE_PROJECT "_letta", COMPOSE_PROJECT "_postgres",
	    COMPOSE_PROJECT "_redis", NULL };
	const struct runtime_call call = { .what = "docker volume rm",
	    .argv = argv };

	if (!rt->run->purge)
		return 0;
	if (runtime_do(rt->host, &call, NULL, err) != 0)
		return -1;
	return runtime_put(rt, "database.kept", "", err);
}

static int
service_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	static const char *const down[] = { "down", NULL };
	static const char *const all[] = { "down", "--volumes", NULL };
	struct fs_meta meta;
	struct runtime rt;
	char *why = NULL;
	bool keep = false;
	int rc;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    host_stat(rt.host, RUNTIME_COMPOSE, &meta, err) != 0)
		return -1;
	if (meta.type == FS_NONE)
		return remove_volumes(&rt, err);
	rc = keeps(&rt, &keep, &why, err);
	if (rc == 0)
		rc = compose(&rt, keep ? down : all, false, NULL, err);
	if (rc == 0)
		rc = runtime_put(&rt, "service.sum", "", err);
	if (rc == 0 && keep)
		plan_say(note, '-', "docker compose down; its volumes stay: "
		    "%s; `uninstall --purge' takes them, too", why);
	else if (rc == 0)
		plan_say(note, '-', "docker compose down, with its volumes");
	free(why);
	return rc;
}

const struct step_kind runtime_compose_service_kind = {
	.word = "service",
	.probe = service_probe,
	.act = service_act,
	.undo = service_undo,
};

int
runtime_compose_sequence(const struct runtime *rt, struct err *err)
{
	char said[64];

	if (rt->letta->database.ref)
		return 0;
	sql(rt, "SELECT count(*) FROM information_schema.columns WHERE "
	    "table_name = 'messages' AND column_name = 'sequence_id' AND "
	    "(column_default IS NOT NULL OR is_identity = 'YES')", said,
	    sizeof(said));
	if (str_eq(said, "1"))
		return 0;
	return err_set(err, ERR_FAILED, "%s: messages.sequence_id has no "
	    "default in the database of the compose file, so no message can "
	    "be stored: docker compose -f " RUNTIME_COMPOSE " exec letta "
	    "alembic upgrade head", host_name(rt->host));
}
