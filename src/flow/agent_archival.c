#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "core/conf.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_archives.h"
#include "flow/agent_insert.h"
#include "flow/agent_passages.h"
#include "flow/agent_rejects.h"
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

/* Passages a request; and what it comes to while requests fail. */
static const size_t batch_sizes[] = { 50, 7, 1 };
#define BATCH_SIZES (sizeof(batch_sizes) / sizeof(*batch_sizes))

/* Rounds one after another in which nothing could be inserted. */
#define ROUNDS_MAX 4
#define PAUSE_MS 500

/* One round: what the target lacked when it was listed is sent once. */
struct round {
	struct agent_insert *insert;
	struct server *to;
	const struct conf_agent *agent;
	struct journal *journal;
	const char *id;		/* of the agent there */
	uint64_t before;	/* inserted by the rounds before it */
	bool others;		/* it has an archive that is not ours */
	uint64_t removed;
};

/*
 * One that is there once too often: an insert of a run that was killed came
 * through after this one had listed.  An archive that somebody gave to the
 * agent is not ours to change.
 */
static int
take_away(struct round *round, const struct journal_row *row,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	if (round->others)
		return err_set(err, ERR_STALE, "%s: agent %s has an archive "
		    "that this job did not make, and passage %s, which the "
		    "source has not; detach that archive and run the same "
		    "command again", round->to->name, round->id, row->id);
	letta_path_passage(&path, round->id, row->id);
	rc = server_delete(round->to, buf_cstr(&path), err);
	round->removed += rc == 0;
	buf_clear(&path);
	return rc;
}

static int
reconcile(void *ctx, const struct journal_row *row, bool at_source,
    struct err *err)
{
	struct round *round = ctx;
	bool is_reject = false;

	if (stop_check(err) != 0)
		return -1;
	if (!at_source)
		return take_away(round, row, err);
	if (agent_rejects_has(round->agent, round->journal, row->id,
	    &is_reject, err) != 0)
		return -1;
	if (!is_reject && agent_insert_add(round->insert, row, err) != 0)
		return -1;
	progress_at(round->before +
	    agent_insert_state(round->insert)->inserted);
	return 0;
}

/* Inserting under way, round after round. */
struct archival {
	struct run *run;
	const struct conf_agent *agent;
	struct server *to;
	const char *id;
	size_t size;		/* which of batch_sizes */
	unsigned int idle;	/* rounds without any progress */
	uint64_t inserted, removed, calls, passages;
};

static int
one_round(struct archival *archival, struct agent_insert_state *state,
    struct err *err)
{
	struct agent_insert_spec spec = {
		.server = archival->to,
		.agent_id = archival->id,
		.agent = archival->agent,
		.journal = archival->run->journal,
		.most = batch_sizes[archival->size],
	};
	struct round round = {
		.to = archival->to,
		.agent = archival->agent,
		.journal = archival->run->journal,
		.id = archival->id,
		.before = archival->inserted,
	};
	struct agent_passages_diff diff;
	int rc;

	rc = agent_passages_read(archival->to, archival->id, archival->agent,
	    "target", true, archival->run->journal, err);
	if (rc != 0) {
		*state = (struct agent_insert_state){ 0 };
		return -1;
	}
	if (agent_archives_note(archival->run, archival->agent, archival->to,
	    archival->id, &round.others, err) != 0) {
		*state = (struct agent_insert_state){ 0 };
		return -1;
	}
	round.insert = agent_insert_open(&spec);
	rc = agent_passages_compare(archival->run->journal, archival->agent,
	    reconcile, &round, &diff, err);
	if (rc == 0)
		rc = agent_insert_flush(round.insert, err);
	*state = *agent_insert_state(round.insert);
	agent_insert_close(round.insert);
	archival->inserted += state->inserted;
	archival->removed += round.removed;
	archival->calls += state->calls;
	archival->passages = diff.source;
	return rc;
}

/* The body of a passage that has made the server fail again and again. */
static int
give_up_on(struct archival *archival, const char *passage, struct err *err)
{
	char *scope = agent_scope("source", archival->agent, "passages");
	char *reason = mem_strdup(err->text), *body = NULL;
	int rc;

	err_clear(err);
	rc = journal_row_get(archival->run->journal, scope, passage, &body,
	    err);
	if (rc == 0 && body)
		rc = agent_rejects_add(archival->agent,
		    archival->run->journal, passage, body, strlen(body),
		    reason, err);
	free(body);
	free(reason);
	free(scope);
	return rc;
}

