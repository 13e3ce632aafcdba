#include "base/base.h"

#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/conf_check.h"
#include "core/conf_section.h"
#include "core/conf_value.h"

/* Fail about a key that a section should not have. */
static int
bad_key(const struct conf_doc *doc, const struct conf_section *section,
    const char *key, const char *why, struct err *err)
{
	return conf_section_fail(doc->path,
	    conf_section_key_line(section, key), err, "`%s' in [%s] %s", key,
	    section->label, why);
}

/* The job's name from the file's, when the file does not say it. */
static int
check_job(struct conf_doc *doc, struct conf_section *section,
    struct err *err)
{
	const char *slash = strrchr(doc->path, '/');
	const char *base = slash ? slash + 1 : doc->path;
	size_t len = strlen(base);

	if (doc->conf->name)
		return 0;
	if (str_ends(base, ".conf"))
		len -= 5;
	doc->job_name = mem_strndup(base, len);
	if (conf_value_job_name(doc->job_name))
		return conf_section_fail(doc->path, section->line, err,
		    "[job] needs `name': the file's name cannot be one (1 to "
		    "%d of a-z, 0-9 and -)", CONF_NAME_MAX);
	doc->conf->name = doc->job_name;
	return 0;
}

static int
check_host(struct conf_doc *doc, struct conf_section *section,
    struct conf_host *host, struct err *err)
{
	static const char *const ssh_keys[] = { "port", "user", "host_key",
	    "identity_file", "user_known_hosts_file", "transport",
	    "silence" };

	host->local = str_eq(host->address, "local");
	for (size_t i = 0; i < sizeof(ssh_keys) / sizeof(*ssh_keys); i++) {
		if (host->local &&
		    conf_section_key_line(section, ssh_keys[i]) != 0)
			return bad_key(doc, section, ssh_keys[i],
			    "has no effect: address `local' is this machine, "
			    "without SSH", err);
	}
	return 0;
}

/*
 * An upgrade's `from': somebody else has brought it up, so what a runtime
 * would know is said by keys of its own.
 */
static bool
is_upgraded(const struct conf *conf, const struct conf_letta *letta)
{
	return conf->kind == CONF_UPGRADE && conf->n_upgrades > 0 &&
	    conf->upgrades[0].from == letta;
}

/* Keys that only a server has which is upgraded. */
static int
check_upgraded(const struct conf_doc *doc,
    const struct conf_section *section, const struct conf_letta *letta,
    struct err *err)
{
	static const char *const keys[] = { "service", "compose",
	    "compose_database", "database_admin" };

	if (is_upgraded(doc->conf, letta))
		return letta->compose_database && !letta->compose ?
		    bad_key(doc, section, "compose_database",
		    "goes with `compose'", err) : 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (conf_section_key_line(section, keys[i]) != 0)
			return bad_key(doc, section, keys[i], "goes with the "
			    "server that `from' of an [upgrade] names", err);
	}
	return 0;
}

/* Keys of a server that we bring up, and those of one way to do so. */
static int
check_runtime(const struct conf_doc *doc, const struct conf_section *section,
    const struct conf_letta *letta, struct err *err)
{
	static const struct {
		const char *key;
		bool venv, compose;
	} keys[] = {
		{ "installer", true, false }, { "requirements", true, false },
		{ "database", true, true }, { "redis", true, true },
		{ "image", false, true },
	};
	bool venv = letta->runtime == CONF_RUNTIME_VENV;
	bool compose = letta->runtime == CONF_RUNTIME_COMPOSE;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (str_eq(keys[i].key, "database") &&
		    is_upgraded(doc->conf, letta))
			continue;
		if (conf_section_key_line(section, keys[i].key) != 0 &&
		    !(venv && keys[i].venv) && !(compose && keys[i].compose))
			return bad_key(doc, section, keys[i].key,
			    keys[i].venv && keys[i].compose ?
			    "goes with `runtime = venv' or `compose'" :
			    keys[i].venv ? "goes with `runtime = venv'" :
			    "goes with `runtime = compose'", err);
	}
	if (!venv && !compose)
		return letta->n_env == 0 ? 0 : conf_section_fail(doc->path,
		    letta->env->line, err, "[env %s]: [letta %s] has no "
		    "`runtime', so its environment is not ours",
		    letta->name, letta->name);
	if (!letta->host)
		return bad_key(doc, section, "runtime",
		    "goes with `host': a server behind a url is there", err);
	if (!letta->version)
		return bad_key(doc, section, "runtime",
		    "needs `version', such as 0.16.2", err);
	return 0;
}

