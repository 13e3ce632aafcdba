#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/af_shell.h"
#include "core/af_state.h"
#include "core/conf.h"
#include "core/export.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_raw.h"
#include "flow/agent_shell.h"
#include "flow/server.h"
#include "io/journal.h"

static int
ignore_row(void *ctx, const struct export_row *row, struct err *err)
{
	(void)ctx;
	(void)row;
	(void)err;
	return 0;
}

int
agent_shell_of(const struct buf *answer, struct jdoc **out, bool *legacy,
    struct err *err)
{
	struct export_each each = { .row = ignore_row };
	struct export *export = export_new(&each);
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	*out = NULL;
	rc = export_feed(export, buf_cstr(answer), answer->len, err);
	if (rc == 0)
		rc = export_end(export, &text, legacy, err);
	if (rc == 0) {
		*out = jdoc_parse(buf_cstr(&text), text.len, err);
		rc = *out ? 0 : -1;
	}
	export_free(export);
	buf_wipe(&text);
	return rc == 0 ? 0 : err_ctx(err, "export");
}

/*
 * Servers export the variables of tools without their values (0.16.2 and
 * 0.16.8, seen); whatever another one does, they are secrets and do not get
 * into the journal.
 */
static int
keep_shell(struct jdoc *shell, const char *key, struct journal *journal,
    struct err *err)
{
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	af_shell_hide_secrets(shell);
	jdoc_write(shell, &text);
	rc = buf_check(&text, "export", err);
	if (rc == 0)
		rc = journal_put(journal, key, buf_cstr(&text), err);
	buf_wipe(&text);
	return rc;
}

/*
 * An older server exports what follows the N-th last message of a user: all
 * of it, or as much as an answer may hold.
 */
static int
get_export(struct server *server, const char *id, struct buf *answer,
    struct err *err)
{
	static const unsigned int steps[] = { 1000000, 3000, 300, 30, 1 };
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc = -1;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		err_clear(err);
		buf_clear(&path);
		letta_path_export(&path, id, server->caps.backward ?
		    steps[i] : 0);
		rc = server_get(server, buf_cstr(&path), answer, err);
		if (rc == 0 || err->kind != ERR_DATA ||
		    !server->caps.backward)
			break;
	}
	buf_clear(&path);
	return rc;
}

/*
 * An agent whose name a file may not have cannot be exported: its state takes
 * the place of the answer.  Any other failure stays the one that it is.
 */
static int
use_state(struct server *server, const char *id, struct buf *answer,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf name = BUF_INIT(LETTA_ANSWER_MAX);
	struct err second = ERR_INIT;
	struct jdoc *state = NULL, *shell;
	const char *own;
	int rc = -1;

	letta_path_agent(&path, id);
	if (server_get_doc(server, buf_cstr(&path), "agent", &state,
	    &second) == 0) {
		own = jdoc_get_str(state, "name");
		af_mark_name(own ? own : "", &name);
		if (!str_eq(own ? own : "", buf_cstr(&name))) {
			log_detail("%s", err->text);
			err_clear(err);
			shell = af_state_shell(state);
			buf_clear(answer);
			jdoc_write(shell, answer);
			jdoc_free(shell);
			rc = buf_check(answer, "state of the agent", err);
		}
	}
	jdoc_free(state);
	buf_clear(&name);
	buf_clear(&path);
	return rc;
}

/*
 * The file of an older server does not say which blocks are read-only; the
 * blocks themselves do, and have been staged.
 */
static int
mark_read_only(const struct conf_agent *agent, const char *side,
    struct journal *journal, struct jdoc *shell, struct err *err)
{
	char *scope = agent_scope(side, agent, "blocks");
	struct jdoc *blocks = jdoc_edit(shell, "blocks"), *staged;
	struct journal_rows *rows = NULL;
	struct journal_row row;
	const char *label, *other;
	int more = 0, rc;

	rc = journal_rows_open(journal, scope, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		staged = jdoc_parse(row.body, row.body_len, err);
		rc = staged ? 0 : -1;
		label = jdoc_get_str(staged, "label");
		for (size_t i = 0; label && i < jdoc_len(blocks); i++) {
			other = jdoc_get_str(jdoc_at(blocks, i), "label");
			if (other && str_eq(other, label))
				jdoc_set(jdoc_edit_at(blocks, i), "read_only",
				    jdoc_new_bool(jdoc_bool(jdoc_get(staged,
				    "read_only"))));
		}
		jdoc_free(staged);
	}
	journal_rows_close(rows);
	free(scope);
	return rc == 0 && more == 0 ? 0 : -1;
}

static int
place_rows(const struct conf_agent *agent, const char *side,
    struct journal *journal, const struct buf *answer,
    const struct jdoc *shell, bool legacy, struct agent_raw_counts *counts,
    struct err *err)
{
	struct jdoc *state = NULL;
	int rc;

	rc = agent_state_load(agent, side, journal, &state, err);
	if (rc == 0)
		rc = agent_raw_place(agent, side, journal, answer, shell,
		    legacy ? NULL : jdoc_get(state, "message_ids"), legacy,
		    counts, err);
	jdoc_free(state);
	return rc;
}

int
agent_shell_fetch(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct agent_raw_counts *counts,
    struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	char *key = agent_shell_key(side, agent);
	struct jdoc *shell = NULL;
	bool legacy;
	int rc;

	*counts = (struct agent_raw_counts){ 0 };
	rc = get_export(server, id, &answer, err);
	if (rc != 0 && err->kind == ERR_FAILED && !server->caps.backward)
		rc = use_state(server, id, &answer, err);
	if (rc == 0)
		rc = agent_shell_of(&answer, &shell, &legacy, err);
	if (rc == 0 && legacy)
		rc = mark_read_only(agent, side, journal, shell, err);
	if (rc == 0)
		rc = place_rows(agent, side, journal, &answer, shell, legacy,
		    counts, err);
	if (rc == 0)
		rc = keep_shell(shell, key, journal, err);
	jdoc_free(shell);
	free(key);
	buf_wipe(&answer);
	return rc;
}

/*
 * What of the agent's state is kept: the whole of it would bring the values
 * of its tools' environment variables, which are secrets, into the journal.
 */
static int
keep_state(const struct letta_agent *state, const char *version,
    const char *key, struct journal *journal, struct err *err)
{
	struct jdoc *kept = jdoc_new_object();
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	jdoc_set_str(kept, "version", version);
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

int
agent_state_keep(const struct server *server, const struct letta_agent *state,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, char **type, struct err *err)
{
	char *key = agent_state_key(side, agent);
	int rc;

	rc = keep_state(state, server->caps.version, key, journal, err);
	if (rc == 0)
		*type = mem_strdup(state->agent_type ? state->agent_type : "");
	free(key);
	return rc;
}

int
agent_state_fetch(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, char **type, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_agent state = { 0 };
	int rc;

	letta_path_agent(&path, id);
	rc = server_get(server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_agent(buf_cstr(&answer), answer.len, &state,
		    err);
	if (rc == 0)
		rc = agent_state_keep(server, &state, agent, side, journal,
		    type, err);
	letta_answer_agent_clear(&state);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

int
agent_shell_load(struct journal *journal, const struct conf_agent *agent,
    struct af_shell *shell, struct err *err)
{
	char *key = agent_shell_key("source", agent), *text = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && *text)
		rc = af_shell_read(text, strlen(text), shell, err);
	free(text);
	free(key);
	return rc;
}
