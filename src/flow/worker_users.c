#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_users.h"
#include "core/worker.h"
#include "flow/agent.h"
#include "flow/agent_staged.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_source.h"
#include "flow/worker_users.h"
#include "flow/worker_users_db.h"
#include "flow/worker_users_work.h"
#include "io/journal.h"

#define LEFTOVERS_MAX 4096

/*
 * A mapping that was taken back must not be believed again, and the journal
 * forgets no id: so its kinds and scopes carry a number that undo raises.
 */
static char *
numbered(const char *name, const char *what, const char *round)
{
	char *key = run_key("worker", name, what), *out;

	out = *round ? mem_printf("%s-%s", key, round) : mem_strdup(key);
	free(key);
	return out;
}

static int
name_parts(struct worker_users_work *work, struct err *err)
{
	const char *name = work->worker->name;
	char *key = run_key("worker", name, "users-round"), *round = NULL;
	const char *number;
	int rc;

	rc = journal_get(work->run->journal, key, &round, err);
	number = round ? round : "";
	work->identity_kind = numbered(name, "identity", number);
	work->block_kind = numbered(name, "block", number);
	work->known_kind = numbered(name, "users-known", number);
	work->sum_kind = numbered(name, "block-sum", number);
	work->identity_scope = mem_printf("worker/%s/identities%s%s", name,
	    *number ? "-" : "", number);
	work->block_scope = mem_printf("worker/%s/blocks%s%s", name,
	    *number ? "-" : "", number);
	work->labels_key = run_key("worker", name, "user-labels");
	free(round);
	free(key);
	return rc;
}

int
worker_users_old(struct run *run, const struct conf_worker *worker,
    const char *id, char **old, struct err *err)
{
	struct worker_users_work work = { .run = run, .worker = worker };
	int rc;

	rc = name_parts(&work, err);
	if (rc == 0)
		rc = journal_id_get(run->journal, work.known_kind, id, old,
		    err);
	worker_users_close(&work);
	return rc;
}

int
worker_users_new(struct run *run, const struct conf_worker *worker,
    bool block, const char *id, char **now, struct err *err)
{
	struct worker_users_work work = { .run = run, .worker = worker };
	int rc;

	rc = name_parts(&work, err);
	if (rc == 0)
		rc = journal_id_get(run->journal, block ? work.block_kind :
		    work.identity_kind, id, now, err);
	worker_users_close(&work);
	return rc;
}

int
worker_users_forget(struct worker_users_work *work, struct err *err)
{
	char *key = run_key("worker", work->worker->name, "users-round");
	char *round = NULL, *next;
	uint64_t n = 1;
	int rc;

	rc = journal_get(work->run->journal, key, &round, err);
	if (rc == 0 && round && !str_u64(round, UINT32_MAX, &n))
		n = 1;
	next = mem_printf("%" PRIu64, n + 1);
	if (rc == 0)
		rc = journal_put(work->run->journal, key, next, err);
	free(next);
	free(round);
	free(key);
	return rc;
}

/* The source's server is not needed to take back: it may be gone by then. */
static int
open_work(struct worker_users_work *work, struct run *run,
    const struct conf_worker *worker, bool from, struct err *err)
{
	bool ready = true;

	*work = (struct worker_users_work){ .run = run, .worker = worker };
	work->same = worker_same_server(worker);
	if (name_parts(work, err) != 0 ||
	    agent_staged_list(run->journal, work->labels_key, &work->labels,
	    err) != 0)
		return -1;
	if (!agent_staged_list_has(work->labels, LETTA_USER_LABEL))
		jdoc_push(work->labels, jdoc_new_str(LETTA_USER_LABEL));
	if (from &&
	    run_server(run, worker->from_server, &work->from, err) != 0)
		return -1;
	if (worker->agent &&
	    agent_target_ready(run, worker->agent, &ready, err) != 0)
		return -1;
	return ready ? run_server(run, worker->server, &work->to, err) : 0;
}

int
worker_users_open(struct worker_users_work *work, struct run *run,
    const struct conf_worker *worker, struct err *err)
{
	return open_work(work, run, worker, true, err);
}

void
worker_users_close(struct worker_users_work *work)
{
	free(work->identity_kind);
	free(work->block_kind);
	free(work->known_kind);
	free(work->sum_kind);
	free(work->identity_scope);
	free(work->block_scope);
	free(work->labels_key);
	jdoc_free(work->labels);
	jdoc_free(work->made);
}

static void
say(const struct worker_users_work *work, const struct worker_users *users,
    const struct buf *leftovers, bool look, struct plan_note *note)
{
	if (work->same)
		plan_say(note, '~', "%zu users keep their identities and "
		    "blocks: the server stays the same", users->n);
	else
		plan_say(note, '+', "%zu users: %s %zu identities and %zu "
		    "blocks at %s, %zu identities are there", users->n,
		    look ? "make" : "made", work->identities_made,
		    work->blocks_made, work->worker->server->name,
		    work->identities_found);
	if (work->without_identity > 0)
		buf_printf(&note->diff, "  %zu users have no identity in "
		    "sanctum.db: Broca sends their turns without one\n",
		    work->without_identity);
	if (work->without_block > 0)
		buf_printf(&note->diff, "  %zu users have no block in "
		    "sanctum.db: Broca tries their messages without end, at "
		    "the source as well\n", work->without_block);
	if (leftovers->len > 0)
		buf_printf(&note->diff, "  attached to the agent, by a turn "
		    "under way or one that was killed: %s; what is left of "
		    "them is detached at the switch\n", buf_cstr(leftovers));
}

