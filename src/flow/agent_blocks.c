#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_answer.h"
#include "core/letta_memory.h"
#include "core/shown.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_blocks.h"
#include "flow/agent_staged.h"
#include "flow/server.h"
#include "io/journal.h"

#define JOB_AGENTS_KEY "job.agents"
#define NAMED_MAX 200	/* bytes of ids in a reason */

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The ids of a list of agents but own, sorted. */
static struct jdoc *
others(const struct jdoc *agents, const char *own)
{
	size_t n = jdoc_len(agents), kept = 0;
	const char **ids = mem_zero(n + 1, sizeof(*ids));
	struct jdoc *out = jdoc_new_array();

	for (size_t i = 0; i < n; i++) {
		ids[kept] = jdoc_get_str(jdoc_at(agents, i), "id");
		kept += ids[kept] && !str_eq(ids[kept], own);
	}
	qsort(ids, kept, sizeof(*ids), by_text);
	for (size_t i = 0; i < kept; i++)
		jdoc_push(out, jdoc_new_str(ids[i]));
	free(ids);
	return out;
}

/* Blocks of an answer on their way into the journal. */
struct staging {
	struct server *server;
	const struct agent_known *known;	/* or NULL */
	const char *agent_id;
	const struct jdoc *blocks;
	struct journal *journal;
};

/* The other agents that have the block, sorted. */
static int
find_others(const struct staging *staging, const char *block,
    struct jdoc **out, struct err *err)
{
	const struct agent_known *known = staging->known;
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *agents = NULL;
	int rc;

	if (known) {
		*out = known->others(known->ctx, block, staging->agent_id);
		return 0;
	}
	letta_path_block_agents(&path, block);
	rc = server_get_doc(staging->server, buf_cstr(&path),
	    "agents of a block", &agents, err);
	if (rc == 0)
		*out = others(agents, staging->agent_id);
	jdoc_free(agents);
	buf_clear(&path);
	return rc;
}

static int
stage_one(const struct staging *staging, const struct jdoc *block,
    const char *scope, struct err *err)
{
	const char *id = jdoc_get_str(block, "id");
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *shared = NULL;
	bool added;
	int rc;

	if (!id)
		return err_set(err, ERR_DATA, "a block of %s without an id",
		    staging->agent_id);
	rc = find_others(staging, id, &shared, err);
	if (rc == 0)
		rc = letta_block_row(block, shared, &body, err);
	jdoc_free(shared);
	if (rc == 0)
		rc = journal_row_add(staging->journal, scope, id, body.data,
		    body.len, &added, err);
	buf_clear(&body);
	return rc != 0 ? err_ctx(err, "block %s", id) : 0;
}

static int
stage_all(void *ctx, const char *scope, struct err *err)
{
	const struct staging *staging = ctx;

	for (size_t i = 0; i < jdoc_len(staging->blocks); i++) {
		if (stage_one(staging, jdoc_at(staging->blocks, i), scope,
		    err) != 0)
			return -1;
	}
	return 0;
}

int
agent_blocks_keep(const struct agent_known *known, const char *agent_id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct staging staging = { NULL, known, agent_id,
	    jdoc_get(known->state->state, "blocks"), journal };

	return agent_staged_renew(agent, side, "blocks", journal, stage_all,
	    &staging, err);
}

int
agent_blocks_read(struct server *server, const char *agent_id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *blocks = NULL;
	struct staging staging = { server, NULL, agent_id, NULL, journal };
	int rc;

	letta_path_agent_blocks(&path, agent_id);
	rc = server_get_doc(server, buf_cstr(&path), "blocks", &blocks, err);
	staging.blocks = blocks;
	if (rc == 0)
		rc = agent_staged_renew(agent, side, "blocks", journal,
		    stage_all, &staging, err);
	jdoc_free(blocks);
	buf_clear(&path);
	return rc;
}

/* Two agents may go to two targets: what is one block on each is not one. */
static char *
target_key(const struct conf_agent *agent, const char *source_id)
{
	return mem_printf("%s/%s", agent->to->name, source_id);
}

