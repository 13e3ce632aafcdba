#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/shown.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_live.h"
#include "flow/agent_marked.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* Bytes of the copy's answer that are shown. */
#define SHOWN_MAX 80

/* What the journal keeps instead of words when the turn was none. */
#define FAILED "failed"

static char *
live_name(const struct run *run, const struct conf_agent *agent)
{
	return mem_printf("%s-live-%s", agent->name, run->mark);
}

/* The id of the tool that is to be called, or "": this server has it not. */
static int
find_tool(struct server *to, char id[static LETTA_ID_SIZE], struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *there;
	int rc;

	letta_path_tools_by_name(&path, LETTA_LIVE_TOOL);
	rc = server_get_doc(to, buf_cstr(&path), "tools by name", &found,
	    err);
	there = jdoc_get_str(jdoc_at(found, 0), "id");
	(void)snprintf(id, LETTA_ID_SIZE, "%s", there ? there : "");
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}

static int
make_copy(struct server *to, const char *id, const char *name,
    char copy[static LETTA_ID_SIZE], struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *state = NULL, *made = NULL;
	char tool[LETTA_ID_SIZE];
	const char *new_id;
	int rc;

	letta_path_agent(&path, id);
	rc = server_get_doc(to, buf_cstr(&path), "agent", &state, err);
	if (rc == 0)
		rc = find_tool(to, tool, err);
	if (rc == 0) {
		letta_body_copy(&body, state, name, tool);
		rc = buf_check(&body, "copy of the agent", err);
	}
	if (rc == 0)
		rc = server_send(to, "POST", "/v1/agents/", buf_cstr(&body),
		    &answer, err);
	if (rc == 0) {
		made = jdoc_parse(buf_cstr(&answer), answer.len, err);
		rc = made ? 0 : -1;
	}
	new_id = jdoc_get_str(made, "id");
	if (rc == 0 && (!new_id || !letta_id_ok(new_id, "agent-")))
		rc = err_set(err, ERR_DATA, "%s: the new agent has no proper "
		    "id", to->name);
	if (rc == 0)
		(void)snprintf(copy, LETTA_ID_SIZE, "%s", new_id);
	jdoc_free(state);
	jdoc_free(made);
	buf_clear(&path);
	buf_clear(&body);
	buf_wipe(&answer);
	return rc;
}

/* The first item of this message_type, or NULL. */
static const struct jdoc *
item_of(const struct jdoc *items, const char *type)
{
	const char *there;

	for (size_t i = 0; i < jdoc_len(items); i++) {
		there = jdoc_get_str(jdoc_at(items, i), "message_type");
		if (there && str_eq(there, type))
			return jdoc_at(items, i);
	}
	return NULL;
}

/* What the turn held, in words; fails when it is not what it should be. */
static int
judge(const struct jdoc *turn, struct buf *words, struct err *err)
{
	const struct jdoc *items = jdoc_get(turn, "messages");
	const struct jdoc *ret = item_of(items, "tool_return_message");
	const char *reply = jdoc_get_str(item_of(items, "assistant_message"),
	    "content");
	const char *status = jdoc_get_str(ret, "status");

	if (!reply || !*reply)
		return err_set(err, ERR_VERDICT, "a copy of the agent gave "
		    "no reply");
	if (!ret)
		return err_set(err, ERR_VERDICT, "a copy of the agent "
		    "replied, and did not call the tool %s that it was asked "
		    "to call", LETTA_LIVE_TOOL);
	buf_printf(words, "a copy called %s (%s) and replied \"",
	    LETTA_LIVE_TOOL, status && str_eq(status, "success") ?
	    "success" : "error");
	shown_text(words, reply, strlen(reply), SHOWN_MAX);
	buf_char(words, '"');
	return 0;
}

static int
talk(struct server *to, const char *copy, struct buf *words, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(4096);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *turn = NULL;
	int rc;

	letta_path_turn(&path, copy);
	letta_body_turn(&body, "This is a check after a move.  Please use "
	    "the tool " LETTA_LIVE_TOOL " once, with the query \"hello\", "
	    "then answer in one short sentence.");
	rc = buf_check(&body, "message", err);
	if (rc == 0)
		rc = server_send(to, "POST", buf_cstr(&path), buf_cstr(&body),
		    &answer, err);
	if (rc == 0) {
		turn = jdoc_parse(buf_cstr(&answer), answer.len, err);
		rc = turn ? judge(turn, words, err) : -1;
	}
	jdoc_free(turn);
	buf_clear(&path);
	buf_clear(&body);
	buf_clear(&answer);
	return rc;
}

