#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "core/turn.h"
#include "flow/agent.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* Stored rows of one page: 1000-5000 is fastest (0.16.2, measured). */
#define MESSAGES_PAGE 1000

/* Passages of one page; each carries 25 kB of embedding. */
#define PASSAGES_PAGE 100

/* Conversations that are counted; what is over is counted as this many. */
#define CONVERSATIONS_MAX 1000

/* One listing on its way into the journal. */
struct listing {
	struct server *server;
	struct journal *journal;
	const char *id;		/* of the agent */
	const char *agent_type;
	const char *what;	/* "messages" or "passages" */
	char *scope;
};

static int
stage_row(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct listing *listing = ctx;
	bool added;

	if (journal_row_add(listing->journal, listing->scope, id, body, len,
	    &added, err) != 0)
		return -1;
	/* A page and its cursor commit together, so no resume repeats one. */
	if (!added)
		return err_set(err, ERR_DATA, "the listing of %s gave %s "
		    "twice", listing->what, id);
	return 0;
}

/* Fetch one page and put its rows into the open transaction. */
static int
stage_messages(struct listing *listing, const char *after, size_t *items,
    char last_id[static LETTA_ID_SIZE], struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct turn_page page = { 0 };
	int rc;

	letta_path_messages(&path, listing->id, after, MESSAGES_PAGE);
	rc = server_get(listing->server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = turn_page(listing->agent_type, buf_cstr(&answer),
		    answer.len, stage_row, listing, &page, err);
	*items = page.items;
	(void)snprintf(last_id, LETTA_ID_SIZE, "%s", page.last_id);
	buf_clear(&answer);
	buf_clear(&path);
	return rc;
}

static int
stage_passages(struct listing *listing, const char *after, size_t *items,
    char last_id[static LETTA_ID_SIZE], struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_passage_page page = { 0 };
	int rc;

	letta_path_passages(&path, listing->id, after, PASSAGES_PAGE);
	rc = server_get(listing->server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_passages(buf_cstr(&answer), answer.len,
		    stage_row, listing, &page, err);
	*items = page.items;
	(void)snprintf(last_id, LETTA_ID_SIZE, "%s", page.last_id);
	buf_clear(&answer);
	buf_clear(&path);
	return rc;
}

typedef int stage_page(struct listing *, const char *after, size_t *items,
    char last_id[static LETTA_ID_SIZE], struct err *);

/*
 * Page until an empty page, from where the journal's cursor stands; a count
 * of items ends nothing (a page may hold fewer than its limit).  An ended
 * listing is asked for once more: rows may have been added since.
 */
static int
page_all(struct listing *listing, stage_page *stage, struct err *err)
{
	char *label = mem_printf("%s of %s", listing->what, listing->id);
	char last_id[LETTA_ID_SIZE], *cursor = NULL;
	uint64_t rows;
	bool ended = false;
	size_t items;
	int rc;

	progress_begin(label, listing->what, 0);
	rc = journal_cursor(listing->journal, listing->scope, &cursor, &ended,
	    err);
	for (ended = false; rc == 0 && !ended;) {
		rc = stop_check(err);
		if (rc == 0)
			rc = journal_page_begin(listing->journal, err);
		if (rc != 0)
			break;
		rc = stage(listing, cursor, &items, last_id, err);
		if (rc != 0) {
			journal_page_abort(listing->journal);
			break;
		}
		ended = items == 0;
		if (!ended && cursor && strcmp(cursor, last_id) == 0) {
			journal_page_abort(listing->journal);
			rc = err_set(err, ERR_DATA, "%s: the page after %s "
			    "ends with it: the listing goes in a circle",
			    label, cursor);
			break;
		}
		if (!ended) {
			free(cursor);
			cursor = mem_strdup(last_id);
		}
		rc = journal_page_commit(listing->journal, listing->scope,
		    cursor ? cursor : "", ended, err);
		if (rc == 0 && journal_count(listing->journal, listing->scope,
		    &rows, err) == 0)
			progress_at(rows);
	}
	progress_end();
	free(cursor);
	free(label);
	return rc;
}

static int
read_listing(struct server *server, const char *id,
    const struct conf_agent *agent, const char *agent_type, const char *side,
    const char *what, bool fresh, struct journal *journal, struct err *err)
{
	struct listing listing = {
		.server = server,
		.journal = journal,
		.id = id,
		.agent_type = agent_type,
		.what = what,
		.scope = agent_scope(side, agent, what),
	};
	int rc = 0;

	if (fresh)
		rc = journal_scope_drop(journal, listing.scope, err);
	if (rc == 0)
		rc = page_all(&listing, agent_type ? stage_messages :
		    stage_passages, err);
	free(listing.scope);
	return rc;
}

int
agent_read_passages(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side, bool fresh,
    struct journal *journal, struct err *err)
{
	return read_listing(server, id, agent, NULL, side, "passages", fresh,
	    journal, err);
}

/* The same names, each with the empty text. */
static void
blank_values(struct jdoc *agent, const char *key)
{
	const struct jdoc *values = jdoc_get(agent, key);
	struct jdoc_member member = { 0 };
	struct jdoc *blank;

	if (jdoc_type(values) != JDOC_OBJECT)
		return;
	blank = jdoc_new_object();
	while (jdoc_next(values, &member))
		jdoc_set_str(blank, member.key, "");
	jdoc_set(agent, key, blank);
}

/*
 * Servers export the variables of tools without their values (0.16.2 and
 * 0.16.8, seen); whatever another one does, they are secrets and do not get
 * into the journal.
 */
static int
keep_shell(const struct buf *answer, const char *key, struct journal *journal,
    struct err *err)
{
	struct jdoc *shell = jdoc_parse(buf_cstr(answer), answer->len, err);
	struct jdoc *agents, *agent;
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc = -1;

	if (!shell)
		return err_ctx(err, "export");
	agents = jdoc_edit(shell, "agents");
	for (size_t i = 0; i < jdoc_len(agents); i++) {
		agent = jdoc_edit_at(agents, i);
		blank_values(agent, "tool_exec_environment_variables");
		blank_values(agent, "secrets");
	}
	jdoc_write(shell, &text);
	if (buf_check(&text, "export", err) == 0)
		rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(shell);
	buf_wipe(&text);
	return rc;
}

static int
read_shell(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	char *key = agent_shell_key(side, agent);
	int rc;

	letta_path_export(&path, id);
	rc = server_get(server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = keep_shell(&answer, key, journal, err);
	free(key);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/*
 * What of the agent's state is kept: the whole of it would bring the values
 * of its tools' environment variables, which are secrets, into the journal.
 */
static int
keep_state(const struct letta_agent *state, const char *key,
    struct journal *journal, struct err *err)
{
	struct jdoc *kept = jdoc_new_object();
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	if (state->name)
		jdoc_set_str(kept, "name", state->name);
	if (state->agent_type)
		jdoc_set_str(kept, "agent_type", state->agent_type);
	if (state->message_ids)
		jdoc_set(kept, "message_ids", jdoc_copy(state->message_ids));
	jdoc_write(kept, &text);
	rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(kept);
	buf_clear(&text);
	return rc;
}

/* The agent's state; *type is the caller's to free. */
static int
read_state(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, char **type, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_agent state = { 0 };
	char *key = agent_state_key(side, agent);
	int rc;

	letta_path_agent(&path, id);
	rc = server_get(server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_agent(buf_cstr(&answer), answer.len, &state,
		    err);
	if (rc == 0)
		rc = keep_state(&state, key, journal, err);
	if (rc == 0)
		*type = mem_strdup(state.agent_type ? state.agent_type : "");
	letta_answer_agent_clear(&state);
	free(key);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/* The state first: its ids in context then name rows that are listed. */
int
agent_read_messages(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side, bool fresh,
    struct journal *journal, struct err *err)
{
	char *type = NULL;
	int rc;

	rc = read_state(server, id, agent, side, journal, &type, err);
	if (rc == 0)
		rc = read_listing(server, id, agent, type, side, "messages",
		    fresh, journal, err);
	free(type);
	return rc;
}

/* How many conversations lie beside the agent's own history. */
static int
read_conversations(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	char *key = agent_conversations_key(side, agent), *count = NULL;
	struct jdoc *list = NULL;
	int rc;

	letta_path_conversations(&path, id, CONVERSATIONS_MAX);
	rc = server_get_doc(server, buf_cstr(&path), "conversations", &list,
	    err);
	if (rc == 0) {
		count = mem_printf("%zu", jdoc_len(list));
		rc = journal_put(journal, key, count, err);
	}
	jdoc_free(list);
	free(count);
	free(key);
	buf_clear(&path);
	return rc;
}

int
agent_read_side(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side, bool fresh,
    struct journal *journal, struct err *err)
{
	int rc;

	rc = agent_read_messages(server, id, agent, side, fresh, journal,
	    err);
	if (rc == 0)
		rc = agent_read_passages(server, id, agent, side, fresh,
		    journal, err);
	if (rc == 0)
		rc = read_conversations(server, id, agent, side, journal,
		    err);
	if (rc == 0)
		rc = read_shell(server, id, agent, side, journal, err);
	return rc != 0 ? err_ctx(err, "read agent %s (%s)", agent->name, id) :
	    0;
}

/* Once the import is done, what was read is what was moved: it stays. */
static int
is_imported(struct run *run, const struct conf_agent *agent, bool *out,
    struct err *err)
{
	char *id = NULL;

	if (agent_target_id(run, agent, &id, err) != 0)
		return -1;
	*out = id != NULL;
	free(id);
	return 0;
}

static int
count_rows(struct run *run, const struct conf_agent *agent,
    uint64_t *messages, uint64_t *passages, struct err *err)
{
	char *m = agent_scope("source", agent, "messages");
	char *p = agent_scope("source", agent, "passages");
	int rc;

	rc = journal_count(run->journal, m, messages, err);
	if (rc == 0)
		rc = journal_count(run->journal, p, passages, err);
	free(m);
	free(p);
	return rc;
}

static int
read_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	uint64_t messages, passages, conversations;
	struct server *from;
	char beside[96] = "";
	bool imported;

	if (is_imported(run, agent, &imported, err) != 0)
		return -1;
	/* Staging is the journal's own: a plan does it too, and can count. */
	if (!imported && (run_server(run, agent->from, &from, err) != 0 ||
	    agent_read_side(from, agent->from_id, agent, "source", false,
	    run->journal, err) != 0))
		return -1;
	if (count_rows(run, agent, &messages, &passages, err) != 0 ||
	    agent_conversations(run->journal, "source", agent,
	    &conversations, err) != 0)
		return -1;
	if (conversations > 0)
		(void)snprintf(beside, sizeof(beside), "; its %" PRIu64
		    " conversations beside that are not moved",
		    conversations);
	plan_say(note, '+', "%" PRIu64 " messages and %" PRIu64 " passages "
	    "of %s read from %s into the journal%s", messages, passages,
	    agent->from_id, agent->from->name, beside);
	*found = PLAN_DONE;
	return 0;
}

static int
read_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	enum plan_found found;

	return read_probe(run, step, note, &found, err);
}

/* Everything that was read of both sides; a later apply reads it again. */
static int
read_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	static const char *const sides[] = { "source", "target" };
	static const char *const listings[] = { "messages", "passages" };
	const struct conf_agent *agent = step->subject;
	char *scope, *keys[2];
	int rc = 0;

	for (size_t i = 0; i < 4 && rc == 0; i++) {
		scope = agent_scope(sides[i / 2], agent, listings[i % 2]);
		rc = journal_scope_drop(run->journal, scope, err);
		free(scope);
	}
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		keys[0] = agent_shell_key(sides[i], agent);
		keys[1] = agent_state_key(sides[i], agent);
		rc = journal_put(run->journal, keys[0], "", err);
		if (rc == 0)
			rc = journal_put(run->journal, keys[1], "", err);
		free(keys[0]);
		free(keys[1]);
	}
	if (rc == 0)
		plan_say(note, '-', "what was read of %s is dropped from the "
		    "journal", agent->name);
	return rc;
}

const struct step_kind agent_read_kind = {
	.word = "read",
	.probe = read_probe,
	.act = read_act,
	.undo = read_undo,
};
