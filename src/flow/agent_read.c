#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_checks.h"
#include "flow/agent_identities.h"
#include "flow/agent_page.h"
#include "flow/agent_passages.h"
#include "flow/agent_raw.h"
#include "flow/agent_shell.h"
#include "flow/agent_source.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* Journal key: "yes" once every row was read as it is stored. */
#define RAW_READ "raw-read"
/* "yes": what is staged is to be dropped and read from its first page on. */
#define ANEW "read-anew"

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

/* Whether a fact says that this very process did it. */
static int
is_ours(struct run *run, const struct conf_agent *agent, const char *what,
    bool *out, struct err *err)
{
	char *key = run_key("agent", agent->name, what), *by = NULL;
	int rc = journal_get(run->journal, key, &by, err);

	*out = by && str_eq(by, run->nonce);
	free(by);
	free(key);
	return rc;
}

static int
note_ours(struct run *run, const struct conf_agent *agent, const char *what,
    struct err *err)
{
	char *key = run_key("agent", agent->name, what);
	int rc = journal_put(run->journal, key, run->nonce, err);

	free(key);
	return rc;
}

/* Set or unset a fact that is "yes"; asked for by is_yes. */
static int
put_yes(struct run *run, const struct conf_agent *agent, const char *what,
    bool yes, struct err *err)
{
	char *key = run_key("agent", agent->name, what);
	int rc = journal_put(run->journal, key, yes ? "yes" : "", err);

	free(key);
	return rc;
}

static int
is_yes(struct run *run, const struct conf_agent *agent, const char *what,
    bool *out, struct err *err)
{
	char *key = run_key("agent", agent->name, what), *text = NULL;
	int rc = journal_get(run->journal, key, &text, err);

	*out = text && str_eq(text, "yes");
	free(text);
	free(key);
	return rc;
}

/* From the first page on, or from where the journal stands. */
static int
load_source(struct run *run, const struct conf_agent *agent, bool anew,
    struct err *err)
{
	char *scope = agent_scope("source", agent, "messages"), *cursor = NULL;
	bool ended;
	int rc;

	rc = journal_cursor(run->journal, scope, &cursor, &ended, err);
	if (rc == 0 && (anew || !cursor))
		rc = note_ours(run, agent, "read-from-start-by", err);
	if (rc == 0)
		rc = agent_source_load(run, agent, anew, run->journal, err);
	if (rc == 0 && anew)
		rc = put_yes(run, agent, ANEW, false, err);
	if (rc == 0)
		rc = note_ours(run, agent, "read-to-end-by", err);
	free(cursor);
	free(scope);
	return rc;
}

/*
 * Read on from where the journal stands; once in a process.  Who began with
 * nothing is noted (agent_read_again).
 */
static int
read_source(struct run *run, const struct conf_agent *agent, struct err *err)
{
	bool anew, done;

	if (is_ours(run, agent, "read-to-end-by", &done, err) != 0 ||
	    (!done && is_yes(run, agent, ANEW, &anew, err) != 0))
		return -1;
	return done ? 0 : load_source(run, agent, anew, err);
}

int
agent_read_anew(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	if (put_yes(run, agent, ANEW, true, err) != 0 ||
	    put_yes(run, agent, "read-to-end-by", false, err) != 0)
		return -1;
	return put_yes(run, agent, RAW_READ, false, err);
}

int
agent_read_on(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	return read_source(run, agent, err);
}

int
agent_read_again(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	bool ours;

	if (is_ours(run, agent, "read-from-start-by", &ours, err) != 0)
		return -1;
	return agent_source_load(run, agent, !ours, run->journal, err);
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

/*
 * Whether the window of raw_read is still to be opened.  A rehearsal leaves it
 * alone: it is to change nothing.
 */
static int
wants_window(struct run *run, const struct conf_agent *agent, bool *out,
    struct err *err)
{
	char *key = run_key("agent", agent->name, RAW_READ), *done = NULL;
	struct server *from;
	int rc = 0;

	*out = false;
	if (agent->raw_read && !run->rehearsal)
		rc = run_server(run, agent->from, &from, err);
	if (rc == 0 && agent->raw_read && !run->rehearsal &&
	    !from->caps.backward) {
		rc = journal_get(run->journal, key, &done, err);
		*out = rc == 0 && !(done && str_eq(done, "yes"));
	}
	free(done);
	free(key);
	return rc;
}

static int
open_window(struct run *run, const struct conf_agent *agent, struct err *err)
{
	char *key = run_key("agent", agent->name, RAW_READ);
	struct agent_raw_counts counts = { 0 };
	struct server *from;
	int rc;

	rc = run_server(run, agent->from, &from, err);
	if (rc == 0)
		rc = agent_raw_window(from, agent->from_id, agent,
		    run->journal, &counts, err);
	if (rc == 0)
		rc = journal_put(run->journal, key, "yes", err);
	if (rc == 0)
		log_info("%s: %" PRIu64 " rows of %s as they are stored",
		    from->name, counts.placed, agent->from_id);
	free(key);
	return rc;
}

static int
read_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	uint64_t messages, passages, conversations;
	char beside[96] = "";
	bool imported, window = false;

	if (is_imported(run, agent, &imported, err) != 0)
		return -1;
	/* Staging is the journal's own: a plan does it too, and can count. */
	if (!imported && (read_source(run, agent, err) != 0 ||
	    wants_window(run, agent, &window, err) != 0))
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
	    agent_source_id(agent), agent_source_place(agent), beside);
	if (window)
		plan_say(note, '~', "%" PRIu64 " messages of %s are to be read "
		    "as they are stored: its list of messages in context on "
		    "%s is exchanged for that, and put back", messages,
		    agent->from_id, agent->from->name);
	*found = window ? PLAN_TODO : PLAN_DONE;
	return 0;
}

static int
read_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	enum plan_found found;

	if (read_probe(run, step, note, &found, err) != 0)
		return -1;
	if (found != PLAN_TODO)
		return 0;
	if (open_window(run, agent, err) != 0)
		return -1;
	return read_probe(run, step, note, &found, err);
}

static int
forget(struct run *run, const struct conf_agent *agent, struct err *err)
{
	static const char *const facts[] = {
		"read-from-start-by", "read-to-end-by", RAW_READ, "reply",
		"target-export", ANEW
	};
	const size_t n = sizeof(facts) / sizeof(*facts);
	char *key;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		key = run_key("agent", agent->name, facts[i]);
		rc = journal_put(run->journal, key, "", err);
		free(key);
	}
	return rc;
}

/* The rows of every conversation of the source. */
static int
drop_conversations(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	char *list = agent_scope("source", agent, "conversations"), *scope;
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0, rc;

	rc = journal_rows_open(run->journal, list, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		scope = agent_conversation_scope("source", agent, row.id);
		rc = journal_scope_drop(run->journal, scope, err);
		free(scope);
	}
	journal_rows_close(rows);
	free(list);
	return rc == 0 && more == 0 ? 0 : -1;
}

/* Everything that was read of both sides; a later apply reads it again. */
static int
read_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	static const char *const sides[] = { "source", "target" };
	static const char *const listings[] = { "messages", "passages",
	    "conversations", "blocks", "identities" };
	const size_t n = sizeof(listings) / sizeof(*listings);
	const struct conf_agent *agent = step->subject;
	char *scope, *keys[2];
	int rc = drop_conversations(run, agent, err);

	for (size_t i = 0; i < 2 * n && rc == 0; i++) {
		scope = agent_scope(sides[i / n], agent, listings[i % n]);
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
		rc = forget(run, agent, err);
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
