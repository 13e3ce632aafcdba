#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_env.h"
#include "core/conf_section.h"
#include "core/conf_value.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
	"0123456789_"

bool
conf_env_is_key(const char *key)
{
	size_t n = strspn(key, NAME_CHARS);

	if (n == 0 || strchr("0123456789", key[0]))
		return false;
	if (key[n] == '\0')
		return true;
	return key[n] == '@' && key[n + 1] != '\0' &&
	    key[n + 1 + strspn(key + n + 1, NAME_CHARS)] == '\0';
}

/* What other keys of the job give, and what would leave data behind. */
static const char *
check_key(const char *key)
{
	if (str_eq(key, "AGENT_ID") || str_eq(key, "LETTA_AGENT_ID"))
		return "is given by `agent' of the worker";
	if (str_eq(key, "DB_PATH") || str_eq(key, "TEST_DB_PATH"))
		return "would have Broca open another database than the one "
		    "that is carried";
	return NULL;
}

static bool
is_secret(const char *key)
{
	static const char *const words[] = { "TOKEN", "PASSWORD", "SECRET",
	    "API_KEY", "API_HASH", "SESSION_STRING", NULL };

	for (size_t i = 0; words[i]; i++) {
		if (strstr(key, words[i]))
			return true;
	}
	return false;
}

static bool
is_reference(const char *value)
{
	return str_starts(value, "env:") || str_starts(value, "file:") ||
	    str_starts(value, "cmd:");
}

static const char *
check(const struct conf_env *env, const char *value)
{
	const char *wrong = check_key(env->key);

	if (wrong)
		return wrong;
	if (env->tree && !str_eq(env->tree, "broca") &&
	    !str_eq(env->tree, "smcp") && !str_eq(env->tree, "otto"))
		return "names no tree behind `@': broca, smcp or otto";
	if (is_reference(value))
		return conf_value_secret(value);
	if (is_secret(env->key))
		return "looks like a secret and is given as plain text: write "
		    "env:NAME, file:PATH or cmd:PROGRAM";
	return strstr(value, "${") ? "holds \"${\", which a .env has no "
	    "escape for" : NULL;
}

/* What is given before in this section, by the whole word. */
static int
given_before(const struct conf *conf, const struct conf_section *section,
    const struct conf_env *env)
{
	const struct conf_env *e = conf->envs + section->index;

	for (; e < conf->envs + conf->n_envs; e++) {
		if (str_eq(e->key, env->key) && (e->tree && env->tree ?
		    str_eq(e->tree, env->tree) : !e->tree && !env->tree))
			return e->line;
	}
	return 0;
}

int
conf_env_add(struct conf_doc *doc, struct conf_section *section, int line,
    const char *key, const char *value, struct err *err)
{
	struct conf *conf = doc->conf;
	char *owned = mem_strdup(key), *at = strchr(owned, '@');
	struct conf_env env = { .line = line, .key = owned };
	const char *wrong;
	int before;

	if (at) {
		*at = '\0';
		env.tree = at + 1;
	}
	wrong = check(&env, value);
	before = given_before(conf, section, &env);
	if (wrong || before > 0) {
		(void)(wrong ? conf_section_fail(doc->path, line, err,
		    "`%s' in [%s] %s", key, section->label, wrong) :
		    conf_section_fail(doc->path, line, err, "`%s' in [%s] is "
		    "given twice, first in line %d", key, section->label,
		    before));
		free(owned);
		return -1;
	}
	if (is_reference(value)) {
		env.secret.ref = mem_strdup(value);
		env.secret.line = line;
	} else
		env.value = mem_strdup(value);
	conf->envs = mem_grow(conf->envs, conf->n_envs + 1,
	    sizeof(*conf->envs));
	conf->envs[conf->n_envs++] = env;
	section->n_env++;
	return 0;
}

/* Whether the file has a section of that type and name. */
static bool
has_section(const struct conf_doc *doc, enum conf_type_id type,
    const char *name)
{
	for (size_t i = 0; i < doc->n_sections; i++) {
		if (conf_section_type(&doc->sections[i]) == type &&
		    str_eq(doc->sections[i].name, name))
			return true;
	}
	return false;
}

/* A server has one environment, and no trees. */
static int
fill_letta(struct conf_doc *doc, struct conf_section *section,
    struct err *err)
{
	const struct conf_letta *found = conf_section_refer(doc, section,
	    "env", section->line, CONF_TYPE_LETTA, section->name, err);
	const struct conf_env *env = doc->conf->envs + section->index;
	struct conf_letta *letta;

	if (!found)
		return -1;
	for (size_t i = 0; i < section->n_env; i++) {
		if (env[i].tree)
			return conf_section_fail(doc->path, env[i].line, err,
			    "`%s@%s' in [%s]: a server has no trees",
			    env[i].key, env[i].tree, section->label);
	}
	letta = &doc->conf->lettas[found - doc->conf->lettas];
	letta->env = env;
	letta->n_env = section->n_env;
	return 0;
}

static int
fill_worker(struct conf_doc *doc, struct conf_section *section,
    struct err *err)
{
	const struct conf_worker *found = conf_section_refer(doc, section,
	    "env", section->line, CONF_TYPE_WORKER, section->name, err);
	struct conf_worker *worker;

	if (!found)
		return -1;
	worker = &doc->conf->workers[found - doc->conf->workers];
	worker->env = doc->conf->envs + section->index;
	worker->n_env = section->n_env;
	return 0;
}

int
conf_env_fill(struct conf_doc *doc, struct conf_section *section,
    struct err *err)
{
	bool letta = has_section(doc, CONF_TYPE_LETTA, section->name);

	if (letta && has_section(doc, CONF_TYPE_WORKER, section->name))
		return conf_section_fail(doc->path, section->line, err,
		    "[%s] could be of [letta %s] or of [worker %s]: give one "
		    "of them another name", section->label, section->name,
		    section->name);
	return letta ? fill_letta(doc, section, err) :
	    fill_worker(doc, section, err);
}
