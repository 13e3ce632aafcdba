#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/runtime_postgres.h"
#include "flow/upgrade_closed.h"
#include "io/host.h"

#define WORD "environment"	/* facts of the journal: the file's, */
#define KEYS WORD ".keys"	/* and names of [env], never a value */
#define KEYS_MAX (1024 * 1024)
#define URI_MAX 4096
#define PAIR(key, value) { key, value },

/* Telemetry off, and the loop without which turns stall (0.16.2, seen). */
static const char *const fixed[][2] = {
	{ "LETTA_SERVER_SECURE", "true" },
	{ "LETTA_USE_UVLOOP", "true" },
	RUNTIME_ENV_QUIET(PAIR)
};

/* The password that closes an upgrade's server, as it is there, or "". */
static int
take_closing(const struct runtime *rt, const struct runtime_env *env,
    struct buf *out, struct err *err)
{
	struct buf value;
	bool set = false;
	int rc;

	buf_init_still(&value, DOTENV_MAX_BYTES);
	rc = runtime_env_get(env, "LETTA_SERVER_PASSWORD", &value, &set, err);
	if (rc == 0 && set && upgrade_closed_is(rt->run, buf_cstr(&value)))
		buf_str(out, buf_cstr(&value));
	buf_wipe(&value);
	return rc;
}

/* Whatever the job says; password: that of take_closing. */
static int
close_server(const struct runtime *rt, struct runtime_env *env,
    struct buf *password, struct err *err)
{
	if (password->len == 0 &&
	    upgrade_closed_draw(rt->run, password, err) != 0)
		return -1;
	return runtime_env_set(env, "LETTA_SERVER_PASSWORD",
	    buf_cstr(password), err) != 0 ? -1 :
	    runtime_env_set(env, "LETTA_SERVER_SECURE", "true", err);
}

/* The one of the job, else the one that is there, else a new one. */
static int
set_password(const struct runtime *rt, struct runtime_env *env,
    struct err *err)
{
	const struct secret *given = run_secret(rt->run, &rt->letta->token);
	struct buf value;
	bool set = false;
	int rc = 0;

	buf_init_still(&value, DOTENV_MAX_BYTES);
	if (!given && rt->letta->token.ref) {
		rc = err_set(err, ERR_USAGE, "`token' of [letta %s] was not "
		    "fetched", rt->letta->name);
	} else if (!given) {
		rc = runtime_env_get(env, "LETTA_SERVER_PASSWORD", &value,
		    &set, err);
		if (rc == 0 && !set)
			rc = runtime_draw(&value, err);
	}
	if (rc == 0 && (given || !set))
		rc = runtime_env_set(env, "LETTA_SERVER_PASSWORD", given ?
		    secret_bytes(given) : buf_cstr(&value), err);
	buf_wipe(&value);
	return rc;
}

/* Before `database' was done its URI cannot be told: then none is set. */
static int
set_database(const struct runtime *rt, struct runtime_env *env, bool *known,
    struct err *err)
{
	struct buf uri;
	int rc;

	buf_init_still(&uri, URI_MAX);
	rc = runtime_database_uri(rt, &uri, known, err);
	if (rc == 0 && *known)
		rc = runtime_env_set(env, "LETTA_PG_URI", buf_cstr(&uri),
		    err);
	buf_wipe(&uri);
	return rc;
}

static int
set_redis(const struct runtime *rt, struct runtime_env *env, struct err *err)
{
	bool compose = rt->letta->runtime == CONF_RUNTIME_COMPOSE;
	const char *given = rt->letta->redis, *colon;
	char *name;
	int rc;

	if (given && str_eq(given, "none"))
		return 0;
	/* What the node had stays; nobody has made one for this server. */
	if (!given && rt->run->conf->kind == CONF_UPGRADE)
		return 0;
	if (!given)
		return runtime_env_set(env, "LETTA_REDIS_HOST", compose ?
		    "redis" : "127.0.0.1", err) != 0 ? -1 :
		    runtime_env_set(env, "LETTA_REDIS_PORT", "6379", err);
	colon = strrchr(given, ':');
	name = mem_strndup(given, (size_t)(colon - given));
	rc = runtime_env_set(env, "LETTA_REDIS_HOST", name, err);
	if (rc == 0)
		rc = runtime_env_set(env, "LETTA_REDIS_PORT", colon + 1, err);
	free(name);
	return rc;
}

