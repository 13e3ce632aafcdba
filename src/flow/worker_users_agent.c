#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_memory.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_staged.h"
#include "flow/run.h"
#include "flow/server.h"
#include "flow/worker.h"
#include "flow/worker_source.h"
#include "flow/worker_users.h"
#include "flow/worker_users_db.h"
#include "flow/worker_users_work.h"

/*
 * Blocks of an agent against the users' own.  Letta lets an agent have one
 * block of a label; a second is 409, which Broca takes for `already attached'.
 */

static int
blocks_of(struct server *server, const char *agent, struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_agent_blocks(&path, agent);
	rc = server_get_list(server, buf_cstr(&path), "blocks of the agent",
	    out, err);
	buf_clear(&path);
	return rc;
}

/*
 * The blocks of the agent that will be used; of the source's, *before, while
 * that is not there.  A bundle's are in the journal once it was read.
 */
static int
fetch_blocks(struct worker_users_work *work, struct jdoc **out, bool *before,
    struct err *err)
{
	const struct conf_agent *agent = work->worker->agent;
	struct jdoc *state = NULL;
	char *id = NULL;
	int rc;

	*out = NULL;
	rc = worker_agent_id(work->run, work->worker, &id, err);
	*before = !id || !work->to;
	if (rc == 0 && !*before) {
		rc = blocks_of(work->to, id, out, err);
	} else if (rc == 0 && agent && agent->from) {
		rc = blocks_of(work->from, agent->from_id, out, err);
	} else if (rc == 0 && agent) {
		rc = agent_state_load(agent, "source", work->run->journal,
		    &state, err);
		if (rc == 0 && jdoc_get(state, "blocks"))
			*out = jdoc_copy(jdoc_get(state, "blocks"));
	}
	jdoc_free(state);
	free(id);
	return rc;
}

static bool
is_users_block(const struct worker_users *users, const char *id)
{
	for (size_t i = 0; i < users->n; i++) {
		if (users->list[i].block && str_eq(users->list[i].block, id))
			return true;
	}
	return false;
}

/* Whether the agent's import made it from a user's that was attached then. */
static int
is_imported_copy(struct worker_users_work *work,
    const struct worker_users *users, const char *id, bool *out,
    struct err *err)
{
	const struct conf_agent *agent = work->worker->agent;
	char *copy;
	int rc = 0;

	*out = false;
	for (size_t i = 0; agent && i < users->n && rc == 0 && !*out; i++) {
		if (!users->list[i].block)
			continue;
		rc = agent_blocks_target(agent, work->run->journal,
		    users->list[i].block, &copy, err);
		*out = rc == 0 && copy && str_eq(copy, id);
		free(copy);
	}
	return rc;
}

/* A user's own, of before or of now, or a copy of one. */
static int
is_leftover(struct worker_users_work *work, const struct worker_users *users,
    const char *id, bool *out, struct err *err)
{
	char *known = NULL;
	int rc = 0;

	*out = is_users_block(users, id);
	if (!*out) {
		rc = worker_users_known(work, work->block_kind, id, &known,
		    err);
		*out = rc == 0 && known;
	}
	if (rc == 0 && !*out)
		rc = is_imported_copy(work, users, id, out, err);
	free(known);
	return rc;
}

static int
clash(const struct worker_users_work *work, const struct jdoc *block,
    bool before, struct err *err)
{
	return err_set(err, ERR_DATA, "worker %s: %s agent%s has a block "
	    "labelled `%s' (%s) of its own, as the blocks of the worker's "
	    "users are labelled.  An agent has one block of a label, so each "
	    "user's turn would go out under that block, also with what it "
	    "says of another user; nothing was changed.  Detach it from the "
	    "agent, or give it another label, then run the same command "
	    "again", work->worker->name, before ? "the source's" :
	    "the target's", before ? ", as it is to be moved," : "",
	    jdoc_get_str(block, "label"), jdoc_get_str(block, "id"));
}

/* Call each for a leftover; anything else of a users' label is a clash. */
static int
walk_labels(struct worker_users_work *work, const struct worker_users *users,
    const struct jdoc *blocks, bool before,
    int (*each)(void *ctx, const char *id, struct err *), void *ctx,
    struct err *err)
{
	const struct jdoc *block;
	const char *label, *id;
	bool leftover;
	int rc = 0;

