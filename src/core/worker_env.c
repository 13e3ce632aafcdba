#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/env_dialect.h"
#include "core/shell_env.h"
#include "core/worker.h"
#include "core/worker_env.h"

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

#define N_KEYS (sizeof(env_keys) / sizeof(*env_keys))

static bool
is_of_table(const char *key)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (str_eq(env_keys[i].key, key))
			return true;
	}
	return false;
}

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

static const struct worker_env_extra *
find_extra(const struct worker_env *env, const char *key, const char *tree)
{
	const struct worker_env_extra *found = NULL, *e = env->extras;

	for (; e < env->extras + env->n_extras; e++) {
		if (!str_eq(e->key, key))
			continue;
		if (e->tree && tree && str_eq(e->tree, tree))
			return e;
		if (!e->tree)
			found = e;
	}
	return found;
}

static int
refuse_hidden(const struct buf *text, const char *path, const char *key,
    struct err *err)
{
	size_t line = dotenv_hidden(buf_cstr(text), text->len, key);

	if (line == 0)
		return 0;
	return err_set(err, ERR_DATA, "%s:%zu: what looks like an assignment "
	    "of %s lies inside another value (a quote that is not closed "
	    "above it?); make it a line of its own, or remove it", path,
	    line, key);
}

/* Those that read the file as it was, and do not read this as it is meant. */
static void
note_readers(const struct buf *before, const char *key, unsigned int bits,
    struct worker_env_result *result)
{
	struct env_reading *r;
	size_t line;

	for (enum env_reader e = ENV_SH; e < ENV_READERS && bits; e++) {
		if (!(bits & (1u << e)))
			continue;
		r = env_dialect_read(e, buf_cstr(before), before->len);
		if (!env_dialect_refusal(r, &line)) {
			result->disagree |= 1u << e;
			if (!result->disagree_key)
				result->disagree_key = key;
		}
		env_reading_free(r);
	}
}

static int
set_key(struct buf *text, const char *path, const char *key,
    const char *value, struct worker_env_result *result, struct err *err)
{
	struct buf before;
	unsigned int bits = 0;
	int rc;

	buf_init_still(&before, text->len);
	buf_add(&before, buf_cstr(text), text->len);
	rc = dotenv_set(text, path, key, value, &bits, err);
	if (rc == 0) {
		note_readers(&before, key, bits, result);
		result->changed++;
	}
	buf_wipe(&before);
	return rc;
}

/* value NULL: there is none, and an old one must not stay. */
static int
edit_key(struct buf *text, const char *path, const char *key,
    const char *value, const struct worker_env *env,
    struct worker_env_result *result, struct err *err)
{
	size_t count = dotenv_assigns(buf_cstr(text), text->len, key);
	bool same = false;

	if (refuse_hidden(text, path, key, err) != 0)
		return -1;
	if (count == 0)
		return 0;
	if (!value)
		return refuse_old_token(text, path, key, env, err);
	if (count == 1 && reads_as(text, key, value, &same, err) != 0)
		return err_ctx(err, "%s", path);
	return same ? 0 : set_key(text, path, key, value, result, err);
}

static int
edit_keys(struct buf *text, const char *path, const char *tree,
    const struct worker_env *env, struct worker_env_result *result,
    struct err *err)
{
	const struct worker_env_extra *extra;

