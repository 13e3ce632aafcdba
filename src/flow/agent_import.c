#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_feed.h"
#include "flow/agent_marked.h"
#include "flow/agent_tools.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/http.h"
#include "io/journal.h"

#define IMPORT_TIMEOUT_MS 3600000

/*
 * A server goes on with an import after its client is gone.  A resumed run
 * waits for one that was sent before to show, and then for as long as its
 * rows grow: 15 s, and a second more per 2,000 rows (a file of 100,000 took
 * 33 s on 0.16.8).
 */
#define SETTLE_MS 15000
#define SETTLE_ROWS_A_SECOND 2000
#define SETTLE_PAUSE_MS 250

/*
 * How many rows an agent on the target has, by listing them all.  One that is
 * half made may not even be listed: then it has none yet.
 */
static int
count_there(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *id, uint64_t *rows,
    struct err *err)
{
	char *scope = agent_scope("target", agent, "messages");
	int rc;

	*rows = 0;
	rc = agent_read_messages(to, id, agent, "target", true, run->journal,
	    err);
	if (rc == 0)
		rc = agent_feed_count(&(struct agent_feed_source){
		    .journal = run->journal, .scope = scope }, rows, NULL,
		    err);
	else if (err->kind == ERR_DATA || err->kind == ERR_FAILED ||
	    err->kind == ERR_MISSING) {
		log_detail("%s", err->text);
		err_clear(err);
		rc = 0;
	}
	free(scope);
	return rc;
}

/*
 * Wait for an import that an earlier run has sent.  marked is what there is
 * in the end; *whole: it is one agent with all want rows.
 */
static int
wait_for_it(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *name, uint64_t want,
    struct agent_marked *marked, bool *whole, struct err *err)
{
	uint64_t patience_ms, deadline_ms, rows, before = 0;

	patience_ms = SETTLE_MS + want * 1000 / SETTLE_ROWS_A_SECOND;
	deadline_ms = clock_ms() + patience_ms;
	*whole = false;
	while (clock_left_ms(deadline_ms) > 0) {
		if (stop_check(err) != 0 ||
		    agent_marked_find(to, name, marked, err) != 0)
			return -1;
		if (marked->n > 1)
			return 0;
		if (marked->n == 1) {
			if (count_there(run, to, agent, marked->ids[0], &rows,
			    err) != 0)
				return -1;
			*whole = rows == want;
			if (*whole)
				return 0;
			if (rows != before)
				deadline_ms = clock_ms() + patience_ms;
			before = rows;
		}
		clock_sleep_ms(SETTLE_PAUSE_MS);
	}
	return 0;
}

/*
 * An import was sent by an earlier run and its answer was not recorded.
 * *id is the agent that it made, when that is whole; else NULL, and nothing
 * of it is left on the target.
 */
static int
settle(struct run *run, struct server *to, const struct conf_agent *agent,
    const char *name, char **id, struct err *err)
{
	char *scope = agent_scope("source", agent, "messages");
	struct agent_marked marked = { 0 };
	uint64_t want;
	bool whole = false;
	int rc;

	*id = NULL;
	rc = agent_feed_count(&(struct agent_feed_source){
	    .journal = run->journal, .scope = scope,
	    .rules = &(struct af_rules){ 0 } }, &want, NULL, err);
	if (rc == 0)
		rc = wait_for_it(run, to, agent, name, want, &marked,
		    &whole, err);
	if (rc == 0 && whole)
		*id = mem_strdup(marked.ids[0]);
	else if (rc == 0) {
		if (marked.n > 0)
			log_info("removing what an earlier import of %s left",
			    agent->name);
		rc = agent_marked_remove(to, &marked, NULL, err);
	}
	free(scope);
	return rc;
}

/* The file on its way: what curl asks for comes from the journal. */
struct sending {
	struct af_writer *writer;
	uint64_t bytes;
};

static ptrdiff_t
send_more(void *ctx, char *data, size_t size, struct err *err)
{
	struct sending *sending = ctx;
	ptrdiff_t n = af_read(sending->writer, data, size, err);

	if (n > 0) {
		sending->bytes += (uint64_t)n;
		progress_at(sending->bytes);
	}
	return n;
}

