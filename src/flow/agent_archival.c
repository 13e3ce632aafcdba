#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"
#include "base/stop.h"
#include "core/conf.h"
#include "flow/agent.h"
#include "flow/agent_passages.h"
#include "flow/agent_source.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

static int
archival_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *scope = agent_scope("source", agent, "passages");
	uint64_t passages;
	bool done;
	int rc;

	rc = journal_count(run->journal, scope, &passages, err);
	/* Until it is promoted each apply looks again: one listing. */
	if (rc == 0)
		rc = agent_is_promoted(run, agent, &done, err);
	if (rc == 0) {
		plan_say(note, '+', "%" PRIu64 " passages%s", passages,
		    done ? " are there" : ", an embedder call each");
		*found = done ? PLAN_DONE : PLAN_TODO;
	}
	free(scope);
	return rc;
}

/* Inserting under way. */
struct inserting {
	struct server *to;
	const char *id;		/* of the agent there */
	uint64_t inserted;
	uint64_t removed;
};

static int
insert(struct inserting *inserting, const struct journal_row *row,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_passage_insert(&path, inserting->id);
	rc = letta_body_passage(&body, row->body, row->body_len, err);
	if (rc == 0)
		rc = buf_check(&body, "passage", err);
	if (rc == 0)
		rc = server_send(inserting->to, "POST", buf_cstr(&path),
		    buf_cstr(&body), &answer, err);
	if (rc == 0)
		progress_at(++inserting->inserted);
	else
		(void)err_ctx(err, "passage %s of the source", row->id);
	buf_clear(&path);
	buf_clear(&body);
	buf_clear(&answer);
	return rc;
}

/*
 * One that is there once too often: an insert of a run that was killed came
 * through after this one had listed.  The agent is ours until it is promoted.
 */
static int
take_away(struct inserting *inserting, const struct journal_row *row,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_passage(&path, inserting->id, row->id);
	rc = server_send(inserting->to, "DELETE", buf_cstr(&path), NULL,
	    &answer, err);
	if (rc == 0)
		inserting->removed++;
	buf_clear(&path);
	buf_clear(&answer);
	return rc;
}

static int
reconcile(void *ctx, const struct journal_row *row, bool at_source,
    struct err *err)
{
	if (stop_check(err) != 0)
		return -1;
	return at_source ? insert(ctx, row, err) : take_away(ctx, row, err);
}

/*
 * What the target has is listed afresh each time, so an act that was cut
 * short inserts only the rest.  The source's listing is brought to its end
 * first: a comparison that was cut short may have left a part of it, and all
 * that it lacks would be taken for too much on the target.
 */
static int
archival_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct inserting inserting = { 0 };
	struct agent_passages_diff diff;
	char *id = NULL;
	int rc;

	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = agent_source_load_passages(run, agent, run->journal, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &inserting.to, err);
	if (rc == 0)
		rc = agent_read_passages(inserting.to, id, agent, "target",
		    true, run->journal, err);
	if (rc == 0) {
		inserting.id = id;
		progress_begin(agent->name, "passages", 0);
		rc = agent_passages_compare(run->journal, agent, reconcile,
		    &inserting, &diff, err);
		progress_end();
	}
	if (rc == 0)
		plan_say(note, '+', "%" PRIu64 " of %" PRIu64 " passages "
		    "inserted, the others were there; %" PRIu64 " removed "
		    "that were there twice", inserting.inserted, diff.source,
		    inserting.removed);
	free(id);
	return rc;
}

/* Passages go with the agent (agent.NAME.import). */
const struct step_kind agent_archival_kind = {
	.word = "archival",
	.probe = archival_probe,
	.act = archival_act,
};
