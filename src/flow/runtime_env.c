#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/diff.h"
#include "core/dotenv.h"
#include "core/env_dialect.h"
#include "flow/account.h"
#include "flow/host_file.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "io/host.h"

#define ABSENT "absent"
#define KEPT "kept"
#define MASKED_MAX (1024 * 1024)
#define KEY(key, value) key,

/* Settings whose value is no secret. */
static const char *const shown[] = { "LETTA_SERVER_SECURE", "LETTA_DIR",
	"LETTA_USE_UVLOOP", "LETTA_REDIS_HOST", "LETTA_REDIS_PORT",
	"POSTGRES_USER", "POSTGRES_DB", RUNTIME_ENV_QUIET(KEY) NULL };

int
runtime_env_read(struct runtime_env *env, const struct runtime *rt,
    const char *path, struct err *err)
{
	*env = (struct runtime_env){ .host = rt->host, .path = path };
	buf_init_still(&env->was, DOTENV_MAX_BYTES);
	buf_init_still(&env->now, DOTENV_MAX_BYTES);
	if (host_read(rt->host, path, &env->was, &env->meta, err) != 0) {
		if (err->kind != ERR_MISSING)
			return -1;
		err_clear(err);
		return 0;
	}
	env->present = true;
	buf_add(&env->now, buf_cstr(&env->was), env->was.len);
	return 0;
}

void
runtime_env_clear(struct runtime_env *env)
{
	buf_wipe(&env->was);
	buf_wipe(&env->now);
}

int
runtime_env_get(const struct runtime_env *env, const char *key,
    struct buf *value, bool *set, struct err *err)
{
	enum dotenv_found found = DOTENV_ABSENT;

	if (dotenv_get(buf_cstr(&env->now), env->now.len, key, NULL, value,
	    &found, err) != 0)
		return err_ctx(err, "%s:%s", host_name(env->host), env->path);
	*set = found == DOTENV_VALUE && value->len > 0;
	return 0;
}

int
runtime_env_set(struct runtime_env *env, const char *key, const char *value,
    struct err *err)
{
	unsigned int disagree = 0;

	if (dotenv_set(&env->now, env->path, key, value, &disagree, err) != 0)
		return err_ctx(err, "%s", host_name(env->host));
	/* docker compose reads quotes, the docker of env_dialect.h does not. */
	disagree &= 1u << ENV_SH | 1u << ENV_SYSTEMD;
	for (int i = 0; disagree != 0 && i < ENV_READERS; i++) {
		if (disagree & 1u << i)
			return err_set(err, ERR_DATA, "%s:%s: there is no way "
			    "to write %s that %s reads as it is given",
			    host_name(env->host), env->path, key,
			    env_reader_name((enum env_reader)i));
	}
	return 0;
}

bool
runtime_env_changed(const struct runtime_env *env)
{
	return !env->present || (env->meta.mode & 077) != 0 ||
	    env->was.len != env->now.len || memcmp(buf_cstr(&env->was),
	    buf_cstr(&env->now), env->now.len) != 0;
}

int
runtime_env_note(const struct runtime_env *env, struct plan_note *note,
    struct err *err)
{
	struct buf was = BUF_INIT(MASKED_MAX), now = BUF_INIT(MASKED_MAX);
	int rc;

	dotenv_mask(buf_cstr(&env->was), env->was.len, shown, &was);
	dotenv_mask(buf_cstr(&env->now), env->now.len, shown, &now);
	rc = diff_unified(env->present ? env->path : "/dev/null",
	    buf_cstr(&was), was.len, env->path, buf_cstr(&now), now.len,
	    &note->diff, err);
	buf_clear(&was);
	buf_clear(&now);
	return rc;
}

static char *
kept_path(const struct runtime *rt, const char *path)
{
	return mem_printf("%s.sanctumctl-%s", path, rt->run->mark);
}

/* The value that the kept file gives key; `complete' takes that file away. */
static int
kept_value(const struct runtime_env *env, const struct runtime *rt,
    const char *key, struct buf *value, bool *set, struct err *err)
{
	enum dotenv_found found = DOTENV_ABSENT;
	char *path = kept_path(rt, env->path);
	struct buf text;
	int rc;

	buf_init_still(&text, DOTENV_MAX_BYTES);
	rc = host_read(env->host, path, &text, NULL, err);
	if (rc == 0 && dotenv_get(buf_cstr(&text), text.len, key, NULL, value,
	    &found, err) != 0)
		rc = err_ctx(err, "%s:%s", host_name(env->host), path);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	*set = found == DOTENV_VALUE;
	buf_wipe(&text);
	free(path);
	return rc;
}