int
agent_blocks_target(const struct conf_agent *agent, struct journal *journal,
    const char *source_id, char **target, struct err *err)
{
	char *key = target_key(agent, source_id);
	int rc = journal_id_get(journal, "block", key, target, err);

	if (rc == 0 && *target && !**target) {
		free(*target);
		*target = NULL;
	}
	free(key);
	return rc;
}

int
agent_blocks_target_set(const struct conf_agent *agent,
    struct journal *journal, const char *source_id, const char *target,
    struct err *err)
{
	char *key = target_key(agent, source_id);
	int rc = journal_id_put(journal, "block", key, target, err);

	free(key);
	return rc;
}

/* A bundle of a backup is called by the id of its agent. */
static const char *
id_at_source(const struct conf_agent *agent)
{
	const char *name = agent->bundle ? str_base(agent->bundle) : NULL;

	return name && letta_id_ok(name, "agent-") ? name : agent->from_id;
}

int
agent_blocks_note_job(const struct conf *conf, struct journal *journal,
    struct err *err)
{
	struct jdoc *ids = jdoc_new_array();
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	char *before = NULL;
	const char *id;
	int rc;

	for (size_t i = 0; i < conf->n_agents; i++) {
		id = id_at_source(&conf->agents[i]);
		if (id)
			jdoc_push(ids, jdoc_new_str(id));
	}
	jdoc_write(ids, &text);
	/* Each agent's step comes here, and the list may be a long one. */
	rc = journal_get(journal, JOB_AGENTS_KEY, &before, err);
	if (rc == 0 && !(before && str_eq(before, buf_cstr(&text))))
		rc = journal_put(journal, JOB_AGENTS_KEY, buf_cstr(&text),
		    err);
	free(before);
	buf_clear(&text);
	jdoc_free(ids);
	return rc;
}

int
agent_blocks_carry(const struct conf_agent *agent, struct journal *from,
    struct journal *to, struct err *err)
{
	struct jdoc *rows = NULL;
	char *text = NULL, *target;
	const char *id;
	int rc;

	rc = journal_get(from, JOB_AGENTS_KEY, &text, err);
	if (rc == 0 && text)
		rc = journal_put(to, JOB_AGENTS_KEY, text, err);
	if (rc == 0)
		rc = agent_staged_load(agent, "source", "blocks", to, &rows,
		    err);
	for (size_t i = 0; i < jdoc_len(rows) && rc == 0; i++) {
		id = jdoc_get_str(jdoc_at(rows, i), "id");
		target = NULL;
		rc = agent_blocks_target(agent, from, id, &target, err);
		if (rc == 0 && target)
			rc = agent_blocks_target_set(agent, to, id, target,
			    err);
		free(target);
	}
	jdoc_free(rows);
	free(text);
	return rc;
}

/* Both sides, as they are compared. */
struct sides {
	struct jdoc *source, *target;
	struct jdoc *job;	/* ids of the agents it moves; NULL: none */
};

static const struct jdoc *
by_label(const struct jdoc *side, const char *label)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(side); i++) {
		one = jdoc_get_str(jdoc_get(jdoc_at(side, i), "row"),
		    "label");
		if (one && str_eq(one, label))
			return jdoc_at(side, i);
	}
	return NULL;
}

static void
add_label(struct buf *out, const struct jdoc *row)
{
	const char *label = jdoc_get_str(row, "label");

	shown_text(out, label, strlen(label), 80);
}

/* A block that is not there at all is told by the check "blocks". */
static void
compare_details(const struct sides *sides, struct verdict *verdict)
{
	size_t n = jdoc_len(sides->source), m = jdoc_len(sides->target);
	const struct jdoc *a, *b;
	struct buf first = BUF_INIT(512);
	unsigned int fields;
	size_t untagged = 0;

	for (size_t i = 0; i < n; i++) {
		a = jdoc_get(jdoc_at(sides->source, i), "row");
		b = jdoc_get(by_label(sides->target,
		    jdoc_get_str(a, "label")), "row");
		fields = b ? letta_block_changes(a, b) : 0;
		untagged += b && jdoc_len(jdoc_get(a, "tags")) > 0 &&
		    !jdoc_has(b, "tags");
		fields &= LETTA_BLOCK_TAGS | LETTA_BLOCK_METADATA;
		if (fields == 0 || first.len > 0)
			continue;
		add_label(&first, a);
		buf_str(&first, fields & LETTA_BLOCK_TAGS ? ": tags" :
		    ": metadata");
	}
	if (first.len > 0)
		verdict_add(verdict, "block details", VERDICT_DIFFERENT, n, m,
		    "%s", buf_cstr(&first));
	else
		verdict_add(verdict, "block details", VERDICT_SAME, n, m,
		    NULL);
	if (untagged > 0)
		verdict_add(verdict, "block tags", VERDICT_NOT_COMPARED,
		    untagged, 0, "the target's version keeps none");
	buf_clear(&first);
}

