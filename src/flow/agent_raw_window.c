#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_raw.h"
#include "flow/agent_shell.h"
#include "flow/agent_staged.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/*
 * Rows of one batch.  A server exports up to 32,766 at once (0.16.2: its
 * query has no room for more); this many are an answer of about a megabyte.
 */
#define BATCH 1000

/* A window under way. */
struct window {
	struct server *server;
	const char *id;			/* of the agent there */
	const struct conf_agent *agent;
	struct journal *journal;
	struct agent_raw_counts *counts;
	struct jdoc *original;		/* the list as it was */
};

static char *
window_key(const struct conf_agent *agent)
{
	return run_key("agent", agent->name, "context-of-source");
}

static int
get_list(struct server *server, const char *id, struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *state = NULL;
	int rc;

	*out = NULL;
	letta_path_agent(&path, id);
	rc = server_get_doc(server, buf_cstr(&path), "agent", &state, err);
	if (rc == 0 && jdoc_type(jdoc_get(state, "message_ids")) !=
	    JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "%s: agent: no message_ids",
		    server->name);
	if (rc == 0)
		*out = jdoc_copy(jdoc_get(state, "message_ids"));
	jdoc_free(state);
	buf_clear(&path);
	return rc;
}

static int
set_list(struct server *server, const char *id, const struct jdoc *ids,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_agent(&path, id);
	buf_str(&body, "{\"message_ids\":");
	jdoc_write(ids, &body);
	buf_char(&body, '}');
	rc = buf_check(&body, "message_ids", err);
	if (rc == 0)
		rc = server_send(server, "PATCH", buf_cstr(&path),
		    buf_cstr(&body), &answer, err);
	buf_clear(&path);
	buf_clear(&body);
	buf_wipe(&answer);
	return rc;
}

static bool
is_equal(const struct jdoc *a, const struct jdoc *b)
{
	const char *x, *y;

	if (jdoc_len(a) != jdoc_len(b))
		return false;
	for (size_t i = 0; i < jdoc_len(a); i++) {
		x = jdoc_str(jdoc_at(a, i));
		y = jdoc_str(jdoc_at(b, i));
		if (!x || !y || !str_eq(x, y))
			return false;
	}
	return true;
}

int
agent_raw_is_open(const struct conf_agent *agent, struct journal *journal,
    bool *out, struct err *err)
{
	char *key = window_key(agent), *text = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	*out = text && *text;
	free(text);
	free(key);
	return rc;
}

/*
 * The original list, and behind it what the agent has got since that no
 * journal knows: a turn that somebody took within the window.
 */
static int
wanted_list(const struct conf_agent *agent, struct journal *journal,
    const struct jdoc *original, const struct jdoc *now, struct jdoc **out,
    struct err *err)
{
	char *scope = agent_scope("source", agent, "messages");
	struct jdoc *list = jdoc_copy(original);
	const char *id;
	char *body;
	int rc = 0;

	for (size_t i = 0; i < jdoc_len(now) && rc == 0; i++) {
		id = jdoc_str(jdoc_at(now, i));
		if (!id || agent_staged_list_has(original, id))
			continue;
		rc = journal_row_get(journal, scope, id, &body, err);
		if (rc == 0 && !body)
			jdoc_push(list, jdoc_new_str(id));
		free(body);
	}
	free(scope);
	if (rc != 0) {
		jdoc_free(list);
		list = NULL;
	}
	*out = list;
	return rc;
}

static int
put_back(struct server *server, const char *id,
    const struct conf_agent *agent, struct journal *journal,
    const struct jdoc *original, struct err *err)
{
	char *key = window_key(agent);
	struct jdoc *now = NULL, *wanted = NULL, *then = NULL;
	int rc;

	rc = get_list(server, id, &now, err);
	if (rc == 0)
		rc = wanted_list(agent, journal, original, now, &wanted, err);
	if (rc == 0 && !is_equal(now, wanted))
		rc = set_list(server, id, wanted, err);
	if (rc == 0)
		rc = get_list(server, id, &then, err);
	if (rc == 0 && !is_equal(then, wanted))
		rc = err_set(err, ERR_FAILED, "%s: the list of messages in "
		    "context of %s is not what it was set to", server->name,
		    id);
	if (rc == 0)
		rc = journal_put(journal, key, "", err);
	jdoc_free(now);
	jdoc_free(wanted);
	jdoc_free(then);
	free(key);
	return rc;
}

int
agent_raw_restore(struct server *server, const char *id,
    const struct conf_agent *agent, struct journal *journal, struct err *err)
{
	char *key = window_key(agent), *text = NULL;
	struct jdoc *original = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && *text) {
		original = jdoc_parse(text, strlen(text), err);
		rc = original ? put_back(server, id, agent, journal,
		    original, err) : -1;
		if (rc == 0)
			log_info("%s: the messages in context of %s are as "
			    "they were", server->name, id);
		else
			(void)err_ctx(err, "put back the messages in context "
			    "of %s (the journal has their list under %s)",
			    id, key);
	}
	jdoc_free(original);
	free(text);
	free(key);
	return rc;
}