static int
upload(struct server *to, struct af_writer *writer, const char *name,
    char id[static LETTA_ID_SIZE], struct err *err)
{
	struct http_field fields[LETTA_IMPORT_FIELDS];
	struct http_reply reply = { .body = BUF_INIT(LETTA_ANSWER_MAX) };
	struct sending sending = { .writer = writer };
	char *filename = mem_printf("%s.af", name);
	int rc;

	for (size_t i = 0; i < LETTA_IMPORT_FIELDS; i++)
		fields[i] = (struct http_field){
			.name = letta_import_fields[i].name,
			.value = letta_import_fields[i].value,
		};
	progress_begin("import", "bytes", 0);
	rc = http_upload(to->http, LETTA_PATH_IMPORT, fields,
	    LETTA_IMPORT_FIELDS, filename, send_more, &sending,
	    IMPORT_TIMEOUT_MS, &reply, err);
	progress_end();
	if (rc == 0)
		rc = server_status(to, "POST", LETTA_PATH_IMPORT,
		    reply.status, &reply.body, err);
	if (rc == 0)
		rc = letta_answer_import(buf_cstr(&reply.body),
		    reply.body.len, id, err);
	free(filename);
	buf_clear(&reply.body);
	return rc;
}

/* What the journal holds of the source, as the writer of a file wants it. */
struct source_texts {
	char *shell;
	char *state;
	struct jdoc *state_doc;
};

static int
texts_load(struct source_texts *texts, struct run *run,
    const struct conf_agent *agent, struct err *err)
{
	char *shell_key = agent_shell_key("source", agent);
	char *state_key = agent_state_key("source", agent);
	int rc;

	rc = journal_get(run->journal, shell_key, &texts->shell, err);
	if (rc == 0)
		rc = journal_get(run->journal, state_key, &texts->state, err);
	if (rc == 0 && (!texts->shell || !*texts->shell || !texts->state))
		rc = err_set(err, ERR_FAILED, "agent %s has not been read "
		    "from its source", agent->name);
	if (rc == 0) {
		texts->state_doc = jdoc_parse(texts->state,
		    strlen(texts->state), err);
		rc = texts->state_doc ? 0 : -1;
	}
	free(shell_key);
	free(state_key);
	return rc;
}

static void
texts_clear(struct source_texts *texts)
{
	free(texts->shell);
	free(texts->state);
	jdoc_free(texts->state_doc);
}

/*
 * Before the first byte goes the journal knows that it went, and which tools
 * it brings.  An import that was sent before may have brought them already:
 * what was noted then stands.
 */
static int
note_sending(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *shell_text, struct err *err)
{
	char *sent_key = run_key("agent", agent->name, "sent");
	char *tools_key = run_key("agent", agent->name, "tools-brought");
	struct af_shell shell = { 0 };
	char *sent = NULL;
	int rc;

	rc = journal_get(run->journal, sent_key, &sent, err);
	if (rc == 0 && !(sent && str_eq(sent, "yes"))) {
		rc = af_shell_read(shell_text, strlen(shell_text), &shell,
		    err);
		if (rc == 0)
			rc = agent_tools_note(to, &shell, run->journal,
			    tools_key, err);
		if (rc == 0)
			rc = journal_put(run->journal, sent_key, "yes", err);
	}
	af_shell_clear(&shell);
	free(sent);
	free(tools_key);
	free(sent_key);
	return rc;
}

/* What was sent, and everything that was changed on the way. */
static void
say_sent(struct plan_note *note, const char *id, const struct af_stats *stats,
    const uint64_t changed[static AF_CHANGES])
{
	const struct {
		uint64_t count;
		const char *what;
	} changes[] = {
		{ stats->context_missing, "ids in context without a row" },
		{ stats->returns_dropped,
		    "tool returns out of context, their call is" },
		{ stats->returns_added,
		    "tool returns taken into context, behind their call" },
		{ stats->system_added, "system row put into context" },
		{ stats->limits_raised,
		    "block limits raised to the value's length" },
	};
	struct buf line = BUF_INIT(1024);

	buf_printf(&line, "%s: %" PRIu64 " rows, %" PRIu64 " in context", id,
	    stats->rows, stats->context_kept);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		if (changes[i].count > 0)
			buf_printf(&line, "; %" PRIu64 " %s",
			    changes[i].count, changes[i].what);
	}
	for (unsigned int i = 0; i < AF_CHANGES; i++) {
		if (changed[i] > 0)
			buf_printf(&line, "; %" PRIu64 " rows: %s",
			    changed[i], af_change_text(i));
	}
	plan_say(note, '+', "%s", buf_cstr(&line));
	buf_clear(&line);
}

