#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_smcp.h"
#include "flow/agent.h"
#include "flow/agent_staged.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker.h"
#include "flow/worker_mcp.h"
#include "flow/worker_smcp.h"
#include "flow/worker_smcp_entry.h"
#include "flow/worker_source.h"
#include "io/host.h"
#include "io/journal.h"

#define PORT 8000
#define KEY_MAX 4096

/* Both servers, both agents; what cannot be asked yet is NULL. */
struct smcp {
	struct run *run;
	const struct conf_worker *worker;
	struct server *from, *to;
	char *source, *target;		/* agents */
	bool same_agent;
	struct jdoc *from_agent, *to_agent;	/* with their secrets */
	struct jdoc *give, *kept, *own;
	char *secrets_key;
};

/* The source's server is not needed to take back: it may be gone by then. */
static int
open_both(struct smcp *s, struct run *run, const struct conf_worker *worker,
    bool from, struct err *err)
{
	bool ready = true;

	*s = (struct smcp){ .run = run, .worker = worker };
	s->secrets_key = run_key("worker", worker->name, "secrets");
	if (from &&
	    (run_server(run, worker->from_server, &s->from, err) != 0 ||
	    worker_source_agent(run, worker, &s->source, err) != 0))
		return -1;
	if (worker_agent_id(run, worker, &s->target, err) != 0)
		return -1;
	if (worker->agent &&
	    agent_target_ready(run, worker->agent, &ready, err) != 0)
		return -1;
	if (ready && run_server(run, worker->server, &s->to, err) != 0)
		return -1;
	s->same_agent = worker_same_server(worker) && s->source &&
	    s->target && str_eq(s->source, s->target);
	return 0;
}

static void
smcp_clear(struct smcp *s)
{
	free(s->source);
	free(s->target);
	free(s->secrets_key);
	jdoc_free(s->from_agent);
	jdoc_free(s->to_agent);
	jdoc_free(s->give);
	jdoc_free(s->kept);
	jdoc_free(s->own);
}

static int
get_agent(struct server *server, const char *id, struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_agent_secrets(&path, id);
	rc = server_get_doc(server, buf_cstr(&path), "agent", out, err);
	buf_clear(&path);
	return rc;
}

/* Which names the target's agent is to be given. */
static int
compare_secrets(struct smcp *s, struct err *err)
{
	if (s->same_agent || !s->source)
		return 0;
	if (get_agent(s->from, s->source, &s->from_agent, err) != 0)
		return -1;
	if (s->to && s->target &&
	    get_agent(s->to, s->target, &s->to_agent, err) != 0)
		return -1;
	letta_secret_names(s->from_agent, s->to_agent, &s->give, &s->kept,
	    &s->own);
	return 0;
}

static void
say_names(struct plan_note *note, const char *what, const struct jdoc *names)
{
	const char *name;

	if (jdoc_len(names) == 0)
		return;
	buf_printf(&note->diff, "  %s: ", what);
	for (size_t i = 0; i < jdoc_len(names); i++) {
		name = jdoc_str(jdoc_at(names, i));
		buf_str(&note->diff, i ? ", " : "");
		str_printable(&note->diff, name, strlen(name));
	}
	buf_char(&note->diff, '\n');
}

static void
say_entry(struct plan_note *note, const struct conf_worker *worker,
    const struct worker_smcp_entry *entry)
{
	if (!entry->name) {
		buf_printf(&note->diff, "  no MCP server of %s points at "
		    "this worker's SMCP; `mcp_server' names one\n",
		    worker->from_server->name);
		return;
	}
	buf_str(&note->diff, "  MCP server ");
	str_printable(&note->diff, entry->name, strlen(entry->name));
	buf_printf(&note->diff, " of %s, once SMCP runs at the target: ",
	    worker->server->name);
	if (entry->to_has && !str_eq(entry->to_has, entry->to_url)) {
		str_printable(&note->diff, entry->to_has,
		    strlen(entry->to_has));
		buf_str(&note->diff, " becomes ");
	} else if (!entry->to_has)
		buf_str(&note->diff, "made, ");
	str_printable(&note->diff, entry->to_url, strlen(entry->to_url));
	buf_char(&note->diff, '\n');
}

static void
say(const struct smcp *s, struct plan_note *note, const char *verb)
{
	plan_say(note, '+', "%zu secrets of the agent %s %s",
	    jdoc_len(s->give), verb, s->worker->server->name);
	say_names(note, "secrets, by name", s->give);
	say_names(note, "another value there, which stays", s->kept);
	say_names(note, "not carried, since .env says it anew", s->own);
}