static int
check_idle(const struct window *w, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *runs = NULL;
	int rc;

	letta_path_active_runs(&path, w->id, w->server->caps.backward);
	rc = server_get_doc(w->server, buf_cstr(&path), "active runs", &runs,
	    err);
	if (rc == 0 && jdoc_type(runs) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "%s: active runs: the answer is "
		    "no list", w->server->name);
	else if (rc == 0 && jdoc_len(runs) > 0)
		rc = err_set(err, ERR_AGAIN, "%s: %s is at work (%zu runs "
		    "are not ended); raw_read needs it at rest: nothing was "
		    "changed.  Run the same command later, or without "
		    "raw_read", w->server->name, w->id, jdoc_len(runs));
	jdoc_free(runs);
	buf_clear(&path);
	return rc;
}

/*
 * A turn that somebody let the agent take within the window has put ids behind
 * the batch's: they go behind the original list, in the journal first, and
 * that ends the reading.
 */
static int
check_alone(const struct window *w, const struct jdoc *batch,
    struct err *err)
{
	char *key = window_key(w->agent);
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *now = NULL, *list = NULL;
	const char *id;
	int rc;

	rc = get_list(w->server, w->id, &now, err);
	if (rc == 0 && !is_equal(now, batch)) {
		list = jdoc_copy(w->original);
		for (size_t i = 0; i < jdoc_len(now); i++) {
			id = jdoc_str(jdoc_at(now, i));
			if (id && !agent_staged_list_has(batch, id) &&
			    !agent_staged_list_has(list, id))
				jdoc_push(list, jdoc_new_str(id));
		}
		jdoc_write(list, &text);
		rc = journal_put(w->journal, key, buf_cstr(&text), err);
		if (rc == 0)
			rc = err_set(err, ERR_AGAIN, "%s: somebody let %s "
			    "take a turn while it was read; that turn stays "
			    "in its context.  Run the same command again "
			    "when it is at rest", w->server->name, w->id);
	}
	jdoc_free(now);
	jdoc_free(list);
	buf_clear(&text);
	free(key);
	return rc;
}

static int
read_batch(const struct window *w, const struct jdoc *ids, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *shell = NULL;
	bool legacy;
	int rc;

	letta_path_export(&path, w->id, 0);
	rc = set_list(w->server, w->id, ids, err);
	if (rc == 0)
		rc = server_get(w->server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = agent_shell_of(&answer, &shell, &legacy, err);
	if (rc == 0)
		rc = agent_raw_place(w->agent, "source", w->journal, &answer,
		    shell, ids, legacy, w->counts, err);
	if (rc == 0)
		rc = check_alone(w, ids, err);
	jdoc_free(shell);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/* The ids of the next rows; those of a row with a second body are passed. */
static int
next_batch(struct journal_rows *rows, struct jdoc **ids, bool *ended,
    struct err *err)
{
	struct journal_row row;
	int more = 1;

	*ids = jdoc_new_array();
	while (jdoc_len(*ids) < BATCH &&
	    (more = journal_rows_next(rows, &row, err)) > 0) {
		if (!strchr(row.id, '~'))
			jdoc_push(*ids, jdoc_new_str(row.id));
	}
	*ended = more == 0;
	return more < 0 ? -1 : 0;
}

static int
read_batches(const struct window *w, struct err *err)
{
	char *scope = agent_scope("source", w->agent, "messages");
	struct journal_rows *rows = NULL;
	struct jdoc *ids;
	bool ended = false;
	int rc;

	progress_begin(w->agent->name, "raw rows", 0);
	rc = journal_rows_open(w->journal, scope, false, &rows, err);
	while (rc == 0 && !ended) {
		rc = stop_check(err);
		if (rc != 0)
			break;
		rc = next_batch(rows, &ids, &ended, err);
		if (rc == 0 && jdoc_len(ids) > 0)
			rc = read_batch(w, ids, err);
		jdoc_free(ids);
		progress_at(w->counts->placed);
	}
	progress_end();
	journal_rows_close(rows);
	free(scope);
	return rc;
}

static int
open_and_read(struct window *w, struct err *err)
{
	char *key = window_key(w->agent);
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct err second = ERR_INIT;
	int rc;

	jdoc_write(w->original, &text);
	rc = buf_check(&text, "message_ids", err);
	if (rc == 0)
		rc = journal_put(w->journal, key, buf_cstr(&text), err);
	if (rc == 0) {
		rc = read_batches(w, err);
		stop_hold();
		if (agent_raw_restore(w->server, w->id, w->agent,
		    w->journal, &second) != 0) {
			if (rc == 0)
				*err = second;
			rc = err_ctx(err, "the source's messages in context "
			    "are NOT put back yet: run the same command "
			    "again");
		}
		stop_release();
	}
	buf_clear(&text);
	free(key);
	return rc;
}

int
agent_raw_window(struct server *server, const char *id,
    const struct conf_agent *agent, struct journal *journal,
    struct agent_raw_counts *counts, struct err *err)
{
	struct window w = {
		.server = server, .id = id, .agent = agent,
		.journal = journal, .counts = counts,
	};
	int rc;

	rc = check_idle(&w, err);
	if (rc == 0)
		rc = get_list(server, id, &w.original, err);
	if (rc == 0)
		rc = open_and_read(&w, err);
	jdoc_free(w.original);
	return rc == 0 ? 0 : err_ctx(err, "read %s raw", agent->name);
}
