#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_mark.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_delta.h"
#include "flow/agent_identities.h"
#include "flow/agent_source.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker.h"
#include "flow/worker_smcp.h"
#include "flow/worker_switch.h"
#include "io/hash.h"
#include "io/journal.h"

#define COMPARED "compared"
#define WORKED "worked"

bool
agent_delta_applies(const struct conf *conf, const struct conf_agent *agent)
{
	for (size_t i = 0; agent->from && i < conf->n_workers; i++) {
		if (conf->workers[i].agent == agent)
			return true;
	}
	return false;
}

/*
 * Of messages the ids, since the body of one depends on whether an export has
 * held it; of the rest the bodies, in an order of their own.
 */
static int
add_scope(struct run *run, const struct conf_agent *agent, const char *what,
    bool bodies, struct hash *hash, struct err *err)
{
	char *scope = agent_scope("source", agent, what);
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0, rc;

	hash_add(hash, what, strlen(what) + 1);
	rc = journal_rows_open(run->journal, scope, bodies, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		if (bodies)
			hash_add(hash, row.body, row.body_len + 1);
		else
			hash_add(hash, row.id, strlen(row.id) + 1);
	}
	journal_rows_close(rows);
	free(scope);
	return rc == 0 && more == 0 ? 0 : -1;
}

/* "SUM ROWS" of what is staged of the source. */
static int
sum_up(struct run *run, const struct conf_agent *agent, char **out,
    uint64_t *messages, struct err *err)
{
	char *scope = agent_scope("source", agent, "messages");
	char text[2 * HASH_SIZE + 1];
	struct hash *hash = hash_new(err);
	int rc = hash ? 0 : -1;

	*out = NULL;
	if (rc == 0)
		rc = add_scope(run, agent, "messages", false, hash, err);
	if (rc == 0)
		rc = add_scope(run, agent, "passages", true, hash, err);
	if (rc == 0)
		rc = add_scope(run, agent, "blocks", true, hash, err);
	if (rc == 0)
		rc = add_scope(run, agent, "identities", true, hash, err);
	if (rc == 0)
		rc = hash_end_hex(hash, text, err);
	if (rc == 0)
		rc = journal_count(run->journal, scope, messages, err);
	if (rc == 0)
		*out = mem_printf("%s %" PRIu64, text, *messages);
	hash_free(hash);
	free(scope);
	return rc;
}

int
agent_delta_note(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	char *key = run_key("agent", agent->name, COMPARED), *now = NULL;
	uint64_t messages;
	int rc;

	rc = sum_up(run, agent, &now, &messages, err);
	if (rc == 0)
		rc = journal_put(run->journal, key, now, err);
	free(now);
	free(key);
	return rc;
}

int
agent_delta_look(struct run *run, const struct conf_agent *agent,
    struct agent_delta_seen *seen, struct err *err)
{
	char *key = run_key("agent", agent->name, COMPARED);
	char *then = NULL, *now = NULL;
	uint64_t messages, before;
	const char *blank;
	int rc;

	*seen = (struct agent_delta_seen){ 0 };
	rc = journal_get(run->journal, key, &then, err);
	if (rc == 0 && then && *then) {
		seen->compared = true;
		rc = sum_up(run, agent, &now, &messages, err);
	}
	if (rc == 0 && now) {
		seen->same = str_eq(now, then);
		blank = strchr(then, ' ');
		if (blank && str_u64(blank + 1, INT64_MAX, &before))
			seen->more = (int64_t)messages - (int64_t)before;
	}
	free(now);
	free(then);
	free(key);
	return rc;
}

int
agent_delta_worked(struct run *run, const struct conf_agent *agent,
    bool *out, struct err *err)
{
	char *key = run_key("agent", agent->name, WORKED), *text = NULL;
	int rc = journal_get(run->journal, key, &text, err);

	*out = text && *text;
	free(text);
	free(key);
	return rc;
}

int
agent_delta_note_worked(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	char *key = run_key("agent", agent->name, WORKED);
	int rc = journal_put(run->journal, key, "yes", err);

	free(key);
	return rc;
}

/* Nothing is written where nothing is noted. */
int
agent_delta_forget(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	static const char *const facts[] = { WORKED, COMPARED };
	char *key, *text;
	int rc = 0;

	for (size_t i = 0; i < 2 && rc == 0; i++) {
		key = run_key("agent", agent->name, facts[i]);
		rc = journal_get(run->journal, key, &text, err);
		if (rc == 0 && text && *text)
			rc = journal_put(run->journal, key, "", err);
		if (rc == 0)
			free(text);
		free(key);
	}
	return rc;
}