/* Every agent of that name is a copy of this job, of now or of before. */
static int
remove_copies(struct run *run, const struct conf_agent *agent,
    struct server *to, struct err *err)
{
	char *name = live_name(run, agent);
	struct agent_marked marked;
	int rc;

	rc = agent_marked_find(to, name, NULL, &marked, err);
	if (rc == 0)
		rc = agent_marked_remove(to, &marked, name, NULL, err);
	free(name);
	return rc;
}

static int
live_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	enum journal_state state;
	bool promoted;

	/* It comes behind the comparison. */
	if (agent_is_given(run, agent, &promoted, err) != 0 ||
	    journal_step_state(run->journal, step->name, &state, err) != 0 ||
	    (!promoted && state == JOURNAL_DONE &&
	    agent_is_promoted(run, agent, &promoted, err) != 0))
		return -1;
	*found = promoted ? PLAN_DONE : PLAN_TODO;
	plan_say(note, '+', promoted ? "a copy has answered" : "let a copy "
	    "take a turn with a call of %s, and remove it", LETTA_LIVE_TOOL);
	return 0;
}

/*
 * The copy is removed whatever came of the turn; the first failure is the one
 * that is told.
 */
static int
live_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *key = run_key("agent", agent->name, "live");
	char *name = live_name(run, agent), *id = NULL;
	struct buf words = BUF_INIT(2048);
	struct err second = ERR_INIT;
	char copy[LETTA_ID_SIZE];
	struct server *to;
	int rc;

	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = remove_copies(run, agent, to, err);
	if (rc == 0) {
		rc = make_copy(to, id, name, copy, err);
		if (rc == 0)
			rc = talk(to, copy, &words, err);
		stop_hold();
		if (remove_copies(run, agent, to, &second) != 0 && rc == 0) {
			*err = second;
			rc = -1;
		}
		stop_release();
	}
	if (rc != 0 && err->kind == ERR_VERDICT &&
	    journal_put(run->journal, key, FAILED, &second) != 0)
		(void)err_ctx(err, "(%s)", second.text);
	if (rc == 0)
		rc = journal_put(run->journal, key, buf_cstr(&words), err);
	if (rc == 0)
		plan_say(note, '+', "%s", buf_cstr(&words));
	buf_clear(&words);
	free(id);
	free(name);
	free(key);
	return rc;
}

static int
live_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct server *to;

	if (run_server(run, agent->to, &to, err) != 0 ||
	    remove_copies(run, agent, to, err) != 0)
		return -1;
	plan_say(note, '-', "no copy of %s is on %s", agent->name,
	    agent->to->name);
	return 0;
}

const struct step_kind agent_live_kind = {
	.word = "live",
	.probe = live_probe,
	.act = live_act,
	.undo = live_undo,
};

int
agent_live_add(const struct conf_agent *agent, struct journal *journal,
    bool just_now, struct verdict *verdict, struct err *err)
{
	char *key = run_key("agent", agent->name, "live"), *words = NULL;
	int rc;

	rc = journal_get(journal, key, &words, err);
	if (rc == 0 && !agent->live_check)
		verdict_add(verdict, "live chat", VERDICT_NOT_COMPARED, 0, 0,
		    "live_check = no");
	else if (rc == 0 && words && str_eq(words, FAILED))
		verdict_add(verdict, "live chat", VERDICT_DIFFERENT, 1, 0,
		    "a copy did not answer with a call of %s and a reply",
		    LETTA_LIVE_TOOL);
	else if (rc == 0 && words && *words && just_now)
		verdict_add(verdict, "live chat", VERDICT_SAME, 1, 1, "%s",
		    words);
	else if (rc == 0 && words && *words)
		verdict_add(verdict, "live chat", VERDICT_NOT_COMPARED, 0, 0,
		    "when it was applied %s", words);
	else if (rc == 0)
		verdict_add(verdict, "live chat", VERDICT_NOT_COMPARED, 0, 0,
		    "not yet: apply asks a copy");
	free(words);
	free(key);
	return rc;
}
