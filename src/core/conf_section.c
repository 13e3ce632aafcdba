#include "base/base.h"

#include <stdarg.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_env.h"
#include "core/conf_section.h"
#include "core/conf_set.h"
#include "core/conf_value.h"

struct conf_key {
	const char *name;
	int (*set)(const struct conf_place *, struct err *);
	size_t field, path_field;	/* as in struct conf_place */
	const char *(*check)(const char *);
	const char *const *words;
	bool required;
};

struct conf_type {
	const char *word;
	enum conf_type_id id;
	struct conf_key keys[CONF_KEYS_MAX];
};

#define FIELD(type, member) .field = offsetof(struct type, member)
#define TEXT(type, member, checker) \
	.set = conf_set_text, FIELD(type, member), \
	.check = conf_value_##checker
#define HOST_PATH(member) \
	.set = conf_set_host_path, FIELD(conf_worker, member##_host), \
	.path_field = offsetof(struct conf_worker, member##_path)
#define WORD(type, member, list) \
	.set = conf_set_word, FIELD(type, member), .words = list
#define SECONDS(type, member) .set = conf_set_seconds, FIELD(type, member)
#define YES_NO(type, member) .set = conf_set_yes_no, FIELD(type, member)
#define SECRET(type, member) .set = conf_set_secret, FIELD(type, member)
#define REQUIRED .required = true

/* In the order of enum conf_tools, conf_tool_errors and conf_rejects. */
static const char *const tools_words[] = { "stop", "override", "keep", NULL };
static const char *const tool_errors_words[] = { "failed", "neutral", NULL };
static const char *const rejects_words[] = { "stop", "accept", NULL };
/* In the order of the enums of these names in core/conf.h. */
static const char *const transport_words[] = { "libssh2", "openssh", NULL };
static const char *const supervisor_words[] = { "auto", "none", "systemd",
    "cron", "supervisord", NULL };
static const char *const runtime_words[] = { "there", "venv", "compose",
    NULL };
static const char *const installer_words[] = { "auto", "uv", "pip", NULL };
static const char *const packages_words[] = { "install", "check", NULL };
static const char *const venv_words[] = { "rebuild", "skip", NULL };
static const char *const rehearse_words[] = { "auto", "yes", "no", NULL };
static const char *const switch_words[] = { "auto", "manual", NULL };

static const struct conf_type types[CONF_TYPES] = {
	{ "job", CONF_TYPE_JOB, {
		{ "kind", conf_set_kind, REQUIRED },
		{ "name", TEXT(conf, name, job_name) },
		{ "switch", .set = conf_set_switch, .words = switch_words },
		{ "max_freeze", SECONDS(conf, max_freeze) },
		{ "templates", TEXT(conf, templates, path) },
		{ "break_glass", YES_NO(conf, break_glass) },
	} },
	{ "host", CONF_TYPE_HOST, {
		{ "address", TEXT(conf_host, address, address), REQUIRED },
		{ "port", conf_set_port, FIELD(conf_host, port) },
		{ "user", TEXT(conf_host, user, user) },
		{ "host_key", TEXT(conf_host, host_key, host_key) },
		{ "identity_file", TEXT(conf_host, identity_file, path) },
		{ "user_known_hosts_file",
		    TEXT(conf_host, user_known_hosts_file, path) },
		{ "transport", WORD(conf_host, transport, transport_words) },
		{ "silence", SECONDS(conf_host, silence) },
		{ "packages", WORD(conf_host, packages, packages_words) },
	} },
	{ "letta", CONF_TYPE_LETTA, {
		{ "url", conf_set_base_url, FIELD(conf_letta, url) },
		{ "host", conf_set_host, FIELD(conf_letta, host) },
		{ "version", .set = conf_set_version },
		{ "port", conf_set_port, FIELD(conf_letta, port) },
		{ "ca_file", TEXT(conf_letta, ca_file, path) },
		{ "token", SECRET(conf_letta, token) },
		{ "runtime", WORD(conf_letta, runtime, runtime_words) },
		{ "installer", WORD(conf_letta, installer, installer_words) },
		{ "requirements", TEXT(conf_letta, requirements, path) },
		{ "database", SECRET(conf_letta, database) },
		{ "redis", TEXT(conf_letta, redis, redis) },
		{ "image", TEXT(conf_letta, image, image) },
		{ "service", TEXT(conf_letta, service, service) },
		{ "compose", TEXT(conf_letta, compose, path) },
		{ "compose_database", TEXT(conf_letta, compose_database,
		    service) },
		{ "database_admin", SECRET(conf_letta, database_admin) },
	} },
	{ "edge", CONF_TYPE_EDGE, {
		{ "site", TEXT(conf_edge, site, dns), REQUIRED },
		{ "ade", .set = conf_set_ade },
		{ "acme_email", TEXT(conf_edge, acme_email, email), REQUIRED },
		{ "acme_server", conf_set_url, FIELD(conf_edge, acme_server) },
		{ "acme_ca_file", TEXT(conf_edge, acme_ca_file, path) },
		{ "ca_file", TEXT(conf_edge, ca_file, path) },
		{ "connect_to", TEXT(conf_edge, connect_to, address) },
		{ "cors", TEXT(conf_edge, cors, origins) },
		{ "ade_allow", TEXT(conf_edge, ade_allow, networks) },
		{ "ade_auth", SECRET(conf_edge, ade_auth) },
		{ "mcp", TEXT(conf_edge, mcp, mcp_routes) },
		{ "static", TEXT(conf_edge, static_root, path) },
		{ "acme_staging", TEXT(conf_edge, acme_staging,
		    acme_staging) },
		{ "acme_command", TEXT(conf_edge, acme_command, argv) },
		{ "certificate", TEXT(conf_edge, certificate, path) },
		{ "certificate_key", TEXT(conf_edge, certificate_key, path) },
		{ "certificate_from", conf_set_host,
		    FIELD(conf_edge, certificate_from) },
	} },
	{ "agent", CONF_TYPE_AGENT, {
		{ "from", conf_set_agent_from, REQUIRED },
		{ "to", conf_set_letta, FIELD(conf_agent, to), REQUIRED },
		{ "name", TEXT(conf_agent, target_name, agent_name) },
		{ "tools", WORD(conf_agent, tools, tools_words) },
		{ "tool_errors", WORD(conf_agent, tool_errors,
		    tool_errors_words) },
		{ "rejects", WORD(conf_agent, rejects, rejects_words) },
		{ "raw_read", YES_NO(conf_agent, raw_read) },
		{ "live_check", YES_NO(conf_agent, live_check) },
		{ "model", TEXT(conf_agent, model, handle) },
		{ "embedding", TEXT(conf_agent, embedding, handle) },
	} },
	{ "worker", CONF_TYPE_WORKER, {
		{ "agent", conf_set_worker_agent, REQUIRED },
		{ "server", conf_set_letta, FIELD(conf_worker, server) },
		{ "from", HOST_PATH(from), REQUIRED },
		{ "to", HOST_PATH(to), REQUIRED },
		{ "trees", .set = conf_set_trees },
		{ "from_server", conf_set_letta,
		    FIELD(conf_worker, from_server) },
		{ "supervisor", WORD(conf_worker, supervisor,
		    supervisor_words) },
		{ "venv", WORD(conf_worker, venv, venv_words) },
		{ "git", YES_NO(conf_worker, git) },
		{ "setuid", YES_NO(conf_worker, setuid) },
		{ "fence", YES_NO(conf_worker, fence) },
		{ "stop_wait", SECONDS(conf_worker, stop_wait) },
		{ "smcp_url", conf_set_url, FIELD(conf_worker, smcp_url) },
		{ "smcp_token", SECRET(conf_worker, smcp_token) },
		{ "account", TEXT(conf_worker, account, user) },
		{ "mcp_server", TEXT(conf_worker, mcp_server, mcp_server) },
	} },
	{ "env", CONF_TYPE_ENV, { { .name = NULL } } },
	{ "upgrade", CONF_TYPE_UPGRADE, {
		{ "from", conf_set_letta, FIELD(conf_upgrade, from),
		    REQUIRED },
		{ "to", conf_set_letta, FIELD(conf_upgrade, to), REQUIRED },
		{ "backup", TEXT(conf_upgrade, backup, path) },
		{ "rehearse", WORD(conf_upgrade, rehearse, rehearse_words) },
		{ "leave", TEXT(conf_upgrade, leave, agent_ids) },
		{ "clients", TEXT(conf_upgrade, clients, paths) },
	} },
};

int
conf_section_fail(const char *path, int line, struct err *err,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)err_vset(err, ERR_USAGE, fmt, ap);
	va_end(ap);
	return err_ctx(err, "%s:%d", path, line);
}

const char *
conf_section_hint(const char *word, const char *const *names,
    char text[static CONF_HINT_SIZE])
{
	const char *nearest = str_nearest(word, names);

	text[0] = '\0';
	if (nearest)
		(void)snprintf(text, CONF_HINT_SIZE, " (did you mean `%s'?)",
		    nearest);
	return text;
}

struct conf_doc *
conf_section_new(const char *path, struct conf *conf)
{
	struct conf_doc *doc = mem_zero(1, sizeof(*doc));

	doc->conf = conf;
	doc->path = mem_strdup(path);
	doc->sections = mem_zero(CONF_SECTIONS_MAX, sizeof(*doc->sections));
	return doc;
}

void
conf_section_free(struct conf_doc *doc)
{
	if (!doc)
		return;
	for (size_t i = 0; i < doc->n_sections; i++) {
		for (size_t k = 0; k < CONF_KEYS_MAX; k++)
			free(doc->sections[i].values[k]);
	}
	free(doc->sections);
	free(doc->job_name);
	free(doc->path);
	free(doc);
}

/* The type for the first len bytes of header. */
static const struct conf_type *
find_type(const struct conf_doc *doc, int line, const char *header,
    size_t len, struct err *err)
{
	const char *names[CONF_TYPES + 1] = { NULL };
	char word[CONF_LINE_MAX + 1], hint[CONF_HINT_SIZE];

	(void)snprintf(word, sizeof(word), "%.*s", (int)len, header);
	for (size_t i = 0; i < CONF_TYPES; i++) {
		if (str_eq(types[i].word, word))
			return &types[i];
		names[i] = types[i].word;
	}
	(void)conf_section_fail(doc->path, line, err,
	    "unknown section [%s]%s", word,
	    conf_section_hint(word, names, hint));
	return NULL;
}

/* The number of sections of a type, for its array in struct conf. */
static size_t *
count_of(struct conf *conf, enum conf_type_id id)
{
	switch (id) {
	case CONF_TYPE_HOST:
		return &conf->n_hosts;
	case CONF_TYPE_LETTA:
		return &conf->n_lettas;
	case CONF_TYPE_EDGE:
		return &conf->n_edges;
	case CONF_TYPE_AGENT:
		return &conf->n_agents;
	case CONF_TYPE_WORKER:
		return &conf->n_workers;
	case CONF_TYPE_UPGRADE:
		return &conf->n_upgrades;
	case CONF_TYPE_ENV:
	case CONF_TYPE_JOB:
	case CONF_TYPES:
	default:
		return NULL;
	}
}

int
conf_section_begin(struct conf_doc *doc, int line, const char *header,
    struct err *err)
{
	struct conf_section *section = &doc->sections[doc->n_sections];
	const struct conf_type *type;
	const char *name;
	size_t word, *count;

	if (doc->n_sections == CONF_SECTIONS_MAX)
		return conf_section_fail(doc->path, line, err,
		    "more than %d sections", CONF_SECTIONS_MAX);
	word = strcspn(header, " \t");
	type = find_type(doc, line, header, word, err);
	if (!type)
		return -1;
	name = header + word + strspn(header + word, " \t");
	if (type->id == CONF_TYPE_JOB && *name)
		return conf_section_fail(doc->path, line, err,
		    "[job] has no name: `%s'", name);
	if (type->id != CONF_TYPE_JOB && !*name)
		return conf_section_fail(doc->path, line, err,
		    "[%s] needs a name: [%s NAME]", type->word, type->word);
	if (*name && !conf_value_is_name(name))
		return conf_section_fail(doc->path, line, err,
		    "`%s' is not a section's name: 1 to %d of A-Z, a-z, 0-9, "
		    "_ and -", name, CONF_NAME_MAX);
	(void)snprintf(section->label, sizeof(section->label), "%s%s%s",
	    type->word, *name ? " " : "", name);
	for (size_t i = 0; i < doc->n_sections; i++) {
		if (str_eq(doc->sections[i].label, section->label))
			return conf_section_fail(doc->path, line, err,
			    "[%s] is given twice, first in line %d",
			    section->label, doc->sections[i].line);
	}
	section->type = type;
	section->name = section->label + strlen(section->label) -
	    strlen(name);
	section->line = line;
	count = count_of(doc->conf, type->id);
	section->index = count ? (*count)++ : doc->conf->n_envs;
	doc->n_sections++;
	return 0;
}

/* Where key is in the table of its section, or CONF_KEYS_MAX. */
static size_t
key_index(const struct conf_type *type, const char *key)
{
	size_t k;

	for (k = 0; k < CONF_KEYS_MAX && type->keys[k].name; k++) {
		if (str_eq(type->keys[k].name, key))
			return k;
	}
	return CONF_KEYS_MAX;
}

bool
conf_section_is_env(const struct conf_doc *doc)
{
	return doc->n_sections > 0 &&
	    doc->sections[doc->n_sections - 1].type->id == CONF_TYPE_ENV;
}

int
conf_section_add(struct conf_doc *doc, int line, const char *key,
    const char *value, struct err *err)
{
	const char *names[CONF_KEYS_MAX + 1] = { NULL };
	char hint[CONF_HINT_SIZE];
	struct conf_section *section;
	size_t k;

	if (doc->n_sections == 0)
		return conf_section_fail(doc->path, line, err,
		    "a key before the first [section]");
	section = &doc->sections[doc->n_sections - 1];
	if (section->type->id == CONF_TYPE_ENV)
		return conf_env_add(doc, section, line, key, value, err);
	k = key_index(section->type, key);
	if (k == CONF_KEYS_MAX) {
		for (size_t i = 0; i < CONF_KEYS_MAX; i++)
			names[i] = section->type->keys[i].name;
		return conf_section_fail(doc->path, line, err,
		    "unknown key `%s' in [%s]%s", key, section->label,
		    conf_section_hint(key, names, hint));
	}
	if (section->values[k])
		return conf_section_fail(doc->path, line, err,
		    "`%s' in [%s] is given twice, first in line %d", key,
		    section->label, section->lines[k]);
	section->values[k] = mem_strdup(value);
	section->lines[k] = line;
	return 0;
}

enum conf_type_id
conf_section_type(const struct conf_section *section)
{
	return section->type->id;
}

int
conf_section_key_line(const struct conf_section *section, const char *key)
{
	size_t k = key_index(section->type, key);

	return k < CONF_KEYS_MAX ? section->lines[k] : 0;
}

void *
conf_section_object(const struct conf_doc *doc,
    const struct conf_section *section)
{
	struct conf *conf = doc->conf;

	switch (section->type->id) {
	case CONF_TYPE_HOST:
		return &conf->hosts[section->index];
	case CONF_TYPE_LETTA:
		return &conf->lettas[section->index];
	case CONF_TYPE_EDGE:
		return &conf->edges[section->index];
	case CONF_TYPE_AGENT:
		return &conf->agents[section->index];
	case CONF_TYPE_WORKER:
		return &conf->workers[section->index];
	case CONF_TYPE_UPGRADE:
		return &conf->upgrades[section->index];
	case CONF_TYPE_ENV:
	case CONF_TYPE_JOB:
	case CONF_TYPES:
	default:
		return conf;
	}
}

const void *
conf_section_refer(const struct conf_doc *doc,
    const struct conf_section *section, const char *key, int line,
    enum conf_type_id id, const char *name, struct err *err)
{
	const char *names[CONF_SECTIONS_MAX + 1] = { NULL };
	char hint[CONF_HINT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < doc->n_sections; i++) {
		if (doc->sections[i].type->id != id)
			continue;
		if (str_eq(doc->sections[i].name, name))
			return conf_section_object(doc, &doc->sections[i]);
		names[n++] = doc->sections[i].name;
	}
	(void)conf_section_fail(doc->path, line, err,
	    "`%s' in [%s]: there is no section [%s %s]%s", key,
	    section->label, types[id].word, name,
	    conf_section_hint(name, names, hint));
	return NULL;
}

/* Give the structs of a section their names, lines and defaults. */
static int
prepare(struct conf_doc *doc, struct conf_section *section, struct err *err)
{
	void *object = conf_section_object(doc, section);
	struct conf_host *host = object;
	struct conf_letta *letta = object;
	struct conf_edge *edge = object;
	struct conf_agent *agent = object;
	struct conf_worker *worker = object;
	struct conf_upgrade *upgrade = object;

	switch (section->type->id) {
	case CONF_TYPE_HOST:
		host->name = section->name;
		host->line = section->line;
		host->port = 22;
		break;
	case CONF_TYPE_LETTA:
		letta->name = section->name;
		letta->line = section->line;
		letta->port = 18283;
		break;
	case CONF_TYPE_EDGE:
		edge->line = section->line;
		edge->ade_port = 8283;
		edge->host = conf_section_refer(doc, section, "edge",
		    section->line, CONF_TYPE_HOST, section->name, err);
		return edge->host ? 0 : -1;
	case CONF_TYPE_AGENT:
		agent->name = section->name;
		agent->line = section->line;
		break;
	case CONF_TYPE_WORKER:
		worker->name = section->name;
		worker->line = section->line;
		worker->trees = conf_set_default_trees;
		worker->fence = true;
		/* Broca's LONG_TASK_MAX_WAIT and its buffer: 600 + 180. */
		worker->stop_wait = 780;
		break;
	case CONF_TYPE_UPGRADE:
		upgrade->name = section->name;
		upgrade->line = section->line;
		break;
	case CONF_TYPE_ENV:
		return conf_env_fill(doc, section, err);
	case CONF_TYPE_JOB:
	case CONF_TYPES:
	default:
		break;
	}
	return 0;
}

static int
set_keys(struct conf_doc *doc, struct conf_section *section, struct err *err)
{
	const struct conf_key *key = section->type->keys;
	struct conf_place at = {
		.doc = doc,
		.section = section,
		.object = conf_section_object(doc, section),
	};

	for (size_t k = 0; k < CONF_KEYS_MAX && key->name; k++, key++) {
		if (!section->values[k] && key->required)
			return conf_section_fail(doc->path, section->line,
			    err, "[%s] needs `%s'", section->label,
			    key->name);
		if (!section->values[k])
			continue;
		at.key = key->name;
		at.value = section->values[k];
		at.line = section->lines[k];
		at.field = key->field;
		at.path_field = key->path_field;
		at.check = key->check;
		at.words = key->words;
		if (key->set(&at, err) != 0)
			return -1;
	}
	return 0;
}

int
conf_section_fill(struct conf_doc *doc, struct err *err)
{
	struct conf *conf = doc->conf;
	struct conf_section *section, *end = doc->sections + doc->n_sections;
	bool job = false;

	conf->hosts = mem_zero(conf->n_hosts, sizeof(*conf->hosts));
	conf->lettas = mem_zero(conf->n_lettas, sizeof(*conf->lettas));
	conf->edges = mem_zero(conf->n_edges, sizeof(*conf->edges));
	conf->agents = mem_zero(conf->n_agents, sizeof(*conf->agents));
	conf->workers = mem_zero(conf->n_workers, sizeof(*conf->workers));
	conf->upgrades = mem_zero(conf->n_upgrades, sizeof(*conf->upgrades));

	/* The kind first: it decides what other values may be. */
	for (section = doc->sections; section < end; section++) {
		if (section->type->id != CONF_TYPE_JOB)
			continue;
		if (set_keys(doc, section, err) != 0)
			return -1;
		job = true;
	}
	if (!job)
		return conf_section_fail(doc->path, 1, err,
		    "there is no section [job]");
	for (section = doc->sections; section < end; section++) {
		if (prepare(doc, section, err) != 0)
			return -1;
	}
	for (section = doc->sections; section < end; section++) {
		if (section->type->id != CONF_TYPE_JOB &&
		    set_keys(doc, section, err) != 0)
			return -1;
	}
	return 0;
}