/* Bring or look, and the labels. */
static int
go_through(struct run *run, const struct conf_worker *worker,
    struct host *host, const char *db, bool look, struct plan_note *note,
    struct err *err)
{
	struct buf leftovers = BUF_INIT(LEFTOVERS_MAX);
	struct worker_users_work work;
	struct worker_users users = { 0 };
	int rc;

	rc = worker_users_open(&work, run, worker, err);
	if (rc == 0)
		rc = worker_users_load(host, db, &users, err);
	if (rc == 0 && !look && !work.to)
		rc = err_set(err, ERR_FAILED, "server %s is not up yet",
		    worker->server->name);
	/* Looked at first: a clash is told before anything is made. */
	if (rc == 0 && !look && users.n > 0)
		rc = worker_users_check_labels(&work, &users, &leftovers,
		    err);
	buf_clear(&leftovers);
	if (rc == 0)
		rc = worker_users_bring(&work, &users, look, err);
	if (rc == 0 && users.n > 0)
		rc = worker_users_check_labels(&work, &users, &leftovers,
		    err);
	if (rc == 0)
		say(&work, &users, &leftovers, look, note);
	buf_clear(&leftovers);
	worker_users_clear(&users);
	worker_users_close(&work);
	return rc;
}

int
worker_users_map(struct run *run, const struct conf_worker *worker,
    struct host *host, const char *db, struct plan_note *note,
    struct err *err)
{
	return go_through(run, worker, host, db, false, note, err);
}

/* The new ids of one column; each row must have one. */
static int
collect(struct worker_users_work *work, const struct worker_users *users,
    bool blocks, struct worker_users_pairs *pairs, struct err *err)
{
	const char *kind = blocks ? work->block_kind : work->identity_kind;
	const char *id;
	char *to;
	int rc = 0;

	pairs->n = 0;
	pairs->list = mem_zero(users->n + 1, sizeof(*pairs->list));
	for (size_t i = 0; i < users->n && rc == 0; i++) {
		id = blocks ? users->list[i].block : users->list[i].identity;
		if (!id)
			continue;
		rc = worker_users_known(work, kind, id, &to, err);
		if (rc == 0 && to)
			pairs->list[pairs->n++] = (struct worker_users_pair){
			    id, to };
		else if (rc == 0)
			rc = err_set(err, ERR_DATA, "letta_users row %s: %s "
			    "%s is not mapped to one at %s; no row was "
			    "changed", users->list[i].row, blocks ? "block" :
			    "identity", id, work->worker->server->name);
	}
	return rc;
}

static void
pairs_clear(struct worker_users_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		free((char *)pairs->list[i].to);
	free(pairs->list);
}

int
worker_users_apply(struct run *run, const struct conf_worker *worker,
    struct host *host, const char *db, struct err *err)
{
	struct worker_users_pairs identities = { 0 }, blocks = { 0 };
	struct worker_users_work work;
	struct worker_users users = { 0 };
	int rc;

	rc = worker_users_open(&work, run, worker, err);
	if (rc == 0)
		rc = worker_users_load(host, db, &users, err);
	if (rc == 0)
		rc = worker_users_refresh(&work, &users, err);
	if (rc == 0)
		rc = collect(&work, &users, false, &identities, err);
	if (rc == 0)
		rc = collect(&work, &users, true, &blocks, err);
	if (rc == 0)
		rc = worker_users_replace(host, db, &identities, &blocks,
		    err);
	pairs_clear(&identities);
	pairs_clear(&blocks);
	worker_users_clear(&users);
	worker_users_close(&work);
	return rc == 0 ? 0 : err_ctx(err, "worker %s: ids of the users in %s",
	    worker->name, db);
}

static bool
has_users(const struct conf_worker *worker, struct plan_note *note,
    enum plan_found *found)
{
	if (worker_has_broca(worker))
		return true;
	plan_say(note, '+', "no users: broca is not among the trees");
	*found = PLAN_DONE;
	return false;
}

/* Done once this worker's step is, by the journal, or it is in its place. */
static int
users_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	enum journal_state state = JOURNAL_NONE;
	struct host *from;
	bool installed;
	char *db;
	int rc;

	if (!has_users(worker, note, found))
		return 0;
	rc = worker_installed(run, worker, &installed, err);
	if (rc == 0)
		rc = journal_step_state(run->journal, step->name, &state,
		    err);
	if (rc != 0)
		return -1;
	if (installed || state == JOURNAL_DONE) {
		plan_say(note, '+', "users are brought over; who came since "
		    "comes at the switch");
		*found = PLAN_DONE;
		return 0;
	}
	*found = PLAN_TODO;
	db = worker_path(worker->from_path, WORKER_DB);
	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = go_through(run, worker, from, db, true, note, err);
	free(db);
	return rc;
}

static int
users_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker);
	char *db = worker_path(staging, WORKER_DB), *id = NULL;
	struct host *to;
	int rc;

	/* Read while its .env files are there. */
	rc = worker_source_agent(run, worker, &id, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = worker_users_map(run, worker, to, db, note, err);
	free(id);
	free(db);
	free(staging);
	return rc;
}

static int
users_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct worker_users_work work;
	size_t n = 0;
	int rc;

	rc = open_work(&work, run, step->subject, false, err);
	if (rc == 0)
		rc = worker_users_remove(&work, &n, err);
	if (rc == 0)
		rc = worker_users_forget(&work, err);
	if (rc == 0)
		plan_say(note, '-', "identities and blocks that this job made "
		    "for users and no agent has are removed");
	worker_users_close(&work);
	return rc;
}

const struct step_kind worker_users_kind = {
	.word = "users",
	.probe = users_probe,
	.act = users_act,
	.undo = users_undo,
};
