#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_identities.h"
#include "flow/agent_staged.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

#define CHECK "identities"

/* An agent's state, on its identities' way into the journal. */
struct staging {
	struct server *server;
	const struct jdoc *state;
	struct journal *journal;
};

static int
stage_one(const struct staging *staging, const struct jdoc *identity,
    const char *scope, struct err *err)
{
	const char *id = jdoc_get_str(identity, "id");
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	bool added;
	int rc;

	if (!id)
		return err_set(err, ERR_DATA, "%s: an identity without an id",
		    staging->server->name);
	rc = letta_identity_row(identity, &body, err);
	if (rc == 0)
		rc = journal_row_add(staging->journal, scope, id, body.data,
		    body.len, &added, err);
	buf_clear(&body);
	return rc;
}

static int
fetch_one(const struct staging *staging, const char *id, const char *scope,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *identity = NULL;
	int rc;

	letta_path_identity(&path, id);
	rc = server_get_doc(staging->server, buf_cstr(&path), "identity",
	    &identity, err);
	if (rc == 0)
		rc = stage_one(staging, identity, scope, err);
	jdoc_free(identity);
	buf_clear(&path);
	return rc;
}

/* 0.16.2 and later say them whole; 0.11.3 their ids alone. */
static int
stage_all(void *ctx, const char *scope, struct err *err)
{
	const struct staging *staging = ctx;
	const struct jdoc *whole = jdoc_get(staging->state, "identities");
	const struct jdoc *ids = jdoc_get(staging->state, "identity_ids");
	const char *id;
	int rc = 0;

	if (jdoc_len(whole) > 0) {
		for (size_t i = 0; i < jdoc_len(whole) && rc == 0; i++)
			rc = stage_one(staging, jdoc_at(whole, i), scope,
			    err);
		return rc;
	}
	for (size_t i = 0; i < jdoc_len(ids) && rc == 0; i++) {
		id = jdoc_str(jdoc_at(ids, i));
		rc = id ? fetch_one(staging, id, scope, err) : 0;
	}
	return rc;
}

int
agent_identities_keep(struct server *server, const struct jdoc *state,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct staging staging = { server, state, journal };

	return agent_staged_renew(agent, side, "identities", journal,
	    stage_all, &staging, err);
}

int
agent_identities_read(struct server *server, const char *agent_id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *state = NULL;
	int rc;

	letta_path_agent(&path, agent_id);
	rc = server_get_doc(server, buf_cstr(&path), "agent", &state, err);
	if (rc == 0)
		rc = agent_identities_keep(server, state, agent, side,
		    journal, err);
	jdoc_free(state);
	buf_clear(&path);
	return rc;
}

/* Journal keys: what the step made, by identifier_key; why it could not. */
static char *
made_key(const struct conf_agent *agent)
{
	return run_key("agent", agent->name, "identities-made");
}

static char *
refused_key(const struct conf_agent *agent)
{
	return run_key("agent", agent->name, "identities-refused");
}

int
agent_identities_carry(const struct conf_agent *agent, struct journal *from,
    struct journal *to, struct err *err)
{
	char *key = refused_key(agent), *text = NULL;
	int rc = journal_get(from, key, &text, err);

	if (rc == 0 && text)
		rc = journal_put(to, key, text, err);
	free(text);
	free(key);
	return rc;
}

/* The step at work. */
struct identities {
	struct run *run;
	const struct conf_agent *agent;
	struct server *to;
	char *id;		/* of the agent there */
	char *made_key;
	struct jdoc *made;	/* identifier keys */
	size_t matched, created;
};

static int
identities_open(struct run *run, const struct conf_agent *agent,
    struct identities *ids, struct err *err)
{
	*ids = (struct identities){ .run = run, .agent = agent };
	ids->made_key = made_key(agent);
	if (agent_staged_list(run->journal, ids->made_key, &ids->made,
	    err) != 0 || agent_target_id(run, agent, &ids->id, err) != 0)
		return -1;
	return run_server(run, agent->to, &ids->to, err);
}

static void
identities_clear(struct identities *ids)
{
	free(ids->id);
	free(ids->made_key);
	jdoc_free(ids->made);
}

/*
 * Before it is made the journal knows its key: whatever becomes of the
 * answer, an identity of this key is this job's then.
 */