static int
check_letta(struct conf_doc *doc, struct conf_section *section,
    struct conf_letta *letta, struct err *err)
{
	const struct conf *conf = doc->conf;

	if (!letta->url && !letta->host)
		return conf_section_fail(doc->path, section->line, err,
		    "[%s] needs `url' or `host'", section->label);
	if (letta->url && letta->host && conf->kind != CONF_UPGRADE)
		return conf_section_fail(doc->path, section->line, err,
		    "[%s] has both `url' and `host'", section->label);
	if (letta->url && !letta->host &&
	    conf_section_key_line(section, "port") != 0)
		return bad_key(doc, section, "port",
		    "goes with `host': a url holds its port itself", err);
	if (check_runtime(doc, section, letta, err) != 0 ||
	    check_upgraded(doc, section, letta, err) != 0)
		return -1;
	if (letta->url)
		return 0;
	if (conf->kind == CONF_UPGRADE && letta->host->local &&
	    !conf_find_edge(conf, letta->host->name))
		return 0;
	if (conf->kind == CONF_UPGRADE &&
	    !conf_find_edge(conf, letta->host->name))
		return conf_section_fail(doc->path, section->line, err,
		    "[%s] needs a `url' too: how its API is reached from "
		    "here", section->label);
	if (conf->kind != CONF_UPGRADE && conf->kind != CONF_GREENFIELD)
		return conf_section_fail(doc->path,
		    conf_section_key_line(section, "host"), err,
		    "`host' in [%s]: a job of kind %s reaches its servers by "
		    "`url'", section->label, conf_kind_name(conf->kind));
	if (letta->ca_file)
		return bad_key(doc, section, "ca_file",
		    "goes with `url': for `host' it is that of the [edge]",
		    err);
	letta->edge = conf_find_edge(conf, letta->host->name);
	if (!letta->edge)
		return conf_section_fail(doc->path,
		    conf_section_key_line(section, "host"), err,
		    "`host' in [%s]: there is no section [edge %s]",
		    section->label, letta->host->name);
	letta->ca_file = letta->edge->ca_file;
	return 0;
}

static int
check_edge(struct conf_doc *doc, struct conf_section *section,
    struct conf_edge *edge, struct err *err)
{
	edge->ade_auth.lines = true;
	if (!edge->ade_name)
		edge->ade_name = edge->site;
	if (edge->ade_port == 80)
		return bad_key(doc, section, "ade",
		    "is on port 80, which ACME and the redirect use", err);
	if (edge->ade_port == 443 &&
	    strcasecmp(edge->ade_name, edge->site) == 0)
		return bad_key(doc, section, "ade",
		    "is the same name and port as `site'", err);
	if (edge->acme_command && (!edge->certificate ||
	    !edge->certificate_key))
		return bad_key(doc, section, "acme_command",
		    "needs `certificate' and `certificate_key', where it "
		    "puts them", err);
	if (edge->certificate && !edge->acme_command)
		return bad_key(doc, section, "certificate",
		    "goes with `acme_command': certbot has its own places",
		    err);
	if (edge->certificate_key && !edge->acme_command)
		return bad_key(doc, section, "certificate_key",
		    "goes with `acme_command': certbot has its own places",
		    err);
	if (edge->certificate_from == edge->host)
		return bad_key(doc, section, "certificate_from",
		    "is the host of this edge", err);
	return 0;
}

static int
check_upgrade(struct conf_doc *doc, struct conf_section *section,
    struct conf_upgrade *upgrade, struct err *err)
{
	const struct conf_letta *from = upgrade->from, *to = upgrade->to;