/* Make the file while it is sent, once. */
static int
send_file(struct run *run, struct server *to, const struct conf_agent *agent,
    const char *name, struct plan_note *note, char id[static LETTA_ID_SIZE],
    struct err *err)
{
	char *scope = agent_scope("source", agent, "messages");
	struct source_texts texts = { 0 };
	struct agent_feed *feed = NULL;
	struct af_writer *writer = NULL;
	struct af_source source;
	struct af_stats stats;
	int rc;

	rc = texts_load(&texts, run, agent, err);
	if (rc == 0)
		rc = agent_feed_open(&(struct agent_feed_source){
		    .journal = run->journal, .scope = scope,
		    .rules = &(struct af_rules){ 0 } }, &feed, err);
	if (rc == 0) {
		source = (struct af_source){
			.shell = texts.shell,
			.shell_len = strlen(texts.shell),
			.name = name,
			.in_context = jdoc_get(texts.state_doc,
			    "message_ids"),
			.next = agent_feed_next,
			.ctx = feed,
		};
		rc = af_open(&source, &writer, err);
	}
	if (rc == 0)
		rc = note_sending(run, to, agent, texts.shell, err);
	if (rc == 0)
		rc = upload(to, writer, name, id, err);
	if (rc == 0) {
		af_stats(writer, &stats);
		say_sent(note, id, &stats, agent_feed_changes(feed));
	}
	af_close(writer);
	agent_feed_close(feed);
	texts_clear(&texts);
	free(scope);
	return rc;
}

/*
 * An answer other than 200 leaves the agent, its blocks and its tools half
 * made (0.16.2, seen); take them away and keep the first failure.
 */
static void
clean_up(struct server *to, const char *name, struct err *err)
{
	struct err second = ERR_INIT;
	struct agent_marked marked;

	if (agent_marked_find(to, name, &marked, &second) != 0 ||
	    agent_marked_remove(to, &marked, NULL, &second) != 0)
		(void)err_ctx(err, "(and what the import left behind could "
		    "not be looked for: the next apply does)");
}

/*
 * No answer, or a gateway's for a server that it waited for: the server may
 * be at it still, and only a later look can tell.
 */
static int
not_answered(struct err *err)
{
	err->kind = ERR_AGAIN;
	(void)err_transient(err);
	return err_ctx(err, "the import was not answered; run the same "
	    "command again, it looks for what arrived");
}

/*
 * The agent is ours when it has our temporary name, whatever the answer to
 * the import says.  The journal has its id, and which blocks came with it,
 * from here on.
 */
static int
take_id(struct run *run, struct server *to, const struct conf_agent *agent,
    const char *name, const char *id, struct err *err)
{
	char *key = run_key("agent", agent->name, "blocks-made");
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct agent_marked marked;
	struct jdoc *made = NULL;
	bool ours = false;
	int rc;

	rc = agent_marked_find(to, name, &marked, err);
	for (size_t i = 0; rc == 0 && i < marked.n; i++)
		ours |= str_eq(marked.ids[i], id);
	if (rc == 0 && !ours)
		rc = err_set(err, ERR_DATA, "%s: the answer to the import "
		    "names %s, which is not the agent that was sent; nothing "
		    "more was done with it", to->name, id);
	if (rc == 0)
		rc = agent_blocks(to, id, &made, err);
	if (rc == 0) {
		jdoc_write(made, &text);
		rc = journal_put(run->journal, key, buf_cstr(&text), err);
	}
	if (rc == 0)
		rc = journal_id_put(run->journal, "agent", agent->from_id, id,
		    err);
	jdoc_free(made);
	buf_clear(&text);
	free(key);
	return rc;
}

static int
import_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *name = agent_temporary_name(run, agent);
	char *sent_key = run_key("agent", agent->name, "sent");
	char *sent = NULL, *found = NULL;
	char id[LETTA_ID_SIZE];
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = journal_get(run->journal, sent_key, &sent, err);
	if (rc == 0 && sent && str_eq(sent, "yes"))
		rc = settle(run, to, agent, name, &found, err);
	if (rc == 0 && found) {
		(void)snprintf(id, sizeof(id), "%s", found);
		plan_say(note, '+', "%s, which an earlier run had sent", id);
	} else if (rc == 0) {
		rc = send_file(run, to, agent, name, note, id, err);
		if (rc != 0 && (err->kind == ERR_UNREACHABLE ||
		    err->kind == ERR_AGAIN))
			rc = not_answered(err);
		else if (rc != 0 && err->kind != ERR_INTERRUPTED)
			clean_up(to, name, err);
	}
	if (rc == 0)
		rc = take_id(run, to, agent, name, id, err);
	free(found);
	free(sent);
	free(sent_key);
	free(name);
	return rc;
}

