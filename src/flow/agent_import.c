#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_archives.h"
#include "flow/agent_delta.h"
#include "flow/agent_marked.h"
#include "flow/agent_model.h"
#include "flow/agent_orphans.h"
#include "flow/agent_send.h"
#include "flow/agent_settle.h"
#include "flow/agent_source.h"
#include "flow/agent_staged.h"
#include "flow/agent_tools.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* What is done before the first byte of the file goes. */
struct before {
	struct run *run;
	struct server *to;
	const struct conf_agent *agent;
};

/*
 * The journal knows first what is there now (tools, blocks), so that what
 * comes can be told from it, then that the file went.  An import that was
 * sent before may have brought things already: what was noted then stands.
 */
static int
note_sending(void *ctx, const struct af_shell *shell, struct err *err)
{
	const struct before *before = ctx;
	struct journal *journal = before->run->journal;
	char *key = run_key("agent", before->agent->name, "sent");
	char *sent = NULL;
	int rc;

	rc = journal_get(journal, key, &sent, err);
	if (rc == 0 && !(sent && str_eq(sent, "yes"))) {
		rc = agent_tools_note(before->to, before->agent, shell,
		    journal, err);
		if (rc == 0)
			rc = agent_orphans_note(before->to, before->agent,
			    journal, err);
		if (rc == 0)
			rc = journal_put(journal, key, "yes", err);
	}
	if (rc == 0)
		rc = agent_tools_override(before->to, before->agent, shell,
		    journal, err);
	free(sent);
	free(key);
	return rc;
}

/*
 * An answer other than 200 leaves the agent, its blocks and its tools half
 * made (0.16.2, seen); take them away and keep the first failure.
 */
static void
clean_up(struct run *run, struct server *to, const struct conf_agent *agent,
    struct err *err)
{
	struct err second = ERR_INIT;

	if (agent_settle_remove(run, to, agent, &second) != 0)
		(void)err_ctx(err, "(and what the import left behind could "
		    "not be taken away: the next apply does)");
	else
		(void)err_ctx(err, "the import failed and nothing of it is "
		    "left; put right what follows and run the same command "
		    "again");
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
 * The agent is ours when it has our name and mark, whatever the answer to
 * the import says.  The journal has its id, and which blocks came with it,
 * from here on.
 */
static int
take_id(struct run *run, struct server *to, const struct conf_agent *agent,
    const char *name, const char *id, struct err *err)
{
	char *key = run_key("agent", agent->name, "blocks-made");
	char *before_key = run_key("agent", agent->name, "blocks-before");
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct agent_marked marked;
	struct jdoc *made = NULL, *before = NULL;
	bool ours = false;
	int rc;

	rc = agent_marked_find(to, name, run->mark, &marked, err);
	for (size_t i = 0; rc == 0 && i < marked.n; i++)
		ours |= str_eq(marked.ids[i], id);
	if (rc == 0 && !ours)
		rc = err_set(err, ERR_DATA, "%s: the answer to the import "
		    "names %s, which is not the agent that was sent; nothing "
		    "more was done with it", to->name, id);
	if (rc == 0)
		rc = agent_blocks(to, id, &made, err);
	if (rc == 0)
		rc = agent_staged_list(run->journal, key, &before, err);
	/* One of an earlier copy that others share by now is ours still. */
	for (size_t i = 0; rc == 0 && i < jdoc_len(before); i++) {
		if (!agent_staged_list_has(made,
		    jdoc_str(jdoc_at(before, i))))
			jdoc_push(made, jdoc_copy(jdoc_at(before, i)));
	}
	if (rc == 0) {
		jdoc_write(made, &text);
		rc = journal_put(run->journal, key, buf_cstr(&text), err);
	}
	if (rc == 0)
		rc = journal_id_put(run->journal, "agent",
		    agent_source_id(agent), id, err);
	/* From here on a block without an agent may be anybody's. */
	if (rc == 0)
		rc = journal_put(run->journal, before_key, "", err);
	jdoc_free(made);
	jdoc_free(before);
	buf_clear(&text);
	free(before_key);
	free(key);
	return rc;
}

/* Send the file; a failure is settled as far as it can be at once. */
static int
send_it(struct run *run, struct server *to, const struct conf_agent *agent,
    const char *name, struct plan_note *note, char id[static LETTA_ID_SIZE],
    struct err *err)
{
	struct before before = { .run = run, .to = to, .agent = agent };
	const struct agent_send send = {
		.agent = agent,
		.name = name,
		.before = note_sending,
		.ctx = &before,
	};
	int rc;

