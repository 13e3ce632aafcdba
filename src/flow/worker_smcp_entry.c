#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "core/letta_smcp.h"
#include "flow/agent_staged.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker.h"
#include "flow/worker_mcp.h"
#include "flow/worker_smcp.h"
#include "flow/worker_smcp_entry.h"
#include "flow/worker_source.h"
#include "io/journal.h"

#define PORT 8000		/* of SMCP, when nothing says another */
#define HOST_MAX 256

static int
list_entries(struct server *server, struct jdoc **out, struct err *err)
{
	return server_get_doc(server, server->caps.backward ?
	    LETTA_PATH_MCP_SERVERS_OLD : LETTA_PATH_MCP_SERVERS,
	    "MCP servers", out, err);
}

/* Whether a URL is that of the worker's SMCP, as the source's host has it. */
static bool
points_here(const struct conf_worker *worker, const char *url,
    unsigned int port)
{
	struct buf host = BUF_INIT(HOST_MAX);
	unsigned int its;
	bool here;

	here = url && letta_url_host(url, &host, &its) && its == port &&
	    (letta_host_is_loopback(buf_cstr(&host)) ||
	    str_eq(buf_cstr(&host), worker->from_host->address));
	buf_clear(&host);
	return here;
}

static int
pick_source(const struct conf_worker *worker, struct server *from,
    unsigned int port, struct worker_smcp_entry *entry, struct err *err)
{
	struct letta_mcp_entry one;

	for (size_t i = 0; letta_mcp_entry(entry->from_list, i, &one); i++) {
		if (!one.name || !one.url || (worker->mcp_server ?
		    !str_eq(one.name, worker->mcp_server) :
		    !points_here(worker, one.url, port)))
			continue;
		if (entry->from_url)
			return err_set(err, ERR_DATA, "worker %s: %s has more "
			    "than one MCP server at port %u: %s and %s; say "
			    "which with `mcp_server' in [worker %s]",
			    worker->name, from->name, port, entry->name,
			    one.name, worker->name);
		free(entry->name);
		entry->name = mem_strdup(one.name);
		entry->from_url = mem_strdup(one.url);
		entry->token = one.token;
	}
	return 0;
}

/* Whether the target's Letta is on the worker's new host. */
static bool
is_beside(const struct conf_worker *worker)
{
	const struct conf_letta *server = worker->server;
	struct buf host = BUF_INIT(HOST_MAX);
	unsigned int port;
	bool beside;

	if (server->host)
		return server->host == worker->to_host;
	beside = letta_url_host(server->url, &host, &port) &&
	    (letta_host_is_loopback(buf_cstr(&host)) ? worker->to_host->local
	    : str_eq(buf_cstr(&host), worker->to_host->address));
	buf_clear(&host);
	return beside;
}

/* The source's URL with the target's host in it. */
static char *
moved_url(const struct conf_worker *worker, const char *url)
{
	const char *address = worker->to_host->address;
	struct buf host = BUF_INIT(HOST_MAX);
	unsigned int port;
	const char *rest;
	bool loopback;
	char *out;

	if (!letta_url_host(url, &host, &port))
		return mem_strdup(url);
	loopback = letta_host_is_loopback(buf_cstr(&host));
	buf_clear(&host);
	if (worker->to_host->local || (loopback && is_beside(worker)))
		return mem_strdup(url);
	rest = strstr(url, "://") + 3;
	rest += strcspn(rest, "/?#");
	out = mem_printf("%.*s://%s%s%s:%u%s", (int)strcspn(url, ":"), url,
	    strchr(address, ':') ? "[" : "", address,
	    strchr(address, ':') ? "]" : "", port, rest);
	return out;
}

static int
find_target(struct server *to, struct worker_smcp_entry *entry,
    struct err *err)
{
	struct letta_mcp_entry one;
	struct jdoc *list = NULL;
	int rc;

	rc = list_entries(to, &list, err);
	for (size_t i = 0; rc == 0 && letta_mcp_entry(list, i, &one); i++) {
		if (one.name && one.id && str_eq(one.name, entry->name)) {
			free(entry->to_id);
			free(entry->to_has);
			entry->to_id = mem_strdup(one.id);
			entry->to_has = mem_strdup(one.url ? one.url : "");
		}
	}
	jdoc_free(list);
	return rc;
}