	for (size_t i = 0; i < jdoc_len(blocks) && rc == 0; i++) {
		block = jdoc_at(blocks, i);
		label = jdoc_get_str(block, "label");
		id = jdoc_get_str(block, "id");
		if (!label || !id ||
		    !agent_staged_list_has(work->labels, label))
			continue;
		rc = is_leftover(work, users, id, &leftover, err);
		if (rc == 0)
			rc = leftover ? each(ctx, id, err) :
			    clash(work, block, before, err);
	}
	return rc;
}

static int
say_leftover(void *ctx, const char *id, struct err *err)
{
	struct buf *out = ctx;

	(void)err;
	buf_str(out, out->len ? ", " : "");
	str_printable(out, id, strlen(id));
	return 0;
}

int
worker_users_check_labels(struct worker_users_work *work,
    const struct worker_users *users, struct buf *leftovers, struct err *err)
{
	struct jdoc *blocks = NULL;
	bool before;
	int rc;

	rc = fetch_blocks(work, &blocks, &before, err);
	if (rc == 0)
		rc = walk_labels(work, users, blocks, before, say_leftover,
		    leftovers, err);
	jdoc_free(blocks);
	return rc;
}

struct detaching {
	struct server *server;
	const char *agent;
};

/* One that is not attached any more is a success: 404. */
static int
detach_one(void *ctx, const char *id, struct err *err)
{
	const struct detaching *from = ctx;
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_block_detach(&path, from->agent, id);
	rc = server_send(from->server, "PATCH", buf_cstr(&path), NULL,
	    &answer, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/* strict: a block that is nobody's here is a clash, else it is passed over. */
static int
detach_from(struct worker_users_work *work, const struct worker_users *users,
    struct server *server, const char *agent, bool strict, struct err *err)
{
	struct detaching from = { server, agent };
	struct jdoc *blocks = NULL;
	const char *id;
	bool leftover;
	int rc;

	rc = blocks_of(server, agent, &blocks, err);
	if (rc == 0 && strict)
		rc = walk_labels(work, users, blocks, false, detach_one,
		    &from, err);
	for (size_t i = 0; i < jdoc_len(blocks) && rc == 0 && !strict; i++) {
		id = jdoc_get_str(jdoc_at(blocks, i), "id");
		rc = id ? is_leftover(work, users, id, &leftover, err) : 0;
		if (rc == 0 && id && leftover)
			rc = detach_one(&from, id, err);
	}
	jdoc_free(blocks);
	return rc;
}

int
worker_users_detach(struct run *run, const struct conf_worker *worker,
    struct host *host, const char *db, struct err *err)
{
	struct worker_users_work work;
	struct worker_users users = { 0 };
	char *before = NULL, *now = NULL;
	int rc;

	rc = worker_users_open(&work, run, worker, err);
	if (rc == 0)
		rc = worker_users_load(host, db, &users, err);
	if (rc == 0)
		rc = worker_agent_id(run, worker, &now, err);
	if (rc == 0)
		rc = worker_source_agent(run, worker, &before, err);
	if (rc == 0 && now && work.to)
		rc = detach_from(&work, &users, work.to, now, true, err);
	if (rc == 0 && work.same && before && (!now || !str_eq(before, now)))
		rc = detach_from(&work, &users, work.from, before, false,
		    err);
	free(before);
	free(now);
	worker_users_clear(&users);
	worker_users_close(&work);
	return rc == 0 ? 0 : err_ctx(err, "worker %s: users' blocks",
	    worker->name);
}

int
worker_users_detach_source(struct run *run, const struct conf_worker *worker,
    struct host *host, const char *db, struct err *err)
{
	struct worker_users_work work;
	struct worker_users users = { 0 };
	char *agent = NULL;
	int rc;

	rc = worker_users_open(&work, run, worker, err);
	if (rc == 0)
		rc = worker_users_load(host, db, &users, err);
	if (rc == 0)
		rc = worker_source_agent(run, worker, &agent, err);
	if (rc == 0 && agent && work.from)
		rc = detach_from(&work, &users, work.from, agent, false, err);
	free(agent);
	worker_users_clear(&users);
	worker_users_close(&work);
	return rc == 0 ? 0 : err_ctx(err, "worker %s: users' blocks",
	    worker->name);
}