int
runtime_env_revert(struct runtime_env *env, const struct runtime *rt,
    const char *word, const char *key, struct err *err)
{
	char *fact = mem_printf("%s.before", word), *before = NULL;
	struct buf value;
	bool set = false;
	int rc;

	buf_init_still(&value, DOTENV_MAX_BYTES);
	rc = runtime_get(rt, fact, &before, err);
	if (rc == 0 && before && str_eq(before, KEPT))
		rc = kept_value(env, rt, key, &value, &set, err);
	if (rc == 0 && set)
		rc = runtime_env_set(env, key, buf_cstr(&value), err);
	else if (rc == 0 && before && dotenv_unset(&env->now, env->path, key,
	    err) != 0)
		rc = err_ctx(err, "%s", host_name(env->host));
	buf_wipe(&value);
	free(before);
	free(fact);
	return rc;
}

/* 0600 while it is kept; the journal has how open it was, put_back asks. */
static int
note_mode(const struct runtime *rt, const char *word, mode_t mode,
    struct err *err)
{
	char *key = mem_printf("%s.mode", word);
	char *value = mem_printf("%o", (unsigned int)mode);
	int rc = runtime_put(rt, key, value, err);

	free(value);
	free(key);
	return rc;
}

/* The journal says last that it is kept, so half a copy is made anew. */
static int
keep(const struct runtime_env *env, const struct runtime *rt,
    const char *word, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = env->meta.uid,
	    .gid = env->meta.gid };
	char *key = mem_printf("%s.before", word), *before = NULL;
	char *path = kept_path(rt, env->path);
	int rc;

	rc = runtime_get(rt, key, &before, err);
	if (rc == 0 && !before && env->present)
		rc = note_mode(rt, word, env->meta.mode, err);
	if (rc == 0 && !before && env->present)
		rc = host_replace(env->host, path, buf_cstr(&env->was),
		    env->was.len, &meta, err);
	if (rc == 0 && !before)
		rc = runtime_put(rt, key, env->present ? KEPT : ABSENT, err);
	free(before);
	free(path);
	free(key);
	return rc;
}

/* Without the values of secrets: of those the journal has not even that. */
static int
masked_sum(const struct buf *text, char out[static 2 * HASH_SIZE + 1],
    struct err *err)
{
	struct buf masked = BUF_INIT(MASKED_MAX);
	const struct buf nothing = { 0 };
	int rc;

	dotenv_mask(buf_cstr(text), text->len, shown, &masked);
	rc = runtime_sum(&masked, &nothing, out, err);
	buf_clear(&masked);
	return rc;
}

/* Whether the file is what this job has written, as far as lines go. */
static int
is_ours(const struct runtime_env *env, const struct runtime *rt,
    const char *word, char hex[static 2 * HASH_SIZE + 1], bool *out,
    struct err *err)
{
	char *key = mem_printf("%s.ours", word), *ours = NULL;
	int rc;

	rc = runtime_get(rt, key, &ours, err);
	if (rc == 0)
		rc = masked_sum(&env->was, hex, err);
	*out = rc == 0 && ours && str_has_word(ours, hex);
	free(ours);
	free(key);
	return rc;
}

/* That of what is there, too: a run may be killed before it writes. */
static int
note_ours(const struct runtime_env *env, const struct runtime *rt,
    const char *word, struct err *err)
{
	char was[2 * HASH_SIZE + 1], now[2 * HASH_SIZE + 1], *key, *all;
	bool ours;
	int rc;

	if (is_ours(env, rt, word, was, &ours, err) != 0 ||
	    masked_sum(&env->now, now, err) != 0)
		return -1;
	key = mem_printf("%s.ours", word);
	all = mem_printf("%s%s%s", now, ours ? " " : "", ours ? was : "");
	rc = runtime_put(rt, key, all, err);
	free(all);
	free(key);
	return rc;
}

int
runtime_env_was_there(const struct runtime *rt, const char *word, bool *out,
    struct err *err)
{
	char *key = mem_printf("%s.before", word), *before = NULL;
	int rc = runtime_get(rt, key, &before, err);

	*out = before && str_eq(before, KEPT);
	free(before);
	free(key);
	return rc;
}

int
runtime_env_write(const struct runtime_env *env, const struct runtime *rt,
    const char *account, const char *word, struct err *err)
{
	struct fs_meta meta = { .mode = 0600, .uid = 0, .gid = 0 };
	struct account owner;

	if (account) {
		if (account_find(rt->host, account, &owner, err) != 0)
			return -1;
		meta.uid = owner.uid;
		meta.gid = owner.gid;
		account_clear(&owner);
	}
	if (buf_check(&env->now, env->path, err) != 0 ||
	    keep(env, rt, word, err) != 0 ||
	    note_ours(env, rt, word, err) != 0)
		return -1;
	if (!runtime_env_changed(env) && env->meta.uid == meta.uid &&
	    env->meta.mode == meta.mode)
		return 0;
	return host_replace(env->host, env->path, buf_cstr(&env->now),
	    env->now.len, &meta, err);
}