/* Of one block's agents: how many are in the job; the others' ids. */
static size_t
sort_agents(const struct sides *sides, const struct jdoc *row,
    struct buf *outside, size_t *n_outside)
{
	const struct jdoc *with = jdoc_get(row, "shared_with");
	size_t inside = 0;
	const char *id;

	for (size_t i = 0; i < jdoc_len(with); i++) {
		id = jdoc_str(jdoc_at(with, i));
		if (agent_staged_list_has(sides->job, id)) {
			inside++;
			continue;
		}
		*n_outside += 1;
		if (outside->len == 0)
			add_label(outside, row);
		if (outside->len < NAMED_MAX)
			buf_printf(outside, " %s", id);
	}
	return inside;
}

/* Whether the target's block of this label is the one for all of the job. */
static int
is_the_one(const struct conf_agent *agent, struct journal *journal,
    const struct sides *sides, const struct jdoc *source, bool *out,
    struct err *err)
{
	const struct jdoc *there = by_label(sides->target,
	    jdoc_get_str(jdoc_get(source, "row"), "label"));
	char *target = NULL;
	int rc;

	rc = agent_blocks_target(agent, journal, jdoc_get_str(source, "id"),
	    &target, err);
	*out = rc == 0 && target && there &&
	    str_eq(target, jdoc_get_str(there, "id"));
	free(target);
	return rc;
}

static int
compare_sharing(const struct conf_agent *agent, struct journal *journal,
    const struct sides *sides, struct verdict *verdict, struct err *err)
{
	struct buf outside = BUF_INIT(4096), apart = BUF_INIT(512);
	size_t shared = 0, kept = 0, n_outside = 0;
	const struct jdoc *one, *row;
	bool same;
	int rc = 0;

	for (size_t i = 0; i < jdoc_len(sides->source) && rc == 0; i++) {
		one = jdoc_at(sides->source, i);
		row = jdoc_get(one, "row");
		if (sort_agents(sides, row, &outside, &n_outside) == 0)
			continue;
		shared++;
		rc = is_the_one(agent, journal, sides, one, &same, err);
		kept += same;
		if (!same && apart.len == 0)
			add_label(&apart, row);
	}
	if (rc == 0 && kept < shared)
		verdict_add(verdict, "block sharing", VERDICT_DIFFERENT,
		    shared, kept, "%s is a copy of this agent's own",
		    buf_cstr(&apart));
	else if (rc == 0)
		verdict_add(verdict, "block sharing", VERDICT_SAME, shared,
		    kept, NULL);
	if (rc == 0 && n_outside > 0)
		verdict_add(verdict, "block sharing outside",
		    VERDICT_NOT_COMPARED, n_outside, 0, "agents that this "
		    "job does not move: %s", buf_cstr(&outside));
	buf_clear(&outside);
	buf_clear(&apart);
	return rc;
}

int
agent_blocks_compare(const struct conf_agent *agent, struct journal *journal,
    struct verdict *verdict, struct err *err)
{
	struct sides sides = { 0 };
	int rc;

	rc = agent_staged_load(agent, "source", "blocks", journal,
	    &sides.source, err);
	if (rc == 0)
		rc = agent_staged_load(agent, "target", "blocks", journal,
		    &sides.target, err);
	if (rc == 0)
		rc = agent_staged_list(journal, JOB_AGENTS_KEY, &sides.job,
		    err);
	if (rc == 0) {
		compare_details(&sides, verdict);
		rc = compare_sharing(agent, journal, &sides, verdict, err);
	}
	jdoc_free(sides.source);
	jdoc_free(sides.target);
	jdoc_free(sides.job);
	return rc;
}
