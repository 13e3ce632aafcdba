#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_marked.h"
#include "flow/agent_source.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/* The name it shall have: of the job file, else the one at its source. */
static int
wanted_name(struct run *run, const struct conf_agent *agent, char **name,
    struct err *err)
{
	char *key = agent_state_key("source", agent), *text = NULL;
	struct jdoc *state = NULL;
	const char *there;
	int rc;

	*name = NULL;
	rc = journal_get(run->journal, key, &text, err);
	if (rc == 0 && (!text || !*text))
		rc = err_set(err, ERR_FAILED, "agent %s has not been read "
		    "from its source", agent->name);
	if (rc == 0) {
		state = jdoc_parse(text, strlen(text), err);
		rc = state ? 0 : err_ctx(err, "journal key %s", key);
	}
	if (rc == 0) {
		there = jdoc_get_str(state, "name");
		*name = mem_strdup(agent->target_name ? agent->target_name :
		    there ? there : "");
	}
	jdoc_free(state);
	free(text);
	free(key);
	return rc;
}

static int
has_name(struct server *to, const char *id, const char *name, bool *out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_agent state = { 0 };
	int rc;

	letta_path_agent(&path, id);
	rc = server_get(to, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_agent(buf_cstr(&answer), answer.len, &state,
		    err);
	if (rc == 0)
		*out = state.name && str_eq(state.name, name);
	letta_answer_agent_clear(&state);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/*
 * A PATCH takes any name, and the agent can then never be exported again
 * (0.16.2, seen).
 */
static int
check_name(const struct conf_agent *agent, const char *name, struct err *err)
{
	struct buf shown = BUF_INIT(4096);

	if (letta_name_may_pass(name))
		return 0;
	str_printable(&shown, name, strlen(name));
	(void)err_set(err, ERR_DATA, "the name \"%s\" of agent %s would make "
	    "it impossible to export; give it another one with `name =' in "
	    "[agent %s]", buf_cstr(&shown), agent_source_id(agent),
	    agent->name);
	buf_clear(&shown);
	return -1;
}

/* What is so on the target already. */
struct standing {
	bool named;		/* the agent has its name */
	bool strays;		/* another agent has the temporary one */
};

static int
look(struct run *run, const struct conf_agent *agent, const char *id,
    const char *name, struct standing *standing, struct err *err)
{
	char *temporary = agent_temporary_name(run, agent);
	struct agent_marked marked;
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = has_name(to, id, name, &standing->named, err);
	if (rc == 0)
		rc = agent_marked_find(to, temporary, &marked, err);
	for (size_t i = 0; rc == 0 && i < marked.n; i++)
		standing->strays |= !str_eq(marked.ids[i], id);
	free(temporary);
	return rc;
}

static int
promote_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct standing standing = { 0 };
	enum journal_state state;
	char *id = NULL, *name = NULL;
	int rc;

	*found = PLAN_TODO;
	rc = wanted_name(run, agent, &name, err);
	if (rc == 0)
		rc = check_name(agent, name, err);
	if (rc == 0)
		rc = journal_step_state(run->journal, step->name, &state,
		    err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = look(run, agent, id, name, &standing, err);
	if (rc == 0 && standing.strays) {
		plan_say(note, '-', "remove what a late import left under the "
		    "temporary name");
	} else if (rc == 0 && (standing.named || state == JOURNAL_DONE)) {
		/* Once it was given, the name is the operator's. */
		plan_say(note, '~', "%s has its name", id);
		*found = PLAN_DONE;
	} else if (rc == 0)
		plan_say(note, '~', "give it its name, \"%s\", once the "
		    "verdict is `same'", name);
	free(id);
	free(name);
	return rc;
}

/*
 * A server may have ended an import after a run had given up on it and sent
 * the file again: such an agent still has the temporary name.
 */
static int
remove_strays(struct run *run, const struct conf_agent *agent,
    struct server *to, const char *id, struct err *err)
{
	char *name = agent_temporary_name(run, agent);
	struct agent_marked marked;
	int rc;

	rc = agent_marked_find(to, name, &marked, err);
	if (rc == 0)
		rc = agent_marked_remove(to, &marked, id, err);
	free(name);
	return rc;
}

static int
promote_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(4096);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	char *temporary = agent_temporary_name(run, agent);
	char *id = NULL, *name = NULL;
	struct server *to;
	bool waits = false;
	int rc;

	rc = wanted_name(run, agent, &name, err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = remove_strays(run, agent, to, id, err);
	if (rc == 0)
		rc = has_name(to, id, temporary, &waits, err);
	if (rc == 0 && waits) {
		letta_path_agent(&path, id);
		letta_body_agent(&body, name, NULL);
		rc = buf_check(&body, "name", err);
		if (rc == 0)
			rc = server_send(to, "PATCH", buf_cstr(&path),
			    buf_cstr(&body), &answer, err);
	}
	if (rc == 0)
		plan_say(note, '~', "%s is \"%s\"", id, name);
	free(id);
	free(name);
	free(temporary);
	buf_clear(&path);
	buf_clear(&body);
	buf_wipe(&answer);
	return rc;
}

const struct step_kind agent_promote_kind = {
	.word = "promote",
	.probe = promote_probe,
	.act = promote_act,
};