/* One that has its name is somebody's already. */
static int
refuse_named(struct run *run, const struct conf_agent *agent, const char *id,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *there = NULL;
	struct server *to;
	int rc;

	letta_path_agent(&path, id);
	rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = server_get_doc(to, buf_cstr(&path), "agent", &there,
		    err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	if (rc == 0 && there && !af_mark_of(jdoc_get(there, "metadata")))
		rc = err_set(err, ERR_STALE, "%s on %s has its name, and its "
		    "source has gone on since it was read: it is not taken "
		    "away, as somebody may have talked to it; `cancel' takes "
		    "it away, then apply again", agent->name,
		    agent->to->name);
	jdoc_free(there);
	buf_clear(&path);
	return rc;
}

static struct step
smcp_step(const struct conf_worker *worker)
{
	return (struct step){
		.name = run_key("worker", worker->name,
		    worker_smcp_kind.word),
		.kind = &worker_smcp_kind,
		.subject = worker,
	};
}

/* Its next run gives them to the next copy. */
static int
take_secrets(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	const struct step step = smcp_step(worker);
	struct plan_note note = { 0 };
	enum journal_state state;
	int rc;

	buf_init(&note.summary, 8 * 1024);
	buf_init(&note.diff, 1024 * 1024);
	rc = journal_step_state(run->journal, step.name, &state, err);
	if (rc == 0 && (state == JOURNAL_BEGUN || state == JOURNAL_DONE)) {
		rc = step.kind->undo(run, &step, &note, err);
		if (rc == 0)
			rc = journal_step_end(run->journal, step.name,
			    JOURNAL_UNDONE, NULL, err);
	}
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	free((char *)step.name);
	return rc;
}

int
agent_delta_renew(struct run *run, const struct conf_agent *agent,
    struct err *err)
{
	const struct step step = { .kind = &agent_import_kind, .name = "",
		.subject = agent };
	const struct step read = { .kind = &agent_read_kind, .name = "",
		.subject = agent };
	struct plan_note note = { 0 };
	char *id = NULL;
	int rc;

	buf_init(&note.summary, 8 * 1024);
	buf_init(&note.diff, 8 * 1024);
	rc = agent_target_id(run, agent, &id, err);
	if (rc == 0 && id)
		rc = refuse_named(run, agent, id, err);
	for (size_t i = 0; rc == 0 && i < run->conf->n_workers; i++) {
		if (run->conf->workers[i].agent == agent)
			rc = take_secrets(run, &run->conf->workers[i], err);
	}
	if (rc == 0)
		rc = agent_read_anew(run, agent, err);
	if (rc == 0)
		rc = agent_import_kind.undo(run, &step, &note, err);
	if (rc == 0)
		rc = agent_read_kind.act(run, &read, &note, err);
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	free(id);
	return rc;
}

/* What an import and all behind it are, without what only a plan says. */
static void
plan_again(struct plan *plan, const struct conf_worker *worker)
{
	static const struct step_kind *const kinds[] = {
		&agent_import_kind, &agent_attach_kind, &agent_blocks_kind,
		&agent_identities_kind, &agent_archival_kind,
		&agent_compare_kind
	};
	const struct conf_agent *agent = worker->agent;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		plan_add(plan, "agent", agent->name, kinds[i], agent);
	plan_add(plan, "worker", worker->name, &worker_smcp_kind, worker);
}

static int
import_again(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	static const struct plan_watch quiet = { 0 };
	struct plan plan = { 0 };
	size_t acted, at;
	int rc = 0;

	plan_again(&plan, worker);
	for (size_t i = 0; i < plan.n_steps && rc == 0; i++) {
		rc = plan_apply_part(run, &plan, i, i + 1, &quiet, &acted,
		    &at, err);
		if (rc == 0)
			rc = worker_freeze_check(run, worker, err);
	}
	plan_clear(&plan);
	return rc;
}

/* What others said to it then came after the worker was in its place. */
static int
delta_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	bool given, installed = false;

	if (agent_is_given(run, worker->agent, &given, err) != 0 ||
	    (!given && worker_installed(run, worker, &installed, err) != 0))
		return -1;
	*found = given || installed ? PLAN_DONE : PLAN_TODO;
	plan_say(note, '~', *found == PLAN_DONE ? "what %s has said since it "
	    "was read is there" : "read what %s has said since; is there "
	    "more, import it again while the worker stands",
	    worker->agent->name);
	return 0;
}

static int
delta_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	const struct conf_agent *agent = worker->agent;
	struct agent_delta_seen seen;

	if (agent_source_load(run, agent, false, run->journal, err) != 0 ||
	    agent_delta_look(run, agent, &seen, err) != 0)
		return -1;
	if (seen.same) {
		plan_say(note, '~', "%s has said nothing since it was read",
		    agent->name);
		return 0;
	}
	log_info("%s: %" PRId64 " more messages at its source than were "
	    "read: it is imported again", agent->name, seen.more);
	if (import_again(run, worker, err) != 0)
		return err_ctx(err, "%s has gone on since it was read (%"
		    PRId64 " messages more), and the next run brings that "
		    "over before the worker stands", agent->name, seen.more);
	plan_say(note, '~', "%s imported again, with what it had said since: "
	    "%" PRId64 " messages", agent->name, seen.more);
	return 0;
}

/* The copy goes with its import (agent.NAME.import). */
const struct step_kind agent_delta_kind = {
	.word = "delta",
	.probe = delta_probe,
	.act = delta_act,
};