	rc = agent_send(run, to, &send, note, id, err);
	if (rc != 0 && (err->kind == ERR_UNREACHABLE ||
	    err->kind == ERR_AGAIN))
		rc = not_answered(err);
	else if (rc != 0 && err->kind != ERR_INTERRUPTED)
		clean_up(run, to, agent, err);
	return rc;
}

static int
import_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *name = agent_temporary_name(run, agent);
	char *sent_key = run_key("agent", agent->name, "sent");
	char *sent = NULL, *found = NULL, *old = NULL;
	char id[LETTA_ID_SIZE];
	struct server *to;
	int rc;

	rc = agent_target_id(run, agent, &old, err);
	if (rc == 0 && old)
		rc = agent_delta_renew(run, agent, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = journal_get(run->journal, sent_key, &sent, err);
	if (rc == 0 && sent && str_eq(sent, "yes"))
		rc = agent_settle(run, to, agent, &found, err);
	if (rc == 0 && found) {
		(void)snprintf(id, sizeof(id), "%s", found);
		plan_say(note, '+', "%s, which an earlier run had sent", id);
	} else if (rc == 0) {
		rc = send_it(run, to, agent, name, note, id, err);
	}
	if (rc == 0)
		rc = take_id(run, to, agent, name, id, err);
	free(old);
	free(found);
	free(sent);
	free(sent_key);
	free(name);
	return rc;
}

/* What the agent has that no import brings, by name. */
static void
show_losses(const struct af_shell *shell, struct buf *lines)
{
	struct buf names = BUF_INIT(1024);

	if (shell->secrets > 0) {
		af_shell_secrets(shell, &names);
		buf_printf(lines, "secrets to be supplied again: %s\n",
		    buf_cstr(&names));
	}
	buf_clear(&names);
	if (af_shell_mcp(shell, &names) > 0)
		buf_printf(lines, "MCP servers to be set up by hand: %s\n",
		    buf_cstr(&names));
	if (jdoc_len(jdoc_get(shell->doc, "sources")) > 0)
		buf_printf(lines, "%zu folders with %zu files come along; "
		    "`cancel' leaves them on the target\n",
		    jdoc_len(jdoc_get(shell->doc, "sources")),
		    jdoc_len(jdoc_get(shell->doc, "files")));
	buf_clear(&names);
}

/* An agent with our temporary name that is not ours. */
static int
show_foreign(struct run *run, struct server *to,
    const struct conf_agent *agent, struct buf *lines, struct err *err)
{
	char *name = agent_temporary_name(run, agent);
	struct agent_marked marked;
	int rc;

	rc = agent_marked_find(to, name, run->mark, &marked, err);
	if (rc == 0 && marked.foreign > 0)
		buf_printf(lines, "%zu agents are called %s and are not of "
		    "this job: they are left alone\n", marked.foreign, name);
	free(name);
	return rc;
}

/* What only the target can tell: tools, model, strangers. */
static int
ask_target(struct run *run, const struct conf_agent *agent,
    const struct af_shell *shell, struct buf *lines, struct err *err)
{
	struct agent_model model = { 0 };
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0 && letta_caps_target(&to->caps, err) != 0)
		rc = err_ctx(err, "%s", to->name);
	if (rc == 0)
		rc = show_foreign(run, to, agent, lines, err);
	if (rc == 0)
		rc = agent_model_choose(to, agent, shell, &model, lines, err);
	if (rc == 0)
		rc = agent_tools_check(to, agent, shell, lines, err);
	agent_model_clear(&model);
	return rc;
}