static int
smcp_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	enum journal_state state = JOURNAL_NONE;
	struct worker_smcp_entry entry = { 0 };
	struct smcp s = { 0 };
	int rc;

	*found = PLAN_DONE;
	if (!conf_worker_has(worker, "smcp")) {
		plan_say(note, '+', "smcp is not among the trees");
		return 0;
	}
	rc = journal_step_state(run->journal, step->name, &state, err);
	if (rc != 0 || state == JOURNAL_DONE) {
		plan_say(note, '+', "secrets of the agent are there");
		return rc;
	}
	*found = PLAN_TODO;
	rc = open_both(&s, run, worker, true, err);
	if (rc == 0)
		rc = compare_secrets(&s, err);
	if (rc == 0)
		rc = worker_smcp_entry_find(run, worker, s.from, s.to, &entry,
		    err);
	if (rc == 0) {
		say(&s, note, "go to");
		say_entry(note, worker, &entry);
	}
	worker_smcp_entry_clear(&entry);
	smcp_clear(&s);
	return rc;
}

static int
send_secrets(struct smcp *s, const struct jdoc *give,
    const struct jdoc *without, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX), body;
	int rc;

	buf_init_still(&body, 4 * 1024 * 1024);
	letta_path_agent(&path, s->target);
	letta_body_secrets(&body, s->from_agent, s->to_agent, give, without);
	rc = buf_check(&body, "secrets", err);
	if (rc == 0)
		rc = server_send(s->to, "PATCH", buf_cstr(&path),
		    buf_cstr(&body), &answer, err);
	buf_wipe(&body);
	buf_wipe(&answer);
	buf_clear(&path);
	return rc;
}

/* Names first, so that undo knows them whatever becomes of the answer. */
static int
give_secrets(struct smcp *s, struct err *err)
{
	struct jdoc *noted = NULL;
	int rc;

	if (jdoc_len(s->give) == 0)
		return 0;
	rc = agent_staged_list(s->run->journal, s->secrets_key, &noted, err);
	for (size_t i = 0; i < jdoc_len(s->give) && rc == 0; i++)
		rc = agent_staged_list_add(s->run->journal, s->secrets_key,
		    noted, jdoc_str(jdoc_at(s->give, i)), err);
	if (rc == 0)
		rc = send_secrets(s, s->give, NULL, err);
	jdoc_free(noted);
	return rc;
}

/* One that does not run has no tools to be compared with. */
static int
note_tools(struct smcp *s, struct plan_note *note, struct err *err)
{
	char *key = run_key("worker", s->worker->name, "mcp-tools");
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct worker_mcp_seen seen = { 0 };
	int rc;

	rc = worker_smcp_ask(s->run, s->worker, false, &seen, err);
	if (rc == 0) {
		jdoc_write(seen.names, &text);
		rc = journal_put(s->run->journal, key, buf_cstr(&text), err);
		buf_printf(&note->diff, "  %zu tools of the source's SMCP "
		    "are to be met again\n", jdoc_len(seen.names));
	} else if (err->kind != ERR_INTERRUPTED) {
		buf_str(&note->diff, "  the source's SMCP does not answer, "
		    "so its tools will not be compared: ");
		str_printable(&note->diff, err->text, strlen(err->text));
		buf_char(&note->diff, '\n');
		err_clear(err);
		rc = 0;
	}
	jdoc_free(seen.names);
	buf_clear(&text);
	free(key);
	return rc;
}

static int
smcp_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct smcp s = { 0 };
	int rc;

	rc = open_both(&s, run, worker, true, err);
	if (rc == 0 && (!s.target || !s.to))
		rc = err_set(err, ERR_FAILED, "the agent of worker %s is not "
		    "imported yet", worker->name);
	if (rc == 0)
		rc = compare_secrets(&s, err);
	if (rc == 0)
		rc = give_secrets(&s, err);
	if (rc == 0) {
		say(&s, note, "went to");
		rc = note_tools(&s, note, err);
	}
	smcp_clear(&s);
	return rc;
}

