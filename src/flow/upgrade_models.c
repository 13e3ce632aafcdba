#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "flow/port_owner.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_models.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

#define VALUES_MAX (64 * 1024)

#define USERS_SHOWN 5
#define USERS_MAX (1024 * 1024)

/* ModelSettings and Settings of Letta 0.11.3 to 0.16.8. */
static const char *const names[] = { "OPENAI_API_KEY", "OPENAI_API_BASE",
	"OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "AZURE_API_KEY",
	"AZURE_BASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GROQ_API_KEY",
	"TOGETHER_API_KEY", "DEEPSEEK_API_KEY", "MISTRAL_API_KEY",
	"OPENROUTER_API_KEY", "OLLAMA_BASE_URL", "VLLM_API_BASE",
	"LMSTUDIO_BASE_URL", "LETTA_ENCRYPTION_KEY", NULL };

/*
 * By what such a name begins with: its model_endpoint_type, and what a handle
 * of its models begins with.
 */
static const struct {
	const char *begins, *provider;
} providers[] = {
	{ "OPENAI_", "openai" }, { "ANTHROPIC_", "anthropic" },
	{ "AZURE_", "azure" }, { "AWS_", "bedrock" },
	{ "GEMINI_", "google_ai" }, { "GOOGLE_", "google_vertex" },
	{ "GROQ_", "groq" }, { "TOGETHER_", "together" },
	{ "DEEPSEEK_", "deepseek" }, { "MISTRAL_", "mistral" },
	{ "OPENROUTER_", "openrouter" }, { "OLLAMA_", "ollama" },
	{ "VLLM_", "vllm" }, { "LMSTUDIO_", "lmstudio" },
};

static bool
in_job(const struct conf_letta *letta, const char *name)
{
	for (size_t i = 0; i < letta->n_env; i++) {
		if (str_eq(letta->env[i].key, name))
			return true;
	}
	return false;
}

static int
in_file(const struct runtime_env *env, const char *name, bool *out,
    struct err *err)
{
	struct buf value;
	int rc;

	buf_init_still(&value, DOTENV_MAX_BYTES);
	rc = runtime_env_get(env, name, &value, out, err);
	buf_wipe(&value);
	return rc;
}

static int
compare(const struct upgrade *up, const struct runtime_env *env,
    const struct buf *values, struct buf *out, struct err *err)
{
	const char *at = buf_cstr(values), *end = at + values->len;
	char name[64];
	bool there;

	for (; at < end; at += strlen(at) + 1) {
		(void)snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(at, "="), at);
		if (in_job(up->conf->to, name))
			continue;
		if (in_file(env, name, &there, err) != 0)
			return -1;
		if (!there)
			buf_printf(out, "%s%s", out->len > 0 ? " " : "",
			    name);
	}
	return 0;
}

int
upgrade_models_lacking(const struct upgrade *up,
    const struct port_owner *owner, struct buf *out, struct err *err)
{
	const struct runtime rt = { .run = up->run, .letta = up->conf->to,
	    .host = up->host };
	struct runtime_env env = { 0 };
	struct buf values;
	int rc;

	buf_init_still(&values, VALUES_MAX);
	rc = host_process_env(up->host, owner->pid, owner->start, names,
	    &values, err);
	if (rc == 0)
		rc = runtime_env_read(&env, &rt, RUNTIME_ENV, err);
	if (rc == 0)
		rc = compare(up, &env, &values, out, err);
	runtime_env_clear(&env);
	buf_wipe(&values);
	return rc;
}

static const char *
provider_of(const char *name)
{
	for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++) {
		if (str_starts(name, providers[i].begins))
			return providers[i].provider;
	}
	return NULL;
}

/* Of lines "ID, tab, NAME". */
static void
add_users(const char *lines, struct buf *out)
{
	struct buf shown = BUF_INIT(USERS_MAX);
	size_t n = 0, len, id;

	for (; *lines; lines += len + (lines[len] == '\n')) {
		len = strcspn(lines, "\n");
		id = strcspn(lines, "\t");
		if (id >= len || ++n > USERS_SHOWN)
			continue;
		buf_str(&shown, n > 1 ? ", " : "");
		str_printable(&shown, lines + id + 1, len - id - 1);
		buf_str(&shown, " (");
		str_printable(&shown, lines, id);
		buf_char(&shown, ')');
	}
	if (n > 0)
		buf_printf(out, "%zu agent%s: %s%s", n, n == 1 ? "" : "s",
		    buf_cstr(&shown), n > USERS_SHOWN ? ", and more" : "");
	buf_clear(&shown);
}

void
upgrade_models_users(struct postgres *pg, const char *name, struct buf *out)
{
	static const char sql[] =
	    "SELECT id, translate(name, E'\\t\\n\\r', '   ') FROM "
	    "public.agents WHERE '%s' IN (llm_config->>'model_endpoint_type', "
	    "split_part(llm_config->>'handle', '/', 1), "
	    "embedding_config->>'embedding_endpoint_type', "
	    "split_part(embedding_config->>'handle', '/', 1)) ORDER BY 2, 1;";
	const char *provider = provider_of(name);
	struct buf text = BUF_INIT(1024), lines = BUF_INIT(USERS_MAX);
	struct err ignored = ERR_INIT;

	if (!provider)
		return;
	buf_printf(&text, sql, provider);
	if (postgres_ask(pg, NULL, buf_cstr(&text), &lines, &ignored) == 0)
		add_users(buf_cstr(&lines), out);
	err_clear(&ignored);
	buf_clear(&lines);
	buf_clear(&text);
}