/* Told before the move: afterwards SMCP would run, and no agent reach it. */
static int
check_address(const struct conf_worker *worker, const struct server *to,
    const struct worker_smcp_entry *entry, struct err *err)
{
	const struct letta_caps *caps = &to->caps;
	struct buf host = BUF_INIT(HOST_MAX);
	unsigned int port;
	bool refused;

	if (!letta_url_host(entry->to_url, &host, &port)) {
		buf_clear(&host);
		return err_set(err, ERR_DATA, "worker %s: the address of its "
		    "SMCP is not a URL", worker->name);
	}
	refused = (caps->minor > 16 || caps->major > 0 ||
	    (caps->minor == 16 && caps->patch >= 8)) &&
	    letta_mcp_host_refused(buf_cstr(&host));
	if (refused && (!entry->to_has ||
	    !str_eq(entry->to_has, entry->to_url)))
		(void)err_set(err, ERR_DATA, "worker %s: its SMCP would be "
		    "at %s for %s, and Letta %s refuses an MCP server at an "
		    "address that is not public; nothing was changed.  Put "
		    "SMCP behind nginx with TLS and a key (--require-auth, "
		    "since nginx is loopback to it), and give `smcp_url = "
		    "https://NAME/sse' and `smcp_token' in [worker %s]",
		    worker->name, buf_cstr(&host), to->name, caps->version,
		    worker->name);
	else
		refused = false;
	buf_clear(&host);
	return refused ? -1 : 0;
}

int
worker_smcp_entry_find(struct run *run, const struct conf_worker *worker,
    struct server *from, struct server *to, struct worker_smcp_entry *entry,
    struct err *err)
{
	struct buf text = BUF_INIT(64);
	uint64_t port = PORT;
	bool found;
	int rc;

	*entry = (struct worker_smcp_entry){ 0 };
	rc = worker_source_env(run, worker, "smcp", "MCP_PORT", &text, &found,
	    err);
	if (rc == 0 && found && !str_u64(buf_cstr(&text), 65535, &port))
		rc = err_set(err, ERR_DATA, "worker %s: MCP_PORT of its SMCP "
		    "is no port", worker->name);
	buf_clear(&text);
	if (rc == 0)
		rc = list_entries(from, &entry->from_list, err);
	if (rc == 0)
		rc = pick_source(worker, from, (unsigned int)port, entry,
		    err);
	if (rc == 0 && !entry->name && worker->mcp_server && worker->smcp_url)
		entry->name = mem_strdup(worker->mcp_server);
	if (rc == 0 && !entry->name && worker->mcp_server)
		rc = err_set(err, ERR_DATA, "worker %s: %s has no MCP server "
		    "named %s; `smcp_url' says where a new one is",
		    worker->name, from->name, worker->mcp_server);
	if (rc != 0 || !entry->name)
		return rc;
	entry->to_url = worker->smcp_url ? mem_strdup(worker->smcp_url) :
	    moved_url(worker, entry->from_url);
	if (!to)
		return 0;
	rc = find_target(to, entry, err);
	return rc == 0 ? check_address(worker, to, entry, err) : -1;
}

void
worker_smcp_entry_clear(struct worker_smcp_entry *entry)
{
	jdoc_free(entry->from_list);
	free(entry->name);
	free(entry->from_url);
	free(entry->to_url);
	free(entry->to_id);
	free(entry->to_has);
	*entry = (struct worker_smcp_entry){ 0 };
}

/* What was there, once: a later run finds what this one has made of it. */
static int
note_before(struct run *run, const char *key,
    const struct worker_smcp_entry *entry, struct err *err)
{
	struct jdoc *doc = jdoc_new_object();
	struct buf text = BUF_INIT(8192);
	char *before = NULL;
	int rc;

	rc = journal_get(run->journal, key, &before, err);
	if (rc == 0 && (!before || !*before)) {
		jdoc_set(doc, "existed", jdoc_new_bool(entry->to_id));
		if (entry->to_id)
			jdoc_set_str(doc, "id", entry->to_id);
		jdoc_set_str(doc, "name", entry->name);
		if (entry->to_has)
			jdoc_set_str(doc, "url", entry->to_has);
		jdoc_write(doc, &text);
		rc = journal_put(run->journal, key, buf_cstr(&text), err);
	}
	jdoc_free(doc);
	buf_clear(&text);
	free(before);
	return rc;
}

/* Change it, or make it; a server tries to list the tools at once. */
static int
set_entry(struct run *run, const struct conf_worker *worker,
    struct server *to, struct worker_smcp_entry *entry, struct err *err)
{
	const struct secret *key = run_secret(run, &worker->smcp_token);
	char *note = run_key("worker", worker->name, "mcp-entry");
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf body;
	int rc;