/* A kept file as open as it was: a group may be who reads it. */
static int
open_kept(const struct runtime *rt, const char *kept, const char *word,
    struct err *err)
{
	char *key = mem_printf("%s.mode", word), *mode = NULL;
	struct fs_meta meta;
	struct buf text;
	int rc;

	buf_init_still(&text, DOTENV_MAX_BYTES);
	rc = runtime_get(rt, key, &mode, err);
	if (rc == 0 && mode && !str_eq(mode, "600"))
		rc = host_read(rt->host, kept, &text, &meta, err);
	if (rc == 0 && text.len > 0) {
		meta.mode = (mode_t)strtoul(mode, NULL, 8);
		rc = host_replace(rt->host, kept, text.data, text.len, &meta,
		    err);
	}
	buf_wipe(&text);
	free(mode);
	free(key);
	return rc;
}

/* What lies beside it has the name back, with its owner and rights. */
static int
put_back(const struct runtime *rt, const char *path, const char *word,
    struct err *err)
{
	char *kept = kept_path(rt, path);
	struct fs_meta meta;
	int rc;

	rc = host_stat(rt->host, kept, &meta, err);
	if (rc == 0 && meta.type == FS_FILE) {
		rc = open_kept(rt, kept, word, err);
		if (rc == 0)
			rc = host_remove(rt->host, path, err);
		if (rc == 0)
			rc = host_rename(rt->host, kept, path, 0, err);
	}
	free(kept);
	return rc;
}

/* Its account goes, whose number another one may get. */
static int
leave(const struct runtime_env *env, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = 0, .gid = 0 };

	return host_replace(env->host, env->path, buf_cstr(&env->was),
	    env->was.len, &meta, err);
}

/* The server that comes back reads the file: what was edited makes way. */
static int
set_aside(const struct runtime_env *env, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = 0, .gid = 0 };
	char *aside;
	int rc = host_file_aside(env->host, env->path, &aside, err);

	if (rc == 0) {
		log_warn("%s:%s: somebody has edited this file: it is kept "
		    "as %s", host_name(env->host), env->path, aside);
		rc = host_replace(env->host, aside, buf_cstr(&env->was),
		    env->was.len, &meta, err);
	}
	free(aside);
	return rc;
}

/* An undo that was killed has put it back already. */
static int
is_back(const struct runtime *rt, const char *path, bool *out,
    struct err *err)
{
	char *kept = kept_path(rt, path);
	struct fs_meta meta;
	int rc;

	rc = host_stat(rt->host, kept, &meta, err);
	*out = rc == 0 && meta.type == FS_NONE;
	free(kept);
	return rc;
}

static int
take_back(const struct runtime *rt, const char *path, const char *word,
    bool was_absent, bool *edited, struct err *err)
{
	char hex[2 * HASH_SIZE + 1];
	struct runtime_env env;
	bool ours = false, back = false, way;
	int rc;

	if (!was_absent && is_back(rt, path, &back, err) != 0)
		return -1;
	if (back)
		return 0;
	rc = runtime_env_read(&env, rt, path, err);
	if (rc == 0)
		rc = is_ours(&env, rt, word, hex, &ours, err);
	*edited = rc == 0 && env.present && !ours;
	way = !was_absent && rt->run->conf->kind == CONF_UPGRADE;
	if (*edited)
		rc = way ? set_aside(&env, err) : leave(&env, err);
	if (rc == 0 && (!*edited || way))
		rc = was_absent ? host_remove(rt->host, path, err) :
		    put_back(rt, path, word, err);
	runtime_env_clear(&env);
	return rc;
}

int
runtime_env_undo(const struct runtime *rt, const char *path,
    const char *word, bool *edited, struct err *err)
{
	char *key = mem_printf("%s.before", word), *before = NULL;
	int rc;

	*edited = false;
	rc = runtime_get(rt, key, &before, err);
	if (rc == 0 && before)
		rc = take_back(rt, path, word, str_eq(before, ABSENT),
		    edited, err);
	if (rc == 0 && before)
		rc = runtime_put(rt, key, "", err);
	free(before);
	free(key);
	return rc;
}

int
runtime_password(struct host *host, struct secret **out, struct err *err)
{
	struct runtime_env env;
	struct runtime rt = { .host = host };
	struct buf value;
	bool set = false;
	int rc;

	buf_init_still(&value, DOTENV_MAX_BYTES);
	rc = runtime_env_read(&env, &rt, RUNTIME_ENV, err);
	if (rc == 0)
		rc = runtime_env_get(&env, "LETTA_SERVER_PASSWORD", &value,
		    &set, err);
	if (rc == 0 && !set)
		rc = err_set(err, ERR_MISSING, "%s:" RUNTIME_ENV ": has no "
		    "LETTA_SERVER_PASSWORD yet", host_name(host));
	if (rc == 0)
		*out = secret_new(value.data, value.len);
	buf_wipe(&value);
	runtime_env_clear(&env);
	return rc;
}
