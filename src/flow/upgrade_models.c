#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/dotenv.h"
#include "flow/port_owner.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_env.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_models.h"
#include "flow/upgrade_part.h"
#include "io/host.h"

#define VALUES_MAX (64 * 1024)

/* ModelSettings and Settings of Letta 0.11.3 to 0.16.8. */
static const char *const names[] = { "OPENAI_API_KEY", "OPENAI_API_BASE",
	"OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "AZURE_API_KEY",
	"AZURE_BASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GROQ_API_KEY",
	"TOGETHER_API_KEY", "DEEPSEEK_API_KEY", "MISTRAL_API_KEY",
	"OPENROUTER_API_KEY", "OLLAMA_BASE_URL", "VLLM_API_BASE",
	"LMSTUDIO_BASE_URL", "LETTA_ENCRYPTION_KEY", NULL };

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