	if (from == to)
		return bad_key(doc, section, "to",
		    "is the server that `from' names", err);
	if (!from->host || to->host != from->host)
		return bad_key(doc, section, "to",
		    "is not on the `host' of `from'", err);
	if (to->runtime == CONF_RUNTIME_THERE)
		return bad_key(doc, section, "to",
		    "is a server without `runtime': who would bring it up?",
		    err);
	if (from->runtime != CONF_RUNTIME_THERE)
		return bad_key(doc, section, "from", "is a server with "
		    "`runtime', which this job would bring up", err);
	if (to->runtime == CONF_RUNTIME_COMPOSE && !from->compose)
		return bad_key(doc, section, "to",
		    "is of compose, so `from' needs `compose', its file",
		    err);
	if (to->runtime == CONF_RUNTIME_VENV && from->compose)
		return bad_key(doc, section, "to", "has `runtime = venv', and "
		    "`from' is of compose: an upgrade keeps the runtime",
		    err);
	/* What is rebuilt is what the new server uses. */
	if (!to->database.ref)
		doc->conf->lettas[to - doc->conf->lettas].database =
		    from->database;
	/* Its compose file sets the password, and stays. */
	if (to->runtime == CONF_RUNTIME_COMPOSE && !to->token.ref)
		doc->conf->lettas[to - doc->conf->lettas].token = from->token;
	if (to->runtime == CONF_RUNTIME_VENV && !from->database.ref)
		return bad_key(doc, section, "from", "names a server that "
		    "needs `database', the URI of what is rebuilt", err);
	return 0;
}

static int
check_agent(struct conf_doc *doc, struct conf_section *section,
    struct conf_agent *agent, struct err *err)
{
	if (conf_value_is_agent_id(agent->name))
		return conf_section_fail(doc->path, section->line, err,
		    "[%s] has an id for its name: `agent' of a [worker] "
		    "could mean either", section->label);
	if (agent->bundle && agent->raw_read)
		return bad_key(doc, section, "raw_read",
		    "goes with a server: a bundle is read as it is", err);
	if (agent->from == agent->to)
		return bad_key(doc, section, "to",
		    "is the server that `from' names", err);
	return 0;
}

/*
 * Whether two directories may be one: the same machine, whatever its sections
 * are called, and the same root of both paths.
 */
static bool
is_same_place(const struct conf_host *a, const struct conf_host *b,
    const char *path)
{
	const char *user_a = a->user ? a->user : "";
	const char *user_b = b->user ? b->user : "";

	return strcasecmp(a->address, b->address) == 0 &&
	    a->port == b->port &&
	    (path[0] == '/' || str_eq(user_a, user_b));
}

/* Whether path is root, or below it. */
static bool
is_within(const char *path, const char *root)
{
	size_t len = strlen(root);

	return str_starts(path, root) &&
	    (path[len] == '\0' || path[len] == '/');
}

static bool
overlap(const struct conf_host *host_a, const char *path_a,
    const struct conf_host *host_b, const char *path_b)
{
	return is_same_place(host_a, host_b, path_a) &&
	    (is_within(path_a, path_b) || is_within(path_b, path_a));
}

static int
check_worker(struct conf_doc *doc, struct conf_section *section,
    struct conf_worker *worker, struct err *err)
{
	if (worker->agent && !worker->server)
		worker->server = worker->agent->to;
	if (!worker->server)
		return conf_section_fail(doc->path, section->line, err,
		    "[%s] needs `server', since its `agent' is an id",
		    section->label);
	if (!worker->from_server && worker->agent)
		worker->from_server = worker->agent->from;
	if (!worker->from_server)
		worker->from_server = worker->server;
	if (worker->agent && worker->server != worker->agent->to)
		return bad_key(doc, section, "server",
		    "is not where its `agent' goes", err);
	if (overlap(worker->from_host, worker->from_path, worker->to_host,
	    worker->to_path))
		return bad_key(doc, section, "to",
		    "is the directory of `from', or one lies within the "
		    "other", err);
	return 0;
}

/*
 * Keys of one section that exclude or need each other.  Fills what a section
 * takes from elsewhere when its own key is not given: the job's name, a
 * worker's server, an edge's ade.
 */
static int
check_section(struct conf_doc *doc, struct conf_section *section,
    struct err *err)
{
	void *object = conf_section_object(doc, section);