	for (size_t i = 0; i < N_KEYS; i++) {
		if (find_extra(env, env_keys[i].key, tree))
			continue;
		if (edit_key(text, path, env_keys[i].key,
		    env_value(env, env_keys[i].value), env, result, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < env->n_extras; i++) {
		extra = find_extra(env, env->extras[i].key, tree);
		if (extra == &env->extras[i] && edit_key(text, path,
		    extra->key, extra->value, env, result, err) != 0)
			return -1;
	}
	return 0;
}

int
worker_env_edit(struct buf *text, const char *path, const char *tree,
    const struct worker_env *env, struct worker_env_result *result,
    struct err *err)
{
	struct buf edited = BUF_INIT(text->max);
	int rc;

	if (text->len == 0)
		return 0;
	if (refuse_moved_db(text, path, err) != 0)
		return -1;
	result->names_agent |=
	    dotenv_assigns(text->data, text->len, "AGENT_ID") > 0;

	/* All keys or none: work on a copy. */
	buf_add(&edited, text->data, text->len);
	rc = edit_keys(&edited, path, tree, env, result, err);
	if (rc == 0)
		rc = buf_check(&edited, path, err);
	if (rc == 0) {
		buf_wipe(text);
		*text = edited;
	} else
		buf_wipe(&edited);
	return rc;
}

int
worker_env_script(struct buf *text, const char *path,
    const struct worker_env *env, struct worker_env_result *result,
    struct err *err)
{
	const struct worker_env_extra *extra;
	const char *key, *value;

	for (size_t i = 0; i < N_KEYS; i++) {
		key = env_keys[i].key;
		extra = find_extra(env, key, NULL);
		value = extra ? extra->value :
		    env_value(env, env_keys[i].value);
		if (shell_env_set(text, path, key, value, &result->changed,
		    err) != 0)
			return -1;
	}
	for (size_t i = 0; i < env->n_extras; i++) {
		extra = &env->extras[i];
		if (!extra->tree && !is_of_table(extra->key) &&
		    shell_env_set(text, path, extra->key, extra->value,
		    &result->changed, err) != 0)
			return -1;
	}
	return 0;
}

int
worker_env_add(struct buf *text, const char *path,
    const struct worker_env_extra *extra, struct worker_env_result *result,
    struct err *err)
{
	if (refuse_hidden(text, path, extra->key, err) != 0)
		return -1;
	return set_key(text, path, extra->key, extra->value, result, err);
}

/* What load_dotenv gives; "" when it is not there. */
static int
get(const char *text, size_t len, const char *path, const char *key,
    struct buf *out, struct err *err)
{
	enum dotenv_found found;

	buf_init_still(out, 65536);
	if (dotenv_get(text, len, key, NULL, out, &found, err) != 0)
		return err_ctx(err, "%s", path);
	return 0;
}

/* Broca's own list; it looks for them anywhere, in any case. */
const char *
worker_env_placeholder(const char *value)
{
	static const char *const words[] = { "your_", "your-", "_here",
	    "-here", "placeholder", "changeme", "example", "test_", "test-",
	    NULL };

	for (size_t i = 0; words[i]; i++) {
		if (strcasestr(value, words[i]))
			return words[i];
	}
	return strcasecmp(value, "localhost") == 0 ? "localhost" : NULL;
}

static int
refuse_placeholders(const char *text, size_t len, const char *path,
    struct err *err)
{
	static const char *const keys[] = { "AGENT_ENDPOINT",
	    "AGENT_API_KEY" };
	const char *word;
	struct buf value;
	int rc = 0;

	for (size_t i = 0; i < 2 && rc == 0; i++) {
		rc = get(text, len, path, keys[i], &value, err);
		word = rc == 0 ? worker_env_placeholder(buf_cstr(&value)) :
		    NULL;
		if (word)
			rc = err_set(err, ERR_DATA, "%s: the value of %s "
			    "would have `%s' in it, which Broca takes for a "
			    "placeholder: it would end at its start; give "
			    "the server another name, or another token",
			    path, keys[i], word);
		buf_wipe(&value);
	}
	return rc;
}

static int
refuse_debug(const char *text, size_t len, const char *path,
    const struct worker_env *env, struct err *err)
{
	struct buf value;
	int rc = get(text, len, path, "DEBUG_MODE", &value, err);

	if (rc == 0 && strcasecmp(buf_cstr(&value), "false") != 0)
		rc = err_set(err, ERR_DATA, "%s: DEBUG_MODE is %s: Broca "
		    "would send every message back to its sender as the "
		    "answer; put DEBUG_MODE = false into [env %s]", path,
		    value.len == 0 ? "not given, which is on" :
		    "not `false'", env->name);
	buf_wipe(&value);
	return rc;
}

static int
refuse_two_owners(const char *text, size_t len, const char *path,
    struct err *err)
{
	struct buf id, name = BUF_INIT(0);
	int rc = get(text, len, path, "TELEGRAM_OWNER_ID", &id, err);

	if (rc == 0)
		rc = get(text, len, path, "TELEGRAM_OWNER_USERNAME", &name,
		    err);
	if (rc == 0 && id.len > 0 && name.len > 0)
		rc = err_set(err, ERR_DATA, "%s: TELEGRAM_OWNER_ID and "
		    "TELEGRAM_OWNER_USERNAME are both given: Broca takes one "
		    "of them alone, and its Telegram channel would not "
		    "start; empty one of them", path);
	buf_wipe(&id);
	buf_wipe(&name);
	return rc;
}

int
worker_env_guard(const char *text, size_t len, const char *path,
    const struct worker_env *env, bool *background, struct err *err)
{
	struct buf value;
	int rc;

	if (refuse_debug(text, len, path, env, err) != 0 ||
	    refuse_placeholders(text, len, path, err) != 0 ||
	    refuse_two_owners(text, len, path, err) != 0)
		return -1;
	rc = get(text, len, path, "USE_BACKGROUND_PROCESSING", &value, err);
	*background = strcasecmp(buf_cstr(&value), "false") != 0;
	buf_wipe(&value);
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