/* "sage into new: 3 blocks, 1 tools, type memgpt_agent -> letta_v1_agent" */
static int
say_import(struct run *run, const struct conf_agent *agent,
    const struct af_shell *shell, struct plan_note *note, struct err *err)
{
	struct jdoc *state = NULL;
	struct letta_caps caps;
	const char *type;
	bool other;

	if (agent_state_load(agent, "source", run->journal, &state, err) != 0)
		return -1;
	letta_caps_of(jdoc_get_str(state, "version"), &caps);
	type = af_row_agent_type(shell->agent_type, caps.backward);
	other = !str_eq(type, shell->agent_type);
	plan_say(note, '+', "import %s into %s: %zu blocks, %zu tools, type "
	    "%s%s%s", agent->name, agent->to->name, shell->n_blocks,
	    shell->n_tools, shell->agent_type, other ? " -> " : "",
	    other ? type : "");
	jdoc_free(state);
	return 0;
}

/* What can be told before the file is sent. */
static int
look_ahead(struct run *run, const struct conf_agent *agent,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	char *shell_key = agent_shell_key("source", agent), *text = NULL;
	struct af_shell shell = { 0 };
	bool ready = false;
	int rc;

	rc = journal_get(run->journal, shell_key, &text, err);
	if (rc == 0 && (!text || !*text))
		rc = err_set(err, ERR_FAILED, "not read from its source yet");
	if (rc == 0)
		rc = af_shell_read(text, strlen(text), &shell, err);
	if (rc == 0)
		rc = af_shell_labels(shell.doc, err);
	if (rc == 0) {
		rc = say_import(run, agent, &shell, note, err);
		show_losses(&shell, &note->diff);
	}
	if (rc == 0)
		rc = agent_target_ready(run, agent, &ready, err);
	if (rc == 0 && ready)
		rc = ask_target(run, agent, &shell, &note->diff, err);
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

/*
 * Whether the source of one that waits for its worker has gone on.  What is
 * read is read on once in a process, from where it was left.
 */
static int
look_for_more(struct run *run, const struct conf_agent *agent,
    struct agent_delta_seen *seen, struct err *err)
{
	bool given;

	if (!agent_delta_applies(run->conf, agent))
		return 0;
	if (agent_is_given(run, agent, &given, err) != 0 || given ||
	    agent_delta_look(run, agent, seen, err) != 0)
		return given ? 0 : -1;
	if (!seen->compared)
		return 0;
	if (agent_read_on(run, agent, err) != 0)
		return -1;
	return agent_delta_look(run, agent, seen, err);
}

static int
import_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct agent_delta_seen seen = { 0 };
	char *id = NULL;
	int rc;

	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = look_for_more(run, agent, &seen, err);
	if (rc == 0 && id && seen.compared && !seen.same) {
		rc = look_ahead(run, agent, note, found, err);
		plan_say(note, '~', "%s has gone on at its source since it "
		    "was imported, by %" PRId64 " messages: the copy on %s "
		    "is taken away and imported again", agent->name,
		    seen.more, agent->to->name);
	} else if (rc == 0 && id) {
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
remove_ours(struct run *run, struct server *to,
    const struct conf_agent *agent, const char *id, struct err *err)
{
	char *key = run_key("agent", agent->name, "blocks-made"), *text = NULL;
	char *name = agent_temporary_name(run, agent);
	struct jdoc *made = NULL, *archives = NULL;
	int rc;

	rc = journal_get(run->journal, key, &text, err);
	if (rc == 0)
		rc = agent_archives_made(run, agent, &archives, err);
	if (rc == 0 && text) {
		made = jdoc_parse(text, strlen(text), err);
		rc = made ? 0 : err_ctx(err, "journal key %s", key);
	}
	if (rc == 0)
		rc = agent_remove(to, id, &(struct agent_own){
		    .blocks = made, .archives = archives, .name = name },
		    err);
	jdoc_free(archives);
	jdoc_free(made);
	free(name);
	free(text);
	free(key);
	return rc;
}

static int
import_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *id = NULL;
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = remove_ours(run, to, agent, id, err);
	if (rc == 0)
		rc = agent_settle_remove(run, to, agent, err);
	if (rc == 0)
		rc = journal_id_put(run->journal, "agent",
		    agent_source_id(agent), "", err);
	if (rc == 0)
		rc = agent_delta_forget(run, agent, err);
	if (rc == 0)
		plan_say(note, '-', "%s is off %s, with its blocks and the "
		    "tools it brought", agent->name, agent->to->name);
	free(id);
	return rc;
}

const struct step_kind agent_import_kind = {
	.word = "import",
	.probe = import_probe,
	.act = import_act,
	.undo = import_undo,
};
