#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_staged.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/*
 * What a server writes into the first system row when a block that an agent
 * has is changed (0.16.8, seen); a block is taken off the agent for that, and
 * these two are not part of the prompt.
 */
#define QUIET (LETTA_BLOCK_TAGS | LETTA_BLOCK_METADATA)

/* The step at work. */
struct blocks {
	struct run *run;
	const struct conf_agent *agent;
	struct server *to;
	char *id;		/* of the agent there */
	char *made_key;
	struct jdoc *made;	/* ids: of this agent's import and step */
	struct jdoc *there;	/* the agent's blocks, as the server has them */
	size_t shared, changed, created;
};

/* One block on its way: of the source, and what it is on the target. */
struct block {
	const char *source_id;
	const struct jdoc *row;
	char *id;		/* at the target */
	struct jdoc *there;	/* the block at the server; NULL: not known */
};

static int
blocks_open(struct run *run, const struct conf_agent *agent,
    struct blocks *blocks, struct err *err)
{
	*blocks = (struct blocks){ .run = run, .agent = agent };
	blocks->made_key = run_key("agent", agent->name, "blocks-made");
	if (agent_staged_list(run->journal, blocks->made_key, &blocks->made,
	    err) != 0 || agent_target_id(run, agent, &blocks->id, err) != 0)
		return -1;
	return run_server(run, agent->to, &blocks->to, err);
}

static void
blocks_clear(struct blocks *blocks)
{
	free(blocks->id);
	free(blocks->made_key);
	jdoc_free(blocks->made);
	jdoc_free(blocks->there);
}

/* GET; *out is NULL when it is gone. */
static int
get(struct blocks *blocks, const char *path, struct jdoc **out,
    struct err *err)
{
	int rc = server_get_doc(blocks->to, path, path, out, err);

	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	return rc;
}

/* Send, and keep of the answer only its id, where that is asked for. */
static int
send(struct blocks *blocks, const char *method, const struct buf *path,
    const char *body, char **id, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *doc = NULL;
	int rc;

	rc = server_send(blocks->to, method, buf_cstr(path), body, &answer,
	    err);
	if (rc == 0 && id) {
		doc = jdoc_parse(buf_cstr(&answer), answer.len, err);
		if (jdoc_get_str(doc, "id"))
			*id = mem_strdup(jdoc_get_str(doc, "id"));
		else
			rc = doc ? err_set(err, ERR_DATA, "%s: %s %s: no id "
			    "in the answer", blocks->to->name, method,
			    buf_cstr(path)) : -1;
		jdoc_free(doc);
	}
	buf_wipe(&answer);
	return rc;
}

static int
list_there(struct blocks *blocks, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	jdoc_free(blocks->there);
	letta_path_agent_blocks(&path, blocks->id);
	rc = server_get_doc(blocks->to, buf_cstr(&path), "blocks",
	    &blocks->there, err);
	buf_clear(&path);
	return rc;
}

/* The agent's block with this member, or NULL. */
static const struct jdoc *
find_there(const struct blocks *blocks, const char *key, const char *value)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(blocks->there); i++) {
		one = jdoc_get_str(jdoc_at(blocks->there, i), key);
		if (one && str_eq(one, value))
			return jdoc_at(blocks->there, i);
	}
	return NULL;
}

/* Of the block at the target that the journal names, if it is there still. */
static int
find_mapped(struct blocks *blocks, struct block *block, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	rc = agent_blocks_target(blocks->agent, blocks->run->journal,
	    block->source_id, &block->id, err);
	if (rc == 0 && block->id) {
		letta_path_block(&path, block->id);
		rc = get(blocks, buf_cstr(&path), &block->there, err);
	}
	if (rc == 0 && !block->there) {
		free(block->id);
		block->id = NULL;
	}
	buf_clear(&path);
	return rc;
}

/*
 * The label of a block that we make, until it has its own: unique, and one
 * that a listing can be asked for (letters, digits, "_", "/", "-" alone, and
 * at most 50 of them: 0.16.8, seen).
 */
#define ID_PART 36	/* a UUID, or the end of what stands for one */

static char *
temporary_label(const struct blocks *blocks, const char *source_id)
{
	size_t len = strlen(source_id);

	return mem_printf("%s-%s", blocks->run->mark,
	    source_id + (len > ID_PART ? len - ID_PART : 0));
}

/* *id is NULL when no block has the label. */
static int
find_label(struct blocks *blocks, const char *label, char **id,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *one;
	int rc;

	*id = NULL;
	letta_path_blocks_by_label(&path, label);
	rc = server_get_doc(blocks->to, buf_cstr(&path), "blocks by label",
	    &found, err);
	one = jdoc_get_str(jdoc_at(found, 0), "id");
	if (rc == 0 && one)
		*id = mem_strdup(one);
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}