static int
make(struct identities *ids, const struct jdoc *row, struct jdoc **out,
    struct err *err)
{
	const char *key = jdoc_get_str(row, "identifier_key");
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	jdoc_write(row, &body);
	rc = buf_check(&body, "identity", err);
	if (rc == 0)
		rc = agent_staged_list_add(ids->run->journal, ids->made_key,
		    ids->made, key, err);
	if (rc == 0)
		rc = server_send(ids->to, "POST", LETTA_PATH_IDENTITIES,
		    buf_cstr(&body), &answer, err);
	if (rc == 0)
		rc = server_get_identity(ids->to, key, out, err);
	if (rc == 0 && !*out)
		rc = err_set(err, ERR_FAILED, "%s: the identity that was made "
		    "is not listed", ids->to->name);
	ids->created += rc == 0;
	buf_clear(&body);
	buf_clear(&answer);
	return rc;
}

static int
attach(struct identities *ids, const char *identity, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_identity_attach(&path, ids->id, identity);
	rc = server_send(ids->to, "PATCH", buf_cstr(&path), NULL, &answer,
	    err);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

static bool
same_type(const struct jdoc *a, const struct jdoc *b)
{
	const char *x = jdoc_get_str(a, "identity_type");
	const char *y = jdoc_get_str(b, "identity_type");

	return x && y && str_eq(x, y);
}

static int
bring(struct identities *ids, const struct jdoc *row, struct err *err)
{
	const char *key = jdoc_get_str(row, "identifier_key");
	struct jdoc *there = NULL;
	int rc;

	/* Of a server it always has one; a bundle may be of another hand. */
	if (!key)
		return err_set(err, ERR_DATA, "an identity of the source has "
		    "no identifier_key");
	rc = server_get_identity(ids->to, key, &there, err);
	if (rc == 0 && there)
		ids->matched++;
	else if (rc == 0)
		rc = make(ids, row, &there, err);
	if (rc == 0 && !same_type(row, there))
		rc = err_set(err, ERR_FAILED, "%s has an identity of the key "
		    "and another type", ids->to->name);
	if (rc == 0)
		rc = attach(ids, jdoc_get_str(there, "id"), err);
	jdoc_free(there);
	return rc;
}

/*
 * A server that has no identities, or takes this one not, does not hold up
 * the move: the verdict has the reason.
 */
static int
bring_or_note(struct identities *ids, const struct jdoc *row,
    struct err *err)
{
	char *key;
	int rc = bring(ids, row, err);

	if (rc == 0 || (err->kind != ERR_FAILED && err->kind != ERR_MISSING))
		return rc;
	key = refused_key(ids->agent);
	log_warn("%s", err->text);
	rc = journal_put(ids->run->journal, key, err->text, err);
	if (rc == 0)
		err_clear(err);
	free(key);
	return rc;
}

static int
identities_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *key = refused_key(agent);
	struct jdoc *rows = NULL;
	struct identities ids;
	int rc;

	rc = identities_open(run, agent, &ids, err);
	if (rc == 0)
		rc = journal_put(run->journal, key, "", err);
	if (rc == 0)
		rc = agent_staged_load(agent, "source", "identities",
		    run->journal, &rows, err);
	for (size_t i = 0; i < jdoc_len(rows) && rc == 0; i++)
		rc = bring_or_note(&ids, jdoc_get(jdoc_at(rows, i), "row"),
		    err);
	if (rc == 0)
		plan_say(note, '+', "%zu identities: %zu were there, %zu "
		    "made", jdoc_len(rows), ids.matched, ids.created);
	jdoc_free(rows);
	identities_clear(&ids);
	free(key);
	return rc;
}

static int
identities_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *scope = agent_scope("source", agent, "identities");
	uint64_t n = 0;
	bool done = false;
	int rc;

	rc = journal_count(run->journal, scope, &n, err);
	if (rc == 0)
		rc = agent_is_promoted(run, agent, &done, err);
	if (rc == 0)
		plan_say(note, '+', "%" PRIu64 " identities%s", n, n == 0 ?
		    "" : done ? " are there" : ", matched by key or made");
	*found = done || n == 0 ? PLAN_DONE : PLAN_TODO;
	free(scope);
	return rc;
}

