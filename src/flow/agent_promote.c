#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_delta.h"
#include "flow/agent_marked.h"
#include "flow/agent_source.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker_switch.h"
#include "io/journal.h"

#define NAME_BYTES_MAX 4096

/* The name it shall have. */
struct wanted {
	char *name;
	char *original;		/* the one at its source, where no server
				 * would take that; else NULL */
};

static void
wanted_clear(struct wanted *wanted)
{
	free(wanted->name);
	free(wanted->original);
	*wanted = (struct wanted){ 0 };
}

/*
 * A PATCH takes any name, and the agent can then never be exported again
 * (0.16.2, seen), so one that a file may not have is mapped.
 */
static int
choose_name(const struct conf_agent *agent, const char *there,
    struct wanted *wanted, struct err *err)
{
	const char *name = agent->target_name ? agent->target_name : there;
	struct buf mapped = BUF_INIT(NAME_BYTES_MAX);

	af_mark_name(name, &mapped);
	if (buf_check(&mapped, "name of the agent", err) != 0) {
		buf_clear(&mapped);
		return -1;
	}
	if (!str_eq(buf_cstr(&mapped), name))
		wanted->original = mem_strdup(name);
	wanted->name = buf_take(&mapped);
	return 0;
}

/* Of the job file, else the one at its source. */
static int
wanted_name(struct run *run, const struct conf_agent *agent,
    struct wanted *wanted, struct err *err)
{
	char *key = agent_state_key("source", agent), *text = NULL;
	struct jdoc *state = NULL;
	const char *there;
	int rc;

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
		rc = choose_name(agent, there ? there : "", wanted, err);
	}
	jdoc_free(state);
	free(text);
	free(key);
	return rc;
}

static int
fetch_agent(struct server *to, const char *id, struct letta_agent *state,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_agent(&path, id);
	rc = server_get(to, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_agent(buf_cstr(&answer), answer.len, state,
		    err);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/* What is so on the target already. */
struct standing {
	bool named;		/* the agent has its name, and no mark */
	bool marked;		/* it still carries our mark */
	bool strays;		/* another agent has the temporary one */
};

static int
look(struct run *run, const struct conf_agent *agent, const char *id,
    const char *name, struct standing *standing, struct err *err)
{
	char *temporary = agent_temporary_name(run, agent);
	struct letta_agent state = { 0 };
	struct agent_marked marked;
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = fetch_agent(to, id, &state, err);
	if (rc == 0) {
		standing->marked = af_mark_of(state.metadata);
		standing->named = state.name && str_eq(state.name, name) &&
		    !standing->marked;
		rc = agent_marked_find(to, temporary, run->mark, &marked,
		    err);
	}
	for (size_t i = 0; rc == 0 && i < marked.n; i++)
		standing->strays |= !str_eq(marked.ids[i], id);
	letta_answer_agent_clear(&state);
	free(temporary);
	return rc;
}

/* "name" -> "name it gets", where these differ. */
static void
say_name(struct plan_note *note, const struct wanted *wanted)
{
	if (wanted->original)
		plan_say(note, '~', "give it its name once the verdict is "
		    "`same': \"%s\" -> \"%s\", as a server takes it",
		    wanted->original, wanted->name);
	else
		plan_say(note, '~', "give it its name, \"%s\", once the "
		    "verdict is `same'", wanted->name);
}

static int
promote_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct standing standing = { 0 };
	struct wanted wanted = { 0 };
	enum journal_state state;
	char *id = NULL;
	int rc;

	*found = PLAN_TODO;
	rc = wanted_name(run, agent, &wanted, err);
	if (rc == 0)
		rc = journal_step_state(run->journal, step->name, &state,
		    err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = look(run, agent, id, wanted.name, &standing, err);
	if (rc == 0 && standing.strays) {
		plan_say(note, '-', "remove what a late import left under the "
		    "temporary name");
	} else if (rc == 0 && (standing.named ||
	    (state == JOURNAL_DONE && !standing.marked))) {
		/* Once it was given, the name is the operator's. */
		plan_say(note, '~', "%s has its name", id);
		*found = PLAN_DONE;
	} else if (rc == 0) {
		say_name(note, &wanted);
	}
	free(id);
	wanted_clear(&wanted);
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

	rc = agent_marked_find(to, name, run->mark, &marked, err);
	if (rc == 0)
		rc = agent_marked_remove(to, &marked, name, id, err);
	free(name);
	return rc;
}

/* An answer alone is not believed: the agent has to have lost its mark. */
static int
check_given(struct server *to, const char *id, struct err *err)
{
	struct letta_agent state = { 0 };
	int rc;

	rc = fetch_agent(to, id, &state, err);
	if (rc == 0 && af_mark_of(state.metadata))
		rc = err_set(err, ERR_DATA, "%s: %s was to get its name and "
		    "still has the temporary one; run the same command again",
		    to->name, id);
	letta_answer_agent_clear(&state);
	return rc;
}

/*
 * Name and metadata in one request, so that no stop lies between.  A name
 * that somebody has given it meanwhile stays.
 */
static int
give_name(struct server *to, const char *id, const char *temporary,
    const struct wanted *wanted, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_agent state = { 0 };
	struct jdoc *metadata = NULL;
	bool waits;
	int rc;

	rc = fetch_agent(to, id, &state, err);
	waits = rc == 0 && str_eq(state.name, temporary);
	if (rc == 0 && (waits || af_mark_of(state.metadata))) {
		metadata = af_mark_final(state.metadata, wanted->original);
		letta_path_agent(&path, id);
		letta_body_agent(&body, waits ? wanted->name : NULL,
		    metadata);
		rc = buf_check(&body, "metadata of the agent", err);
		if (rc == 0)
			rc = server_send(to, "PATCH", buf_cstr(&path),
			    buf_cstr(&body), &answer, err);
		if (rc == 0)
			rc = check_given(to, id, err);
	}
	jdoc_free(metadata);
	letta_answer_agent_clear(&state);
	buf_clear(&path);
	buf_clear(&body);
	buf_wipe(&answer);
	return rc;
}

static int
promote_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *temporary = agent_temporary_name(run, agent);
	struct wanted wanted = { 0 };
	char *id = NULL;
	struct server *to;
	int rc;

	rc = wanted_name(run, agent, &wanted, err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = remove_strays(run, agent, to, id, err);
	if (rc == 0)
		rc = give_name(to, id, temporary, &wanted, err);
	if (rc == 0)
		plan_say(note, '~', "%s is \"%s\"", id, wanted.name);
	free(id);
	wanted_clear(&wanted);
	free(temporary);
	return rc;
}

const struct step_kind agent_promote_kind = {
	.word = "promote",
	.probe = promote_probe,
	.act = promote_act,
};

static struct step
of_agent(const struct step *step)
{
	const struct conf_worker *worker = step->subject;

	return (struct step){ .name = step->name, .kind = step->kind,
		.subject = worker->agent };
}

static int
late_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct step own = of_agent(step);

	return promote_probe(run, &own, note, found, err);
}

static int
late_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct step own = of_agent(step);

	return promote_act(run, &own, note, err);
}