	switch (conf_section_type(section)) {
	case CONF_TYPE_JOB:
		return check_job(doc, section, err);
	case CONF_TYPE_HOST:
		return check_host(doc, section, object, err);
	case CONF_TYPE_LETTA:
		return check_letta(doc, section, object, err);
	case CONF_TYPE_EDGE:
		return check_edge(doc, section, object, err);
	case CONF_TYPE_AGENT:
		return check_agent(doc, section, object, err);
	case CONF_TYPE_WORKER:
		return check_worker(doc, section, object, err);
	case CONF_TYPE_UPGRADE:
		return check_upgrade(doc, section, object, err);
	case CONF_TYPE_ENV:
	case CONF_TYPES:
	default:
		return 0;
	}
}

/* A section that a job of this kind does not have, or lacks. */
static int
check_kind(const struct conf *conf, int job_line, struct err *err)
{
	static const struct {
		const char *word;
		size_t least, most;
	} rules[][4] = {
		[CONF_AGENT] = { { "agent", 1, SIZE_MAX },
		    { "worker", 0, 0 }, { "edge", 0, 0 },
		    { "upgrade", 0, 0 } },
		[CONF_WORKERS] = { { "agent", 0, 0 },
		    { "worker", 1, SIZE_MAX }, { "edge", 0, 0 },
		    { "upgrade", 0, 0 } },
		[CONF_GREENFIELD] = { { "agent", 0, SIZE_MAX },
		    { "worker", 0, SIZE_MAX }, { "edge", 1, 1 },
		    { "upgrade", 0, 0 } },
		[CONF_UPGRADE] = { { "agent", 0, 0 }, { "worker", 0, 0 },
		    { "edge", 0, 1 }, { "upgrade", 1, 1 } },
	};
	const size_t counts[] = { conf->n_agents, conf->n_workers,
	    conf->n_edges, conf->n_upgrades };
	const char *word, *kind = conf_kind_name(conf->kind);
	size_t most;
	int line;

	for (size_t i = 0; i < 4; i++) {
		word = rules[conf->kind][i].word;
		most = rules[conf->kind][i].most;
		if (counts[i] < rules[conf->kind][i].least)
			return conf_section_fail(conf->path, job_line, err,
			    "a job of kind %s needs a section [%s NAME]",
			    kind, word);
		if (counts[i] <= most)
			continue;
		line = i == 0 ? conf->agents[most].line :
		    i == 1 ? conf->workers[most].line :
		    i == 2 ? conf->edges[most].line :
		    conf->upgrades[most].line;
		return conf_section_fail(conf->path, line, err,
		    "a job of kind %s has %s section [%s NAME]", kind,
		    most == 0 ? "no" : "only one", word);
	}
	return 0;
}

/* All of a greenfield job ends on the one host of its edge. */
static int
check_greenfield(const struct conf *conf, struct err *err)
{
	const struct conf_edge *edge = &conf->edges[0];
	const struct conf_letta *server = NULL, *letta;

	for (size_t i = 0; i < conf->n_lettas; i++) {
		letta = &conf->lettas[i];
		if (!letta->host)
			continue;
		if (server)
			return conf_section_fail(conf->path, letta->line, err,
			    "[letta %s] and [letta %s] are both behind "
			    "[edge %s]", letta->name, server->name,
			    edge->host->name);
		server = letta;
	}
	if (!server)
		return conf_section_fail(conf->path, edge->line, err,
		    "[edge %s] needs a [letta NAME] with `host = %s'",
		    edge->host->name, edge->host->name);
	if (edge->ade_port == server->port)
		return conf_section_fail(conf->path, edge->line, err,
		    "`ade' of [edge %s] and `port' of [letta %s] are both %u",
		    edge->host->name, server->name, server->port);
	for (size_t i = 0; i < conf->n_agents; i++) {
		if (conf->agents[i].to != server)
			return conf_section_fail(conf->path,
			    conf->agents[i].line, err,
			    "[agent %s] goes to `%s', but this job's edge "
			    "serves `%s'", conf->agents[i].name,
			    conf->agents[i].to->name, server->name);
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (conf->workers[i].to_host != edge->host)
			return conf_section_fail(conf->path,
			    conf->workers[i].line, err,
			    "[worker %s] goes to host `%s', but this job's "
			    "edge is on `%s'", conf->workers[i].name,
			    conf->workers[i].to_host->name,
			    edge->host->name);
	}
	return 0;
}

