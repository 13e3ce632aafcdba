#include "base/base.h"

#include <fnmatch.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/worker.h"

/* The first is left out of the list when it is carried. */
static const char *const exclude[] = {
	/* may hold tokens in remote URLs, and files that were taken back */
	".git",
	/* not carried: they must be made anew there */
	"venv", ".venv", "node_modules",
	"__pycache__", "*.pyc", ".pytest_cache", ".ruff_cache",
	".mypy_cache", "htmlcov", ".coverage", "tmp", "temp",
	/* of a process that does not run there */
	"*.pid", "broca/run/*.lock", "broca/run/*.log", "*.log", "*.log.[0-9]",
	"logs",
	/*
	 * Written 0600 with their new values, never copied: at the source
	 * others may be able to read them.
	 */
	"/.env", "/*/.env",
	/* stale secrets; .env.example is code, so it is spelled around */
	".env.[!e]*", ".env.e", ".env.e[!x]*", ".env.ex", ".env.ex[!a]*",
	".env.exa[!m]*", ".env[-_~]*", "*.bak", "*.backup",
	/* logins that are bound to one client at a time */
	"*.session", "*.session-journal", "telegram_session_*.json",
	/* a crash dump; runtime/core is code, so the whole path is said */
	"broca/core",
	/* snapshotted, never copied */
	"broca/sanctum.db", "broca/sanctum.db-*",
	/* ours */
	".sanctumctl-*",
	NULL
};

const char *const *
worker_exclude(bool git)
{
	return git ? exclude + 1 : exclude;
}

bool
worker_leaves(const char *path, bool git)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	for (const char *const *p = worker_exclude(git); *p; p++) {
		if (strchr(*p, '/') ?
		    fnmatch(*p + (**p == '/'), path, FNM_PATHNAME) == 0 :
		    fnmatch(*p, last, 0) == 0)
			return true;
	}
	return false;
}

/* What a key of a .env file holds. */
enum env_value {
	ENV_AGENT_ID,
	ENV_URL,
	ENV_TOKEN
};

static const struct {
	const char *key;
	enum env_value value;
} env_keys[] = {
	{ "AGENT_ID", ENV_AGENT_ID },
	{ "LETTA_AGENT_ID", ENV_AGENT_ID },
	{ "AGENT_ENDPOINT", ENV_URL },
	{ "LETTA_SERVER_URL", ENV_URL },
	{ "AGENT_API_KEY", ENV_TOKEN },
	{ "LETTA_API_KEY", ENV_TOKEN },
	{ "LETTA_SERVER_PASSWORD", ENV_TOKEN },
};

static const char *
env_value(const struct worker_env *env, enum env_value value)
{
	switch (value) {
	case ENV_AGENT_ID:
		return env->agent_id;
	case ENV_URL:
		return env->url;
	case ENV_TOKEN:
		return env->token ? secret_bytes(env->token) : NULL;
	}
	return NULL;
}

static int
refuse_moved_db(const struct buf *text, const char *path, struct err *err)
{
	static const char *const keys[] = { "DB_PATH", "TEST_DB_PATH" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (dotenv_assigns(text->data, text->len, keys[i]) > 0)
			return err_set(err, ERR_DATA, "%s: %s puts Broca's "
			    "database elsewhere than " WORKER_DB ", where it "
			    "would be left behind; remove the key and move "
			    "the file first", path, keys[i]);
	}
	return 0;
}

/* Whether key reads as value already, so that the file need not change. */
static int
reads_as(const struct buf *text, const char *key, const char *value,
    bool *same, struct err *err)
{
	struct buf now = BUF_INIT(65536);
	enum dotenv_found found;
	int rc;

	rc = dotenv_get(text->data, text->len, key, NULL, &now, &found, err);
	*same = rc == 0 && found == DOTENV_VALUE &&
	    str_eq(buf_cstr(&now), value);
	buf_wipe(&now);
	return rc;
}

/* An empty value is no secret, and neither is KEY alone. */
static int
refuse_old_token(const struct buf *text, const char *path, const char *key,
    const struct worker_env *env, struct err *err)
{
	struct buf now = BUF_INIT(65536);
	enum dotenv_found found;
	int rc;

	rc = dotenv_get(text->data, text->len, key, NULL, &now, &found, err);
	if (rc != 0)
		(void)err_ctx(err, "%s", path);
	else if (found == DOTENV_VALUE && now.len > 0)
		rc = err_set(err, ERR_DATA, "%s: %s is assigned, and [letta "
		    "%s] has no token: the worker would send the token of "
		    "the old server to the new one; give `token =' in [letta "
		    "%s], or remove the key", path, key, env->server,
		    env->server);
	buf_wipe(&now);
	return rc;
}

static int
edit_keys(struct buf *text, const char *path, const struct worker_env *env,
    struct worker_env_result *result, struct err *err)
{
	const char *key, *value;
	size_t count, line;
	bool same;

	for (size_t i = 0; i < sizeof(env_keys) / sizeof(*env_keys); i++) {
		key = env_keys[i].key;
		value = env_value(env, env_keys[i].value);
		line = dotenv_hidden(buf_cstr(text), text->len, key);
		if (line > 0)
			return err_set(err, ERR_DATA, "%s:%zu: what looks "
			    "like an assignment of %s lies inside another "
			    "value (a quote that is not closed above it?); "
			    "make it a line of its own, or remove it", path,
			    line, key);
		count = dotenv_assigns(text->data, text->len, key);
		if (str_eq(key, "AGENT_ID"))
			result->names_agent = count > 0;
		if (count > 0 && !value &&
		    refuse_old_token(text, path, key, env, err) != 0)
			return -1;
		if (count == 0 || !value)
			continue;
		if (count == 1 &&
		    reads_as(text, key, value, &same, err) != 0)
			return err_ctx(err, "%s", path);
		if (count == 1 && same)
			continue;
		if (dotenv_set(text, path, key, value, NULL, err) != 0)
			return -1;
		result->changed++;
	}
	return 0;
}

int
worker_env_edit(struct buf *text, const char *path,
    const struct worker_env *env, struct worker_env_result *result,
    struct err *err)
{
	struct buf edited = BUF_INIT(text->max);
	int rc;

	*result = (struct worker_env_result){ 0 };
	if (text->len == 0)
		return 0;
	if (refuse_moved_db(text, path, err) != 0)
		return -1;

	/* All keys or none: work on a copy. */
	buf_add(&edited, text->data, text->len);
	rc = edit_keys(&edited, path, env, result, err);
	if (rc == 0)
		rc = buf_check(&edited, path, err);
	if (rc == 0) {
		buf_wipe(text);
		*text = edited;
	} else
		buf_wipe(&edited);
	return rc;
}

const char *const *
worker_env_shown(void)
{
	static const char *const shown[] = {
		"AGENT_ID", "LETTA_AGENT_ID", "AGENT_ENDPOINT",
		"LETTA_SERVER_URL", "DEBUG_MODE", NULL
	};

	return shown;
}
