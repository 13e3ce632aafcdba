#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/env_lint.h"
#include "core/worker_env.h"
#include "flow/doctor_part.h"
#include "flow/doctor_worker_part.h"
#include "flow/worker_find.h"
#include "io/host.h"

#define REDIS_PORT 6379

struct env {
	const struct doctor_at *at;
	const char *path;
	const struct buf *text;
	size_t n_differing;
	char *first;		/* key that readers do not agree on */
};

/* The value; "" when it is not there.  The caller wipes it. */
static bool
get(const struct env *env, const char *key, struct buf *value)
{
	enum dotenv_found found = DOTENV_ABSENT;
	struct err ignored = ERR_INIT;

	buf_init_still(value, 65536);
	return dotenv_get(buf_cstr(env->text), env->text->len, key, NULL,
	    value, &found, &ignored) == 0 && found == DOTENV_VALUE;
}

static bool
has(const struct env *env, const char *key)
{
	struct buf value;
	bool there = get(env, key, &value) && value.len > 0;

	buf_wipe(&value);
	return there;
}

static void
look_at_debug(const struct env *env)
{
	struct buf value;
	bool there = get(env, "DEBUG_MODE", &value);

	/* One that is missing was told by worker_find. */
	if (there)
		DOCTOR_JUDGE(env->at, env->path, strcasecmp(buf_cstr(&value),
		    "false") != 0, "worker-debug-mode",
		    "DEBUG_MODE is not `false'");
	buf_wipe(&value);
}

static void
look_at_placeholders(const struct env *env)
{
	static const char *const keys[] = { "AGENT_ENDPOINT",
	    "AGENT_API_KEY" };
	const char *word;
	struct buf value;

	for (size_t i = 0; i < 2; i++) {
		word = get(env, keys[i], &value) ?
		    worker_env_placeholder(buf_cstr(&value)) : NULL;
		DOCTOR_JUDGE(env->at, env->path, word != NULL,
		    "worker-env-placeholder", "%s has `%s' in it", keys[i],
		    word);
		buf_wipe(&value);
	}
}

static int
count(void *ctx, const struct env_lint_row *row, struct err *err)
{
	struct env *env = ctx;

	(void)err;
	for (enum env_reader r = ENV_DOTENV; r < ENV_READERS; r++) {
		if (row->verdicts[r] == ENV_SAME)
			continue;
		if (env->n_differing++ == 0)
			env->first = mem_strdup(row->key);
		break;
	}
	return 0;
}

static void
look_at_dialects(struct env *env)
{
	struct env_lint_result result;
	struct err ignored = ERR_INIT;

	if (env_lint(buf_cstr(env->text), env->text->len, count, env,
	    &result, &ignored) == 0)
		DOCTOR_JUDGE(env->at, env->path, env->n_differing > 0,
		    "worker-env-dialect", "%zu keys, the first is %s",
		    env->n_differing, env->first);
	free(env->first);
	env->first = NULL;
}

static void
look_at_text(struct env *env)
{
	DOCTOR_JUDGE(env->at, env->path, env->text->len >= 3 &&
	    memcmp(env->text->data, "\xef\xbb\xbf", 3) == 0,
	    "worker-env-bom", "its first three bytes");
	look_at_debug(env);
	look_at_placeholders(env);
	DOCTOR_JUDGE(env->at, env->path, (has(env, "LETTA_API_ENDPOINT") &&
	    !has(env, "AGENT_ENDPOINT")) || (has(env, "LETTA_API_KEY") &&
	    !has(env, "AGENT_API_KEY")), "worker-env-names",
	    "LETTA_API_ENDPOINT or LETTA_API_KEY in place of AGENT_...");
	DOCTOR_JUDGE(env->at, env->path, has(env, "TELEGRAM_OWNER_ID") &&
	    has(env, "TELEGRAM_OWNER_USERNAME"), "worker-telegram-owner",
	    "both have a value");
	look_at_dialects(env);
}

/* A Letta on this very host can be asked for its Redis; no other can. */
static int
look_at_background(const struct env *env, struct err *err)
{
	struct buf on, endpoint;
	bool local, redis = false;
	int rc = 0;

	(void)get(env, "USE_BACKGROUND_PROCESSING", &on);
	(void)get(env, "AGENT_ENDPOINT", &endpoint);
	local = strstr(buf_cstr(&endpoint), "//127.0.0.1") ||
	    strstr(buf_cstr(&endpoint), "//localhost");
	if (local && strcasecmp(buf_cstr(&on), "false") != 0) {
		rc = host_connects(env->at->host, "127.0.0.1", REDIS_PORT,
		    &redis, err);
		if (rc == 0)
			DOCTOR_JUDGE(env->at, env->path, !redis,
			    "worker-background", "nobody listens at "
			    "127.0.0.1:%d", REDIS_PORT);
	}
	buf_wipe(&on);
	buf_wipe(&endpoint);
	return rc == 0 ? 0 : doctor_pass(env->at, "worker-background", err);
}

int
doctor_worker_env(const struct doctor_at *at, const struct worker_found *one,
    struct err *err)
{
	struct buf text;
	struct env env = { .at = at, .path = one->who.env_path,
	    .text = &text };
	int rc = 0;

	if (!env.path)
		return 0;
	buf_init_still(&text, DOTENV_MAX_BYTES);
	if (doctor_read(at, env.path, &text)) {
		look_at_text(&env);
		rc = look_at_background(&env, err);
	}
	buf_wipe(&text);
	return rc;
}