/*
 * A block that the agent file did not bring.  It is found by its temporary
 * label until the journal has its id, and gets its own label after.
 */
static int
make(struct blocks *blocks, struct block *block, struct err *err)
{
	char *label = temporary_label(blocks, block->source_id);
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	rc = find_label(blocks, label, &block->id, err);
	if (rc == 0 && !block->id) {
		buf_str(&path, LETTA_PATH_BLOCKS);
		letta_body_block_new(&body, block->row, label);
		rc = buf_check(&body, "block", err);
		if (rc == 0)
			rc = send(blocks, "POST", &path, buf_cstr(&body),
			    &block->id, err);
		buf_clear(&path);
		blocks->created += rc == 0;
	}
	if (rc == 0)
		rc = agent_staged_list_add(blocks->run->journal,
		    blocks->made_key, blocks->made, block->id, err);
	if (rc == 0) {
		letta_path_block(&path, block->id);
		rc = get(blocks, buf_cstr(&path), &block->there, err);
	}
	if (rc == 0 && !block->there)
		rc = err_set(err, ERR_STALE, "%s: block %s was made and is "
		    "gone", blocks->to->name, block->id);
	buf_clear(&path);
	buf_clear(&body);
	free(label);
	return rc;
}

/*
 * The block at the target that this one of the source becomes: the one that
 * it has become already, maybe for another agent of the job; else the one of
 * its label that the import made; else a new one.
 */
static int
settle(struct blocks *blocks, struct block *block, struct err *err)
{
	const struct jdoc *own;

	if (find_mapped(blocks, block, err) != 0)
		return -1;
	if (block->id)
		return 0;
	own = find_there(blocks, "label", jdoc_get_str(block->row, "label"));
	if (own && jdoc_get_str(own, "id")) {
		block->id = mem_strdup(jdoc_get_str(own, "id"));
		block->there = jdoc_copy(own);
	} else if (make(blocks, block, err) != 0) {
		return -1;
	}
	return agent_blocks_target_set(blocks->agent, blocks->run->journal,
	    block->source_id, block->id, err);
}

static int
detach(struct blocks *blocks, const char *id, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_block_detach(&path, blocks->id, id);
	rc = send(blocks, "PATCH", &path, NULL, NULL, err);
	buf_clear(&path);
	return rc != 0 ? -1 : list_there(blocks, err);
}

static int
attach(struct blocks *blocks, const char *id, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_block_attach(&path, blocks->id, id);
	rc = send(blocks, "PATCH", &path, NULL, NULL, err);
	buf_clear(&path);
	return rc != 0 ? -1 : list_there(blocks, err);
}

/*
 * Bring its fields to what they are at the source.  One that was made for
 * another agent of the job is that agent's, which may be at work by now.
 */
static int
bring_fields(struct blocks *blocks, const struct block *block,
    struct err *err)
{
	unsigned int fields = letta_block_changes(block->row, block->there);
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	int rc = 0;

	if (fields == 0 ||
	    !agent_staged_list_has(blocks->made, block->id))
		return 0;
	if ((fields & ~(unsigned int)QUIET) &&
	    find_there(blocks, "id", block->id))
		rc = detach(blocks, block->id, err);
	letta_path_block(&path, block->id);
	letta_body_block(&body, block->row, fields);
	if (rc == 0)
		rc = buf_check(&body, "block", err);
	if (rc == 0)
		rc = send(blocks, "PATCH", &path, buf_cstr(&body), NULL, err);
	blocks->changed += rc == 0;
	buf_clear(&path);
	buf_clear(&body);
	return rc;
}

/*
 * Labels are unique to an agent, so a private copy goes first.  Stopped
 * between the two, the journal knows what is to be attached.
 */
static int
bring_to_agent(struct blocks *blocks, const struct block *block,
    struct err *err)
{
	const struct jdoc *copy;

	if (find_there(blocks, "id", block->id))
		return 0;
	copy = find_there(blocks, "label", jdoc_get_str(block->row, "label"));
	if (copy && detach(blocks, jdoc_get_str(copy, "id"), err) != 0)
		return -1;
	blocks->shared += copy != NULL;
	return attach(blocks, block->id, err);
}

static int
bring(struct blocks *blocks, const struct jdoc *source, struct err *err)
{
	struct block block = {
		.source_id = jdoc_get_str(source, "id"),
		.row = jdoc_get(source, "row"),
	};
	int rc = stop_check(err);

	if (rc == 0)
		rc = settle(blocks, &block, err);
	if (rc == 0)
		rc = bring_fields(blocks, &block, err);
	if (rc == 0)
		rc = bring_to_agent(blocks, &block, err);
	if (rc != 0)
		(void)err_ctx(err, "block %s of the source",
		    block.source_id);
	jdoc_free(block.there);
	free(block.id);
	return rc;
}