/* What can be told before the file is sent: name and tools. */
static int
look_ahead(struct run *run, const struct conf_agent *agent,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	char *shell_key = agent_shell_key("source", agent), *text = NULL;
	struct af_shell shell = { 0 };
	struct server *to;
	bool ready = false;
	int rc;

	rc = journal_get(run->journal, shell_key, &text, err);
	if (rc == 0 && (!text || !*text))
		rc = err_set(err, ERR_FAILED, "not read from its source yet");
	if (rc == 0)
		rc = af_shell_read(text, strlen(text), &shell, err);
	if (rc == 0)
		rc = agent_target_ready(run, agent, &ready, err);
	if (rc == 0 && ready) {
		rc = run_server(run, agent->to, &to, err);
		if (rc == 0)
			rc = agent_tools_check(to, &shell, err);
	}
	if (rc == 0)
		plan_say(note, '+', "import %s into %s: %zu blocks, %zu "
		    "tools, type %s", agent->name, agent->to->name,
		    shell.n_blocks, shell.n_tools, shell.agent_type);
	*found = ready ? PLAN_TODO : PLAN_WAITS;
	af_shell_clear(&shell);
	free(text);
	free(shell_key);
	return rc;
}

/* An agent that the journal knows must still be there. */
static int
check_there(struct run *run, const struct conf_agent *agent, const char *id,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	letta_path_agent(&path, id);
	if (rc == 0)
		rc = server_get(to, buf_cstr(&path), &answer, err);
	if (rc != 0 && err->kind == ERR_MISSING)
		rc = err_set(err, ERR_STALE, "%s: agent %s was imported by "
		    "this job and is gone; `cancel' the job, then apply it "
		    "again", agent->to->name, id);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

static int
import_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *id = NULL;
	int rc;

	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id) {
		rc = check_there(run, agent, id, err);
		plan_say(note, '+', "%s is %s on %s", agent->name, id,
		    agent->to->name);
		*found = PLAN_DONE;
	} else if (rc == 0) {
		rc = look_ahead(run, agent, note, found, err);
	}
	free(id);
	return rc;
}

static int
remove_tools(struct run *run, struct server *to,
    const struct conf_agent *agent, struct err *err)
{
	char *shell_key = agent_shell_key("source", agent), *text = NULL;
	char *tools_key = run_key("agent", agent->name, "tools-brought");
	struct af_shell shell = { 0 };
	int rc;

	rc = journal_get(run->journal, shell_key, &text, err);
	if (rc == 0 && text && *text) {
		rc = af_shell_read(text, strlen(text), &shell, err);
		if (rc == 0)
			rc = agent_tools_remove(to, &shell, run->journal,
			    tools_key, err);
	}
	af_shell_clear(&shell);
	free(text);
	free(tools_key);
	free(shell_key);
	return rc;
}

static int
remove_ours(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *id, struct err *err)
{
	char *key = run_key("agent", agent->name, "blocks-made"), *text = NULL;
	struct jdoc *made = NULL;
	int rc;

	rc = journal_get(run->journal, key, &text, err);
	if (rc == 0 && text) {
		made = jdoc_parse(text, strlen(text), err);
		rc = made ? 0 : err_ctx(err, "journal key %s", key);
	}
	if (rc == 0)
		rc = agent_remove(to, id, made, err);
	jdoc_free(made);
	free(text);
	free(key);
	return rc;
}

static int
import_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *name = agent_temporary_name(run, agent);
	char *sent_key = run_key("agent", agent->name, "sent");
	char *id = NULL;
	struct agent_marked marked;
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = remove_ours(run, to, agent, id, err);
	if (rc == 0)
		rc = agent_marked_find(to, name, &marked, err);
	if (rc == 0)
		rc = agent_marked_remove(to, &marked, NULL, err);
	if (rc == 0)
		rc = remove_tools(run, to, agent, err);
	if (rc == 0)
		rc = journal_id_put(run->journal, "agent", agent->from_id, "",
		    err);
	if (rc == 0)
		rc = journal_put(run->journal, sent_key, "no", err);
	if (rc == 0)
		plan_say(note, '-', "%s is off %s, with its blocks and the "
		    "tools it brought", agent->name, agent->to->name);
	free(id);
	free(sent_key);
	free(name);
	return rc;
}

const struct step_kind agent_import_kind = {
	.word = "import",
	.probe = import_probe,
	.act = import_act,
	.undo = import_undo,
};
