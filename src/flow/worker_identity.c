#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/dotenv.h"
#include "core/jdoc.h"
#include "flow/worker_identity.h"
#include "flow/worker_live.h"
#include "io/host.h"

#define SETTINGS_MAX (256 * 1024)

static const char *const names[] = { "AGENT_ID", "AGENT_ENDPOINT",
	"LETTA_AGENT_ID", "LETTA_SERVER_URL", "DB_PATH", "TEST_DB_PATH",
	"DEBUG_MODE", "TELEGRAM_BOT_TOKEN", NULL };

struct look {
	struct host *host;
	struct buf text;	/* of the effective .env */
	struct buf environ;	/* "NAME=value" and a NUL each */
	bool is_smcp;
};

static const char *
get(void *ctx, const char *name)
{
	const struct buf *started = ctx;
	size_t len = strlen(name);

	for (size_t at = 0; at < started->len;
	    at += strlen(started->data + at) + 1) {
		if (strncmp(started->data + at, name, len) == 0 &&
		    started->data[at + len] == '=')
			return started->data + at + len + 1;
	}
	return NULL;
}

/* The nearest .env; a directory of that name is passed over. */
static int
find_env(struct look *look, const char *dir, struct worker_identity *out,
    struct err *err)
{
	char *at = mem_strdup(dir), *path, *slash;
	struct err failed = ERR_INIT;
	int rc = -1;

	while (rc != 0 && !out->env_unreadable) {
		path = mem_printf("%s/.env", str_eq(at, "/") ? "" : at);
		rc = host_read(look->host, path, &look->text, NULL, &failed);
		if (rc == 0 || (failed.kind != ERR_MISSING &&
		    failed.kind != ERR_DATA)) {
			out->env_path = mem_strdup(path);
			out->env_above = !str_eq(at, dir);
			out->env_unreadable = rc != 0;
		}
		free(path);
		slash = strrchr(at, '/');
		if (str_eq(at, "/"))
			break;
		slash[slash == at] = '\0';
	}
	free(at);
	if (failed.kind == ERR_UNREACHABLE || failed.kind == ERR_INTERRUPTED) {
		*err = failed;
		return -1;
	}
	return 0;
}

/* The value as the process has it, or NULL. */
static char *
value_of(struct look *look, const char *name)
{
	const struct dotenv_env env = { get, &look->environ };
	struct buf value;
	enum dotenv_found found = DOTENV_ABSENT;
	struct err ignored = ERR_INIT;
	const char *own = get(&look->environ, name);
	char *text = NULL;

	if (own || look->is_smcp)
		return own ? mem_strdup(own) : NULL;
	buf_init_still(&value, DOTENV_MAX_BYTES);
	if (dotenv_get(buf_cstr(&look->text), look->text.len, name, &env,
	    &value, &found, &ignored) == 0 && found == DOTENV_VALUE)
		text = mem_strdup(buf_cstr(&value));
	buf_wipe(&value);
	return text;
}

/* A bot_token in settings.json takes the place of the variable. */
static char *
token_of_settings(struct look *look, const char *cwd)
{
	struct buf text = BUF_INIT(SETTINGS_MAX);
	char *path = mem_printf("%s/settings.json", cwd), *token = NULL;
	struct err ignored = ERR_INIT;
	const struct jdoc *bot;
	struct jdoc *doc = NULL;
	const char *found;

	if (host_read(look->host, path, &text, NULL, &ignored) == 0)
		doc = jdoc_parse(buf_cstr(&text), text.len, &ignored);
	bot = doc && jdoc_get(doc, "plugins") ?
	    jdoc_get(jdoc_get(doc, "plugins"), "telegram_bot") : NULL;
	found = bot ? jdoc_get_str(bot, "bot_token") : NULL;
	if (found && *found)
		token = mem_strdup(found);
	jdoc_free(doc);
	buf_wipe(&text);
	free(path);
	return token;
}

static int
take_token(struct look *look, const char *cwd, struct worker_identity *out,
    struct err *err)
{
	char *token = token_of_settings(look, cwd);
	struct hash *hash;
	int rc = -1;

	if (!token)
		token = value_of(look, "TELEGRAM_BOT_TOKEN");
	if (!token || !*token) {
		free(token);
		return 0;
	}
	hash = hash_new(err);
	if (hash) {
		hash_add(hash, token, strlen(token));
		rc = hash_end(hash, out->token, err);
	}
	hash_free(hash);
	explicit_bzero(token, strlen(token));
	free(token);
	out->has_token = rc == 0;
	return rc;
}

static void
take_names(struct look *look, struct worker_identity *out)
{
	char *debug = value_of(look, "DEBUG_MODE"), *agent;

	out->agent_id = value_of(look, look->is_smcp ? "LETTA_AGENT_ID" :
	    "AGENT_ID");
	out->endpoint = value_of(look, look->is_smcp ? "LETTA_SERVER_URL" :
	    "AGENT_ENDPOINT");
	out->database = value_of(look, "TEST_DB_PATH");
	if (!out->database)
		out->database = value_of(look, "DB_PATH");
	out->debug_set = debug != NULL;
	free(debug);
	/* Does the file alone say another agent? */
	buf_wipe(&look->environ);
	agent = value_of(look, "AGENT_ID");
	out->process_wins = !look->is_smcp && agent && out->agent_id &&
	    !str_eq(agent, out->agent_id);
	free(agent);
}

int
worker_identity_read(struct host *host, const char *dir, const char *script,
    const struct worker_live *live, struct worker_identity *out,
    struct err *err)
{
	struct look look = { .host = host, .is_smcp = str_eq(script,
	    "smcp.py") };
	struct err gone = ERR_INIT;
	int rc;

	*out = (struct worker_identity){ 0 };
	buf_init_still(&look.text, DOTENV_MAX_BYTES);
	buf_init_still(&look.environ, 128 * 1024);
	if (live && host_process_env(host, live->pid, live->start, names,
	    &look.environ, &gone) != 0)
		buf_wipe(&look.environ);
	rc = look.is_smcp ? 0 : find_env(&look, dir, out, err);
	if (rc == 0 && !look.is_smcp)
		rc = take_token(&look, live ? live->cwd : dir, out, err);
	if (rc == 0)
		take_names(&look, out);
	buf_wipe(&look.text);
	buf_wipe(&look.environ);
	if (rc != 0)
		worker_identity_clear(out);
	return rc;
}

void
worker_identity_clear(struct worker_identity *who)
{
	free(who->env_path);
	free(who->agent_id);
	free(who->endpoint);
	free(who->database);
	*who = (struct worker_identity){ 0 };
}

bool
worker_identity_same_token(const struct worker_identity *a,
    const struct worker_identity *b)
{
	return a->has_token && b->has_token &&
	    memcmp(a->token, b->token, HASH_SIZE) == 0;
}

bool
worker_identity_same_agent(const struct worker_identity *a,
    const struct worker_identity *b)
{
	return a->agent_id && b->agent_id && *a->agent_id &&
	    str_eq(a->agent_id, b->agent_id);
}