static int
pause_before(unsigned int idle, struct err *err)
{
	uint64_t end_ms = clock_ms() + ((uint64_t)PAUSE_MS << idle);
	int left_ms;

	for (;;) {
		if (stop_check(err) != 0)
			return -1;
		left_ms = clock_left_ms(end_ms);
		if (left_ms == 0)
			return 0;
		clock_sleep_ms((uint64_t)(left_ms < STOP_SLICE_MS ? left_ms :
		    STOP_SLICE_MS));
	}
}

/*
 * A round has failed in a way that leaves open what was stored.  0: the next
 * one is to list again and go on.
 */
static int
after_failure(struct archival *archival,
    const struct agent_insert_state *state, struct err *err)
{
	archival->idle = state->inserted > 0 ? 0 : archival->idle + 1;
	if (archival->idle >= ROUNDS_MAX) {
		/* One passage, an answer each time, and never another. */
		if (!state->by_server || !state->alone)
			return -1;
		archival->idle = 0;
		archival->size = 0;
		return give_up_on(archival, state->id, err);
	}
	if (archival->size + 1 < BATCH_SIZES)
		archival->size++;
	log_detail("%s; listing again", err->text);
	err_clear(err);
	return pause_before(archival->idle, err);
}

static int
insert_all(struct archival *archival, struct err *err)
{
	struct agent_insert_state state;
	int rc;

	do {
		rc = one_round(archival, &state, err);
		if (rc == 0)
			return 0;
	} while (state.unsure && after_failure(archival, &state, err) == 0);
	return -1;
}

/*
 * The source's listing is brought to its end first: a comparison that was cut
 * short may have left a part of it, and all that it lacks would be taken for
 * too much on the target.
 */
static int
finish_source(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	struct server *from;

	if (!agent->from)
		return 0;
	if (run_server(run, agent->from, &from, err) != 0)
		return -1;
	return agent_passages_read(from, agent->from_id, agent, "source",
	    false, run->journal, err);
}

static void
say_done(struct plan_note *note, const struct archival *archival,
    uint64_t rejected, const char *path)
{
	struct buf line = BUF_INIT(8192);

	buf_printf(&line, "%" PRIu64 " of %" PRIu64 " passages inserted by %"
	    PRIu64 " requests, the others were there; %" PRIu64 " removed "
	    "that were there twice", archival->inserted, archival->passages,
	    archival->calls, archival->removed);
	if (rejected > 0)
		buf_printf(&line, "; %" PRIu64 " rejected, see %s", rejected,
		    path);
	plan_say(note, '+', "%s", buf_cstr(&line));
	buf_clear(&line);
}

/*
 * What the target has is listed afresh each time, so an act that was cut
 * short inserts only the rest.  What was rejected is tried once more: the
 * target may be another since.
 */
static int
archival_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct archival archival = { .run = run, .agent = agent };
	uint64_t rejected = 0;
	bool others;
	char *id = NULL, *path = agent_rejects_path(agent, run->journal);
	int rc;

	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = finish_source(run, agent, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &archival.to, err);
	if (rc == 0)
		rc = agent_rejects_drop(agent, run->journal, err);
	if (rc == 0) {
		archival.id = id;
		progress_begin(agent->name, "passages", 0);
		rc = insert_all(&archival, err);
		progress_end();
	}
	if (rc == 0) {
		rc = agent_archives_note(run, agent, archival.to, id, &others,
		    err);
	}
	if (rc == 0)
		rc = agent_rejects_write(agent, run->journal, err);
	if (rc == 0)
		rc = agent_rejects_count(agent, run->journal, &rejected, err);
	if (rc == 0)
		say_done(note, &archival, rejected, path);
	free(path);
	free(id);
	return rc;
}

/* What was rejected; the passages go with the agent (agent.NAME.import). */
static int
archival_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_agent *agent = step->subject;

	if (agent_rejects_drop(agent, run->journal, err) != 0 ||
	    agent_rejects_write(agent, run->journal, err) != 0)
		return -1;
	plan_say(note, '-', "the list of rejected passages is removed");
	return 0;
}

const struct step_kind agent_archival_kind = {
	.word = "archival",
	.probe = archival_probe,
	.act = archival_act,
	.undo = archival_undo,
};