/* One of ours that no other agent has. */
static int
remove_one(struct identities *ids, const char *key, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *there = NULL, *agents = NULL;
	const char *id, *one;
	int rc;

	rc = server_get_identity(ids->to, key, &there, err);
	if (rc != 0 || !there)
		return rc;
	id = jdoc_get_str(there, "id");
	letta_path_identity_agents(&path, id);
	rc = server_get_list(ids->to, buf_cstr(&path),
	    "agents of an identity", &agents, err);
	one = jdoc_get_str(jdoc_at(agents, 0), "id");
	buf_clear(&path);
	letta_path_identity(&path, id);
	if (rc == 0 && (jdoc_len(agents) == 0 || (jdoc_len(agents) == 1 &&
	    one && ids->id && str_eq(one, ids->id))))
		rc = server_delete(ids->to, buf_cstr(&path), err);
	jdoc_free(agents);
	jdoc_free(there);
	buf_clear(&path);
	return rc;
}

static int
identities_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct identities ids;
	int rc;

	rc = identities_open(run, step->subject, &ids, err);
	for (size_t i = 0; i < jdoc_len(ids.made) && rc == 0; i++)
		rc = remove_one(&ids, jdoc_str(jdoc_at(ids.made, i)), err);
	if (rc == 0)
		rc = journal_put(run->journal, ids.made_key, "", err);
	if (rc == 0)
		plan_say(note, '-', "identities that this job made and no "
		    "other agent has are removed");
	identities_clear(&ids);
	return rc;
}

const struct step_kind agent_identities_kind = {
	.word = "identities",
	.probe = identities_probe,
	.act = identities_act,
	.undo = identities_undo,
};

/* Two sides, counted against each other. */
struct tally {
	size_t alike;		/* in key and type alone */
	size_t missing;
};

static const struct jdoc *
by_key(const struct jdoc *side, const struct jdoc *row)
{
	const char *key = jdoc_get_str(row, "identifier_key"), *its;
	const struct jdoc *one;

	for (size_t i = 0; i < jdoc_len(side); i++) {
		one = jdoc_get(jdoc_at(side, i), "row");
		its = jdoc_get_str(one, "identifier_key");
		if (its && key && str_eq(its, key) && same_type(one, row))
			return one;
	}
	return NULL;
}

static bool
same_row(const struct jdoc *a, const struct jdoc *b)
{
	struct buf x = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf y = BUF_INIT(LETTA_ANSWER_MAX);
	bool same;

	jdoc_write_canonical(a, &x);
	jdoc_write_canonical(b, &y);
	same = str_eq(buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
	return same;
}

static void
add_checks(struct verdict *verdict, const struct tally *tally, size_t source,
    size_t target, const char *refused)
{
	if (tally->missing > 0 && refused && *refused)
		verdict_add(verdict, CHECK, VERDICT_NOT_COMPARED, source,
		    target, "%s", refused);
	else if (tally->missing > 0)
		verdict_add(verdict, CHECK, VERDICT_DIFFERENT, source, target,
		    "%zu are not attached at the target", tally->missing);
	else
		verdict_add(verdict, CHECK, VERDICT_SAME, source, target,
		    tally->alike > 0 ? "by key and type" : NULL);
	if (tally->alike > 0)
		verdict_add(verdict, "names of identities",
		    VERDICT_NOT_COMPARED, tally->alike, tally->alike,
		    "the target had identities of these keys, which were left "
		    "as they are");
}

int
agent_identities_compare(const struct conf_agent *agent,
    struct journal *journal, struct verdict *verdict, struct err *err)
{
	struct jdoc *source = NULL, *target = NULL;
	const struct jdoc *row, *there;
	char *key = refused_key(agent), *refused = NULL;
	struct tally tally = { 0 };
	int rc;

	rc = journal_get(journal, key, &refused, err);
	if (rc == 0)
		rc = agent_staged_load(agent, "source", "identities", journal,
		    &source, err);
	if (rc == 0)
		rc = agent_staged_load(agent, "target", "identities", journal,
		    &target, err);
	for (size_t i = 0; i < jdoc_len(source) && rc == 0; i++) {
		row = jdoc_get(jdoc_at(source, i), "row");
		there = by_key(target, row);
		tally.missing += there == NULL;
		tally.alike += there && !same_row(row, there);
	}
	if (rc == 0)
		add_checks(verdict, &tally, jdoc_len(source),
		    jdoc_len(target), refused);
	jdoc_free(source);
	jdoc_free(target);
	free(refused);
	free(key);
	return rc;
}