	buf_init_still(&body, 65536);
	rc = note_before(run, note, entry, err);
	letta_body_mcp_server(&body, entry->to_id ? NULL : entry->name,
	    entry->to_url, key, entry->to_id ? NULL : entry->token);
	if (entry->to_id)
		letta_path_mcp_server(&path, entry->to_id);
	else
		buf_str(&path, LETTA_PATH_MCP_SERVERS);
	if (rc == 0)
		rc = buf_check(&body, "MCP server", err);
	if (rc == 0 && (!entry->to_id || key ||
	    !str_eq(entry->to_has, entry->to_url)))
		rc = server_send(to, entry->to_id ? "PATCH" : "POST",
		    buf_cstr(&path), buf_cstr(&body), &answer, err);
	if (rc == 0 && !entry->to_id)
		rc = find_target(to, entry, err);
	if (rc == 0 && !entry->to_id)
		rc = err_set(err, ERR_FAILED, "%s: the MCP server %s that was "
		    "made is not listed", to->name, entry->name);
	buf_wipe(&body);
	buf_wipe(&answer);
	buf_clear(&path);
	free(note);
	return rc;
}

static int
refresh(const struct conf_worker *worker, struct server *to,
    const struct worker_smcp_entry *entry, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_mcp_refresh(&path, entry->to_id);
	rc = server_send(to, "PATCH", buf_cstr(&path), NULL, &answer, err);
	if (rc != 0 && (err->kind == ERR_MISSING || err->kind == ERR_FAILED))
		(void)err_ctx(err, "worker %s: %s does not reach its SMCP at "
		    "%s (`smcp_url' says another address)", worker->name,
		    to->name, entry->to_url);
	buf_clear(&path);
	buf_clear(&answer);
	return rc;
}

/* Those of an agent, or of an entry: name -> id. */
static int
tools_by_name(struct server *server, const char *path, struct jdoc **out,
    struct err *err)
{
	struct jdoc *list = NULL;
	const char *name, *id;
	int rc;

	*out = jdoc_new_object();
	rc = server_get_list(server, path, "tools", &list, err);
	for (size_t i = 0; i < jdoc_len(list); i++) {
		name = jdoc_get_str(jdoc_at(list, i), "name");
		id = jdoc_get_str(jdoc_at(list, i), "id");
		if (name && id && jdoc_is(jdoc_at(list, i), "tool_type",
		    "external_mcp"))
			jdoc_set_str(*out, name, id);
	}
	jdoc_free(list);
	return rc;
}

static int
agent_tools(struct server *server, const char *agent, struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_agent_tools(&path, agent);
	rc = tools_by_name(server, buf_cstr(&path), out, err);
	buf_clear(&path);
	return rc;
}