/* The temporary name and the mark again; a name of somebody else's stays. */
static int
take_name(struct run *run, const struct conf_agent *agent, const char *id,
    const struct wanted *wanted, struct err *err)
{
	char *temporary = agent_temporary_name(run, agent);
	const struct af_mark mark = { .mark = run->mark,
		.name = wanted->name, .from = agent_source_place(agent) };
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_agent state = { 0 };
	struct jdoc *metadata = NULL;
	struct server *to;
	int rc;

	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = fetch_agent(to, id, &state, err);
	if (rc == 0 && state.name && str_eq(state.name, wanted->name)) {
		metadata = af_mark_put(state.metadata, &mark);
		letta_path_agent(&path, id);
		letta_body_agent(&body, temporary, metadata);
		rc = buf_check(&body, "metadata of the agent", err);
		if (rc == 0)
			rc = server_send(to, "PATCH", buf_cstr(&path),
			    buf_cstr(&body), &answer, err);
	}
	jdoc_free(metadata);
	letta_answer_agent_clear(&state);
	buf_clear(&path);
	buf_clear(&body);
	buf_wipe(&answer);
	free(temporary);
	return rc;
}

/*
 * A source that is to work again must not wait for the target's server, so
 * what that refuses is a warning.  What has worked there keeps its name.
 */
static int
late_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	const struct conf_agent *agent = worker->agent;
	struct wanted wanted = { 0 };
	bool reversing;
	char *id = NULL;
	int rc;

	if (worker_reversing(run, worker, &reversing, err) != 0)
		return -1;
	plan_say(note, '~', "%s keeps its name%s", agent->name, reversing ?
	    ", and what it has said since" : "");
	if (reversing)
		return agent_delta_note_worked(run, agent, err);
	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = wanted_name(run, agent, &wanted, err);
	if (rc == 0 && id && take_name(run, agent, id, &wanted, err) == 0) {
		plan_say(note, '~', "%s has its temporary name again",
		    agent->name);
	} else if (rc == 0 && id) {
		log_warn("%s on %s may have its name already: %s",
		    agent->name, agent->to->name, err->text);
		err_clear(err);
	}
	free(id);
	wanted_clear(&wanted);
	return rc;
}

const struct step_kind agent_promote_late_kind = {
	.word = "promote",
	.probe = late_probe,
	.act = late_act,
	.undo = late_undo,
};