static bool
is_same_agent(const struct conf_agent *a, const struct conf_agent *b)
{
	if (a->bundle || b->bundle)
		return a->bundle && b->bundle && str_eq(a->bundle, b->bundle);
	return str_eq(a->from_id, b->from_id);
}

/* No two sections may act on the same agent or directory. */
static int
check_pairs(const struct conf *conf, struct err *err)
{
	const struct conf_agent *agent;
	const struct conf_worker *a, *b;
	const char *key;

	for (size_t i = 1; i < conf->n_agents; i++) {
		agent = &conf->agents[i];
		for (size_t j = 0; j < i; j++) {
			if (is_same_agent(agent, &conf->agents[j]))
				return conf_section_fail(conf->path,
				    agent->line, err, "[agent %s] and "
				    "[agent %s] move the same agent",
				    agent->name, conf->agents[j].name);
		}
	}
	for (size_t i = 1; i < conf->n_workers; i++) {
		a = &conf->workers[i];
		for (size_t j = 0; j < i; j++) {
			b = &conf->workers[j];
			key = NULL;
			if (overlap(a->to_host, a->to_path, b->to_host,
			    b->to_path))
				key = "to";
			else if (overlap(a->from_host, a->from_path,
			    b->from_host, b->from_path))
				key = "from";
			if (key)
				return conf_section_fail(conf->path, a->line,
				    err, "`%s' of [worker %s] and of "
				    "[worker %s] are one directory, or one "
				    "lies within the other", key, a->name,
				    b->name);
		}
	}
	return 0;
}

static bool
is_host_used(const struct conf *conf, const struct conf_host *host)
{
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (conf->lettas[i].host == host)
			return true;
	}
	for (size_t i = 0; i < conf->n_edges; i++) {
		if (conf->edges[i].host == host ||
		    conf->edges[i].certificate_from == host)
			return true;
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (conf->workers[i].from_host == host ||
		    conf->workers[i].to_host == host)
			return true;
	}
	return false;
}

static bool
is_letta_used(const struct conf *conf, const struct conf_letta *letta)
{
	if (letta->edge || is_upgraded(conf, letta) ||
	    (conf->n_upgrades > 0 && conf->upgrades[0].to == letta))
		return true;
	for (size_t i = 0; i < conf->n_agents; i++) {
		if (conf->agents[i].from == letta ||
		    conf->agents[i].to == letta)
			return true;
	}
	for (size_t i = 0; i < conf->n_workers; i++) {
		if (conf->workers[i].server == letta ||
		    conf->workers[i].from_server == letta)
			return true;
	}
	return false;
}

static int
check_used(const struct conf *conf, struct err *err)
{
	for (size_t i = 0; i < conf->n_hosts; i++) {
		if (!is_host_used(conf, &conf->hosts[i]))
			return conf_section_fail(conf->path,
			    conf->hosts[i].line, err,
			    "nothing refers to [host %s]",
			    conf->hosts[i].name);
	}
	for (size_t i = 0; i < conf->n_lettas; i++) {
		if (!is_letta_used(conf, &conf->lettas[i]))
			return conf_section_fail(conf->path,
			    conf->lettas[i].line, err,
			    "nothing refers to [letta %s]",
			    conf->lettas[i].name);
	}
	return 0;
}

int
conf_check_all(struct conf_doc *doc, struct err *err)
{
	struct conf *conf = doc->conf;
	int job_line = 1;

	for (size_t i = 0; i < doc->n_sections; i++) {
		if (conf_section_type(&doc->sections[i]) == CONF_TYPE_JOB)
			job_line = doc->sections[i].line;
	}
	if (check_kind(conf, job_line, err) != 0)
		return -1;
	for (size_t i = 0; i < doc->n_sections; i++) {
		if (check_section(doc, &doc->sections[i], err) != 0)
			return -1;
	}
	if (conf->kind == CONF_GREENFIELD &&
	    check_greenfield(conf, err) != 0)
		return -1;
	if (check_pairs(conf, err) != 0)
		return -1;
	return check_used(conf, err);
}