static bool
is_line(const struct runtime *rt, const char *key)
{
	for (size_t i = 0; i < rt->letta->n_env; i++) {
		if (str_eq(rt->letta->env[i].key, key))
			return true;
	}
	return false;
}

/* The lines of [env NAME], last: they beat ours. */
static int
set_lines(const struct runtime *rt, struct runtime_env *env, struct err *err)
{
	const struct conf_env *line;
	const struct secret *secret;

	for (size_t i = 0; i < rt->letta->n_env; i++) {
		line = &rt->letta->env[i];
		secret = line->value ? NULL :
		    run_secret(rt->run, &line->secret);
		if (!line->value && !secret)
			return err_set(err, ERR_USAGE, "%s:%d: its secret was "
			    "not fetched", rt->run->conf->path, line->line);
		if (runtime_env_set(env, line->key, secret ?
		    secret_bytes(secret) : line->value, err) != 0)
			return err_ctx(err, "%s:%d", rt->run->conf->path,
			    line->line);
	}
	return 0;
}

static int
set_fixed(struct runtime_env *env, struct err *err)
{
	size_t n = sizeof(fixed) / sizeof(*fixed);

	for (size_t i = 0; i < n; i++) {
		if (runtime_env_set(env, fixed[i][0], fixed[i][1], err) != 0)
			return -1;
	}
	return 0;
}

int
runtime_env_common(const struct runtime *rt, struct runtime_env *env,
    struct err *err)
{
	return set_fixed(env, err) != 0 ? -1 : set_lines(rt, env, err);
}

/*
 * Lines of [env NAME] that the job has put there and that were taken out of it
 * since are as they were before it, so that what breaks a server can be taken
 * back.  The password stays: others were told it, and nobody says another.
 */
static int
drop_lines(const struct runtime *rt, struct runtime_env *env, struct err *err)
{
	char *keys = NULL, *rest, *key;
	int rc;

	rc = runtime_get(rt, KEYS, &keys, err);
	rest = keys;
	while (rc == 0 && rest && (key = strsep(&rest, " ")) != NULL) {
		if (*key && !is_line(rt, key) &&
		    !str_eq(key, "LETTA_SERVER_PASSWORD"))
			rc = runtime_env_revert(env, rt, WORD, key, err);
	}
	free(keys);
	return rc;
}

/* Before the file is written those of both, and then those that are in it. */
static int
note_keys(const struct runtime *rt, bool written, struct err *err)
{
	struct buf all = BUF_INIT(KEYS_MAX);
	char *keys = NULL, *rest, *key;
	int rc;

	rc = runtime_get(rt, KEYS, &keys, err);
	for (size_t i = 0; i < rt->letta->n_env; i++)
		buf_printf(&all, "%s%s", all.len > 0 ? " " : "",
		    rt->letta->env[i].key);
	rest = written ? NULL : keys;
	while (rest && (key = strsep(&rest, " ")) != NULL) {
		if (*key && !is_line(rt, key))
			buf_printf(&all, " %s", key);
	}
	if (rc == 0)
		rc = buf_check(&all, "the names of [env]", err);
	if (rc == 0 && (keys || all.len > 0))
		rc = runtime_put(rt, KEYS, buf_cstr(&all), err);
	buf_clear(&all);
	free(keys);
	return rc;
}

static int
fill_common(const struct runtime *rt, struct runtime_env *env, bool *known,
    struct err *err)
{
	if (drop_lines(rt, env, err) != 0 || set_fixed(env, err) != 0)
		return -1;
	if (rt->letta->runtime == CONF_RUNTIME_VENV &&
	    runtime_env_set(env, "LETTA_DIR", RUNTIME_HOME "/.letta", err)
	    != 0)
		return -1;
	return set_database(rt, env, known, err) != 0 ? -1 :
	    set_redis(rt, env, err);
}