static int
attach_one(struct run *run, const char *key, struct jdoc *done,
    struct server *to, const char *agent, const char *tool, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_tool_attach(&path, agent, tool);
	rc = agent_staged_list_add(run->journal, key, done, tool, err);
	if (rc == 0)
		rc = server_send(to, "PATCH", buf_cstr(&path), NULL, &answer,
		    err);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/* What the source's agent has of this SMCP, by name. */
static int
attach(struct run *run, const struct conf_worker *worker,
    struct server *from, struct server *to,
    const struct jdoc *offered, size_t *n, struct err *err)
{
	char *key = run_key("worker", worker->name, "mcp-attached");
	struct jdoc *wanted = NULL, *has = NULL, *done = NULL;
	struct jdoc_member member = { 0 };
	char *source = NULL, *target = NULL;
	const char *tool;
	int rc;

	*n = 0;
	rc = worker_source_agent(run, worker, &source, err);
	if (rc == 0)
		rc = worker_agent_id(run, worker, &target, err);
	if (rc == 0)
		rc = agent_staged_list(run->journal, key, &done, err);
	if (rc == 0 && source && target)
		rc = agent_tools(from, source, &wanted, err);
	if (rc == 0 && source && target)
		rc = agent_tools(to, target, &has, err);
	while (rc == 0 && jdoc_next(wanted, &member)) {
		tool = jdoc_get_str(offered, member.key);
		if (!tool || jdoc_has(has, member.key))
			continue;
		rc = attach_one(run, key, done, to, target, tool, err);
		*n += rc == 0;
	}
	jdoc_free(wanted);
	jdoc_free(has);
	jdoc_free(done);
	free(source);
	free(target);
	free(key);
	return rc;
}

int
worker_smcp_connect(struct run *run, const struct conf_worker *worker,
    struct plan_note *note, struct err *err)
{
	struct worker_smcp_entry entry = { 0 };
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *offered = NULL;
	struct server *from, *to;
	size_t n = 0;
	int rc;

	rc = run_server(run, worker->from_server, &from, err);
	if (rc == 0)
		rc = run_server(run, worker->server, &to, err);
	if (rc == 0)
		rc = worker_smcp_entry_find(run, worker, from, to, &entry,
		    err);
	if (rc == 0 && entry.name) {
		rc = set_entry(run, worker, to, &entry, err);
		if (rc == 0)
			rc = refresh(worker, to, &entry, err);
		if (rc == 0) {
			letta_path_mcp_tools(&path, entry.to_id);
			rc = tools_by_name(to, buf_cstr(&path), &offered,
			    err);
		}
		if (rc == 0)
			rc = attach(run, worker, from, to, offered, &n, err);
		if (rc == 0)
			plan_say(note, '~', "%s reaches SMCP at %s: %zu "
			    "tools, %zu attached to the agent", to->name,
			    entry.to_url, jdoc_len(offered), n);
	} else if (rc == 0) {
		plan_say(note, '~', "no MCP server of %s points at this "
		    "worker's SMCP", from->name);
	}
	jdoc_free(offered);
	buf_clear(&path);
	worker_smcp_entry_clear(&entry);
	return rc;
}

static int
put_back(struct server *to, const struct jdoc *before, struct err *err)
{
	struct worker_smcp_entry entry = { 0 };
	struct buf path = BUF_INIT(LETTA_PATH_MAX), body = BUF_INIT(65536);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	const char *url = jdoc_get_str(before, "url");
	int rc;

	entry.name = mem_strdup(jdoc_get_str(before, "name") ?
	    jdoc_get_str(before, "name") : "");
	rc = find_target(to, &entry, err);
	if (rc == 0 && entry.to_id) {
		letta_path_mcp_server(&path, entry.to_id);
		if (!jdoc_bool(jdoc_get(before, "existed"))) {
			rc = server_delete(to, buf_cstr(&path), err);
		} else if (url && !str_eq(url, entry.to_has)) {
			letta_body_mcp_server(&body, NULL, url, NULL, NULL);
			rc = server_send(to, "PATCH", buf_cstr(&path),
			    buf_cstr(&body), &answer, err);
		}
	}
	worker_smcp_entry_clear(&entry);
	buf_clear(&path);
	buf_clear(&body);
	buf_wipe(&answer);
	return rc;
}

/* An agent that is gone has no tools to take away. */
static int
detach_tools(struct run *run, const struct conf_worker *worker,
    struct server *to, struct err *err)
{
	char *key = run_key("worker", worker->name, "mcp-attached");
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *done = NULL;
	char *agent = NULL;
	int rc;

	rc = worker_agent_id(run, worker, &agent, err);
	if (rc == 0)
		rc = agent_staged_list(run->journal, key, &done, err);
	for (size_t i = 0; i < jdoc_len(done) && rc == 0 && agent; i++) {
		buf_clear(&path);
		letta_path_tool_detach(&path, agent,
		    jdoc_str(jdoc_at(done, i)));
		rc = server_send(to, "PATCH", buf_cstr(&path), NULL, &answer,
		    err);
		if (rc != 0 && err->kind == ERR_MISSING) {
			err_clear(err);
			rc = 0;
		}
	}
	if (rc == 0)
		rc = journal_put(run->journal, key, "", err);
	jdoc_free(done);
	buf_clear(&path);
	buf_wipe(&answer);
	free(agent);
	free(key);
	return rc;
}

int
worker_smcp_entry_restore(struct run *run, const struct conf_worker *worker,
    struct server *to, struct plan_note *note, struct err *err)
{
	char *key = run_key("worker", worker->name, "mcp-entry");
	struct jdoc *before = NULL;
	char *text = NULL;
	int rc;

	rc = detach_tools(run, worker, to, err);
	if (rc == 0)
		rc = journal_get(run->journal, key, &text, err);
	if (rc == 0 && text && *text) {
		before = jdoc_parse(text, strlen(text), err);
		rc = before ? put_back(to, before, err) : -1;
		if (rc == 0 && worker->smcp_token.ref &&
		    jdoc_bool(jdoc_get(before, "existed")))
			buf_printf(&note->diff, "  the token that the MCP "
			    "server %s had before is not known: set it "
			    "again\n", jdoc_get_str(before, "name"));
		if (rc == 0)
			rc = journal_put(run->journal, key, "", err);
	}
	jdoc_free(before);
	free(text);
	free(key);
	return rc;
}