/* Remove a block that no agent has. */
static int
remove_if_unused(struct blocks *blocks, const char *id, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *agents = NULL;
	int rc;

	letta_path_block_agents(&path, id);
	rc = get(blocks, buf_cstr(&path), &agents, err);
	buf_clear(&path);
	letta_path_block(&path, id);
	if (rc == 0 && jdoc_type(agents) == JDOC_ARRAY &&
	    jdoc_len(agents) == 0)
		rc = server_delete(blocks->to, buf_cstr(&path), err);
	jdoc_free(agents);
	buf_clear(&path);
	return rc;
}

/* Private copies that gave way to a shared block. */
static int
remove_unused(struct blocks *blocks, struct err *err)
{
	const char *id;
	int rc = 0;

	for (size_t i = 0; i < jdoc_len(blocks->made) && rc == 0; i++) {
		id = jdoc_str(jdoc_at(blocks->made, i));
		if (!find_there(blocks, "id", id))
			rc = remove_if_unused(blocks, id, err);
	}
	return rc;
}

static int
blocks_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct jdoc *rows = NULL;
	struct blocks blocks;
	int rc;

	rc = blocks_open(run, agent, &blocks, err);
	if (rc == 0)
		rc = agent_blocks_note_job(run->conf, run->journal, err);
	if (rc == 0)
		rc = agent_staged_load(agent, "source", "blocks",
		    run->journal, &rows, err);
	if (rc == 0)
		rc = list_there(&blocks, err);
	for (size_t i = 0; i < jdoc_len(rows) && rc == 0; i++)
		rc = bring(&blocks, jdoc_at(rows, i), err);
	if (rc == 0)
		rc = remove_unused(&blocks, err);
	if (rc == 0)
		plan_say(note, '~', "%zu blocks: %zu changed to what they "
		    "are at the source, %zu made, %zu that another agent of "
		    "this job has too", jdoc_len(rows), blocks.changed,
		    blocks.created, blocks.shared);
	jdoc_free(rows);
	blocks_clear(&blocks);
	return rc;
}

static int
blocks_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	char *scope = agent_scope("source", agent, "blocks");
	uint64_t n = 0;
	bool done = false;
	int rc;

	rc = journal_count(run->journal, scope, &n, err);
	/* Once it is promoted, its blocks are the operator's. */
	if (rc == 0)
		rc = agent_is_promoted(run, agent, &done, err);
	if (rc == 0)
		plan_say(note, '~', done ? "%" PRIu64 " blocks are there" :
		    "%" PRIu64 " blocks: tags and flags as at the source, "
		    "shared as far as this job moves who shares them", n);
	*found = done ? PLAN_DONE : PLAN_TODO;
	free(scope);
	return rc;
}

/* One that a POST has made and no journal knows. */
static int
undo_one(struct blocks *blocks, const char *source_id, struct err *err)
{
	char *label = temporary_label(blocks, source_id), *id = NULL;
	char *target = NULL;
	int rc;

	rc = find_label(blocks, label, &id, err);
	if (rc == 0 && id)
		rc = remove_if_unused(blocks, id, err);
	if (rc == 0)
		rc = agent_blocks_target(blocks->agent, blocks->run->journal,
		    source_id, &target, err);
	if (rc == 0 && target &&
	    agent_staged_list_has(blocks->made, target))
		rc = agent_blocks_target_set(blocks->agent,
		    blocks->run->journal, source_id, "", err);
	free(target);
	free(id);
	free(label);
	return rc;
}

/*
 * The blocks that the agent has go with it (agent.NAME.import); here it is
 * those that it had, or was to get.
 */
static int
blocks_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct jdoc *rows = NULL;
	struct blocks blocks;
	int rc;

	rc = blocks_open(run, step->subject, &blocks, err);
	if (rc == 0)
		rc = agent_staged_load(step->subject, "source", "blocks",
		    run->journal, &rows, err);
	for (size_t i = 0; i < jdoc_len(rows) && rc == 0; i++)
		rc = undo_one(&blocks, jdoc_get_str(jdoc_at(rows, i), "id"),
		    err);
	for (size_t i = 0; i < jdoc_len(blocks.made) && rc == 0; i++)
		rc = remove_if_unused(&blocks,
		    jdoc_str(jdoc_at(blocks.made, i)), err);
	if (rc == 0)
		plan_say(note, '-', "blocks without an agent are removed");
	jdoc_free(rows);
	blocks_clear(&blocks);
	return rc;
}

const struct step_kind agent_blocks_kind = {
	.word = "blocks",
	.probe = blocks_probe,
	.act = blocks_act,
	.undo = blocks_undo,
};