/* An agent that is gone has no secrets any more. */
static int
take_secrets(struct smcp *s, struct err *err)
{
	struct jdoc *noted = NULL;
	int rc;

	rc = agent_staged_list(s->run->journal, s->secrets_key, &noted, err);
	if (rc == 0 && s->target && jdoc_len(noted) > 0) {
		rc = get_agent(s->to, s->target, &s->to_agent, err);
		if (rc == 0)
			rc = send_secrets(s, NULL, noted, err);
		if (rc != 0 && err->kind == ERR_MISSING) {
			err_clear(err);
			rc = 0;
		}
	}
	if (rc == 0)
		rc = journal_put(s->run->journal, s->secrets_key, "", err);
	jdoc_free(noted);
	return rc;
}

static int
smcp_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct smcp s = { 0 };
	int rc;

	if (!conf_worker_has(step->subject, "smcp"))
		return 0;
	rc = open_both(&s, run, step->subject, false, err);
	if (rc == 0 && s.to)
		rc = worker_smcp_entry_restore(run, step->subject, s.to,
		    note, err);
	if (rc == 0 && s.to)
		rc = take_secrets(&s, err);
	if (rc == 0)
		plan_say(note, '-', "the agent's secrets of this job are "
		    "removed, the MCP server is as it was");
	smcp_clear(&s);
	return rc;
}

const struct step_kind worker_smcp_kind = {
	.word = "smcp",
	.probe = smcp_probe,
	.act = smcp_act,
	.undo = smcp_undo,
};

int
worker_smcp_disconnect(struct run *run, const struct conf_worker *worker,
    struct plan_note *note, struct err *err)
{
	struct server *to;

	if (!conf_worker_has(worker, "smcp"))
		return 0;
	if (run_server(run, worker->server, &to, err) == 0 &&
	    worker_smcp_entry_restore(run, worker, to, note, err) == 0)
		return 0;
	if (err->kind == ERR_INTERRUPTED)
		return -1;
	log_warn("worker %s: the MCP server of its SMCP may still name the "
	    "target: %s", worker->name, err->text);
	err_clear(err);
	return 0;
}

/* MCP_API_KEY, or the first of MCP_API_KEYS; NULL: none. */
static int
find_key(struct host *host, const char *dir, struct secret **out,
    struct err *err)
{
	struct buf text;
	bool found;
	int rc;

	*out = NULL;
	buf_init_still(&text, KEY_MAX);
	rc = worker_env_value(host, dir, "smcp", "MCP_API_KEY", &text, &found,
	    err);
	if (rc == 0 && (!found || text.len == 0))
		rc = worker_env_value(host, dir, "smcp", "MCP_API_KEYS",
		    &text, &found, err);
	if (rc == 0 && found && text.len > 0)
		*out = secret_new(text.data, strcspn(text.data, ", \t"));
	buf_wipe(&text);
	return rc;
}

static int
find_port(struct host *host, const char *dir, unsigned int *port,
    struct err *err)
{
	struct buf text = BUF_INIT(64);
	uint64_t number = PORT;
	bool found;
	int rc;

	rc = worker_env_value(host, dir, "smcp", "MCP_PORT", &text, &found,
	    err);
	if (rc == 0 && found &&
	    (!str_u64(buf_cstr(&text), 65535, &number) || number == 0))
		rc = err_set(err, ERR_DATA, "%s:%s: MCP_PORT is no port",
		    host_name(host), dir);
	*port = (unsigned int)number;
	buf_clear(&text);
	return rc;
}

int
worker_smcp_ask(struct run *run, const struct conf_worker *worker,
    bool target, struct worker_mcp_seen *seen, struct err *err)
{
	const char *dir = target ? worker->to_path : worker->from_path;
	char *key = run_key("worker", worker->name, "mcp-tools");
	struct worker_mcp_spec spec = { .call = target };
	struct jdoc *want = NULL;
	struct secret *api_key = NULL;
	struct host *host;
	int rc;

	*seen = (struct worker_mcp_seen){ 0 };
	rc = run_host(run, target ? worker->to_host : worker->from_host,
	    &host, err);
	if (rc == 0)
		rc = find_port(host, dir, &spec.port, err);
	if (rc == 0)
		rc = find_key(host, dir, &api_key, err);
	if (rc == 0 && target)
		rc = agent_staged_list(run->journal, key, &want, err);
	spec.key = api_key;
	spec.want = jdoc_len(want) > 0 ? want : NULL;
	if (rc == 0)
		rc = worker_mcp_check(host, &spec, seen, err);
	secret_free(api_key);
	jdoc_free(want);
	free(key);
	return rc;
}