/* What closed it is no password to keep: back to the one before. */
static int
fill_open(const struct runtime *rt, struct runtime_env *env, bool was_closed,
    struct err *err)
{
	if (was_closed && runtime_env_revert(env, rt, WORD,
	    "LETTA_SERVER_PASSWORD", err) != 0)
		return -1;
	return set_password(rt, env, err) != 0 ? -1 : set_lines(rt, env, err);
}

static int
fill(const struct runtime *rt, struct runtime_env *env, bool *known,
    struct err *err)
{
	struct buf closing;
	bool close = false;
	int rc;

	buf_init_still(&closing, DOTENV_MAX_BYTES);
	rc = upgrade_closed_wanted(rt->run, rt->letta, &close, err);
	if (rc == 0)
		rc = take_closing(rt, env, &closing, err);
	if (rc == 0)
		rc = fill_common(rt, env, known, err);
	if (rc == 0 && !close)
		rc = fill_open(rt, env, closing.len > 0, err);
	else if (rc == 0)
		rc = set_lines(rt, env, err) != 0 ? -1 :
		    close_server(rt, env, &closing, err);
	buf_wipe(&closing);
	return rc;
}

/* What is there, and what it shall be; clear env in any case. */
static int
look(struct run *run, const struct step *step, struct runtime *rt,
    struct runtime_env *env, bool *known, struct err *err)
{
	if (runtime_open(rt, run, step, err) != 0 ||
	    runtime_env_read(env, rt, RUNTIME_ENV, err) != 0)
		return -1;
	return fill(rt, env, known, err);
}

static int
environment_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct runtime_env env = { 0 };
	struct runtime rt;
	bool known = false;
	int rc;

	rc = look(run, step, &rt, &env, &known, err);
	if (rc == 0 && runtime_env_changed(&env))
		rc = runtime_env_note(&env, note, err);
	*found = known && !runtime_env_changed(&env) ? PLAN_DONE : PLAN_TODO;
	if (rc == 0)
		plan_say(note, env.present ? '~' : '+', RUNTIME_ENV ", 0600%s",
		    env.present || run_secret(run, &rt.letta->token) ? "" :
		    ", with a password that is drawn then and never shown");
	runtime_env_clear(&env);
	return rc;
}

static int
environment_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime_env env = { 0 };
	struct runtime rt;
	bool known = false;
	int rc;

	rc = look(run, step, &rt, &env, &known, err);
	if (rc == 0 && !known)
		rc = err_set(err, ERR_FAILED, "%s: no database was made yet",
		    host_name(rt.host));
	if (rc == 0)
		rc = note_keys(&rt, false, err);
	if (rc == 0)
		rc = runtime_env_write(&env, &rt,
		    rt.letta->runtime == CONF_RUNTIME_COMPOSE ? NULL :
		    RUNTIME_ACCOUNT, WORD, err);
	if (rc == 0)
		rc = note_keys(&rt, true, err);
	if (rc == 0)
		plan_say(note, '~', RUNTIME_ENV);
	runtime_env_clear(&env);
	return rc;
}

static int
environment_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct runtime rt;
	bool edited, was_there;

	if (runtime_open(&rt, run, step, err) != 0 ||
	    runtime_env_was_there(&rt, WORD, &was_there, err) != 0 ||
	    runtime_env_undo(&rt, RUNTIME_ENV, WORD, &edited, err) != 0 ||
	    runtime_put(&rt, KEYS, "", err) != 0)
		return -1;
	plan_say(note, '-', !edited ? RUNTIME_ENV : was_there &&
	    run->conf->kind == CONF_UPGRADE ? RUNTIME_ENV ", as it was; as "
	    "somebody has edited it since it lies beside it as " RUNTIME_ENV
	    HOST_FILE_ASIDE ", or a name from that on where one of an earlier "
	    "time lies there" : RUNTIME_ENV " was edited by somebody and "
	    "stays");
	return 0;
}

const struct step_kind runtime_environment_kind = {
	.word = WORD,
	.probe = environment_probe,
	.act = environment_act,
	.undo = environment_undo,
};
