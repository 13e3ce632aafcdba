#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_archives.h"
#include "flow/agent_blocks.h"
#include "flow/agent_delta.h"
#include "flow/agent_identities.h"
#include "flow/agent_live.h"
#include "flow/agent_source.h"
#include "flow/agent_staged.h"
#include "flow/edge.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

void
agent_plan_rehearsal(struct plan *plan, const struct conf_agent *agent)
{
	plan_add(plan, "agent", agent->name, &agent_read_kind, agent);
	plan_add(plan, "agent", agent->name, &agent_import_kind, agent);
	plan_add(plan, "agent", agent->name, &agent_attach_kind, agent);
	plan_add(plan, "agent", agent->name, &agent_blocks_kind, agent);
	plan_add(plan, "agent", agent->name, &agent_identities_kind, agent);
	plan_add(plan, "agent", agent->name, &agent_archival_kind, agent);
	plan_add(plan, "agent", agent->name, &agent_compare_kind, agent);
	if (agent->live_check)
		plan_add(plan, "agent", agent->name, &agent_live_kind, agent);
}

void
agent_plan(struct plan *plan, const struct conf_agent *agent)
{
	agent_plan_rehearsal(plan, agent);
	plan_add(plan, "agent", agent->name, &agent_promote_kind, agent);
}

int
agent_target_id(struct run *run, const struct conf_agent *agent, char **id,
    struct err *err)
{
	if (journal_id_get(run->journal, "agent", agent_source_id(agent),
	    id, err) != 0)
		return -1;
	/* A cancelled import leaves the empty text. */
	if (*id && !**id) {
		free(*id);
		*id = NULL;
	}
	return 0;
}

char *
agent_temporary_name(const struct run *run, const struct conf_agent *agent)
{
	return mem_printf("%s-incoming-%s", agent->name, run->mark);
}

char *
agent_scope(const char *side, const struct conf_agent *agent,
    const char *what)
{
	return mem_printf("%s/%s/%s", side, agent->name, what);
}

char *
agent_shell_key(const char *side, const struct conf_agent *agent)
{
	return mem_printf("agent.%s.%s-shell", agent->name, side);
}

char *
agent_state_key(const char *side, const struct conf_agent *agent)
{
	return mem_printf("agent.%s.%s-state", agent->name, side);
}

int
agent_conversations(struct journal *journal, const char *side,
    const struct conf_agent *agent, uint64_t *count, struct err *err)
{
	char *scope = agent_scope(side, agent, "conversations");
	int rc = journal_count(journal, scope, count, err);

	free(scope);
	return rc;
}

int
agent_state_load(const struct conf_agent *agent, const char *side,
    struct journal *journal, struct jdoc **out, struct err *err)
{
	char *key = agent_state_key(side, agent), *text = NULL;
	int rc;

	*out = NULL;
	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && *text) {
		*out = jdoc_parse(text, strlen(text), err);
		rc = *out ? 0 : err_ctx(err, "journal key %s", key);
	}
	free(text);
	free(key);
	return rc;
}

int
agent_is_one(const struct conf_agent *agent, struct journal *journal,
    bool *out, struct err *err)
{
	char *key = run_key("agent", agent->name, "one"), *text = NULL;
	int rc = journal_get(journal, key, &text, err);

	*out = text && str_eq(text, "yes");
	free(text);
	free(key);
	return rc;
}

int
agent_note_one(const struct conf_agent *agent, struct journal *journal,
    struct err *err)
{
	char *key = run_key("agent", agent->name, "one");
	int rc = journal_put(journal, key, "yes", err);

	free(key);
	return rc;
}

int
agent_rules(const struct conf_agent *agent, struct journal *journal,
    const struct letta_caps *target, struct af_rules *rules, struct err *err)
{
	struct jdoc *from = NULL, *to = NULL;
	struct letta_caps versions[2] = { 0 };
	const char *type;
	int rc;

	*rules = (struct af_rules){ 0 };
	rc = agent_state_load(agent, "source", journal, &from, err);
	if (rc == 0 && !target)
		rc = agent_state_load(agent, "target", journal, &to, err);
	if (rc == 0) {
		type = jdoc_get_str(from, "agent_type");
		letta_caps_of(jdoc_get_str(from, "version"), &versions[0]);
		letta_caps_of(jdoc_get_str(to, "version"), &versions[1]);
		if (!target)
			target = &versions[1];
		af_rules_for(rules, type ? type : "", versions[0].backward,
		    target->patch < 8);
		rules->date_all = true;
		rules->neutral_failures = agent->tool_errors ==
		    CONF_TOOL_ERRORS_NEUTRAL;
	}
	jdoc_free(from);
	jdoc_free(to);
	return rc;
}

int
agent_is_given(struct run *run, const struct conf_agent *agent, bool *out,
    struct err *err)
{
	char *step = run_key("agent", agent->name, "promote");
	enum journal_state state;
	int rc;

	rc = journal_step_state(run->journal, step, &state, err);
	*out = rc == 0 && state == JOURNAL_DONE;
	free(step);
	if (rc == 0 && !*out)
		rc = agent_delta_worked(run, agent, out, err);
	return rc;
}

int
agent_is_promoted(struct run *run, const struct conf_agent *agent, bool *out,
    struct err *err)
{
	struct agent_delta_seen seen = { 0 };

	if (agent_is_given(run, agent, out, err) != 0)
		return -1;
	if (!*out && agent_delta_look(run, agent, &seen, err) != 0)
		return -1;
	*out |= seen.same;
	return 0;
}

int
agent_target_ready(struct run *run, const struct conf_agent *agent, bool *out,
    struct err *err)
{
	*out = true;
	return agent->to->edge ? edge_ready(run, agent->to->edge, out, err) :
	    0;
}

/* What an agent has of its own, and which a server keeps without it. */
struct owned {
	const char *word;
	bool (*is_ours)(const struct jdoc *, const struct agent_own *);
	void (*of_agent)(struct buf *, const char *agent);
	void (*one)(struct buf *, const char *id);
	void (*agents)(struct buf *, const char *id);
};

static bool
is_our_block(const struct jdoc *block, const struct agent_own *own)
{
	return !own->blocks ||
	    agent_staged_list_has(own->blocks, jdoc_get_str(block, "id"));
}

static bool
is_our_archive(const struct jdoc *archive, const struct agent_own *own)
{
	return agent_archives_is_ours(archive, own->archives, own->name);
}

static const struct owned owned[] = {
	{ "blocks", is_our_block, letta_path_agent_blocks, letta_path_block,
	    letta_path_block_agents },
	{ "archives", is_our_archive, letta_path_archives, letta_path_archive,
	    letta_path_archive_agents },
};

/* GET a list; *out is NULL, and that is a success, when it is gone. */
static int
get_list(struct server *server, const char *path, struct jdoc **out,
    struct err *err)
{
	int rc;

	rc = server_get_doc(server, path, path, out, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		return 0;
	}
	if (rc == 0 && jdoc_type(*out) != JDOC_ARRAY) {
		jdoc_free(*out);
		*out = NULL;
		rc = err_set(err, ERR_DATA, "%s: %s: the answer is no list",
		    server->name, path);
	}
	return rc;
}

/* Whether a list of things with ids is exactly this one thing. */
static bool
is_only(const struct jdoc *list, const char *id)
{
	const char *one = jdoc_get_str(jdoc_at(list, 0), "id");

	return jdoc_len(list) == 1 && one && str_eq(one, id);
}

/*
 * Remove it if it belongs to this one agent alone: somebody may have given
 * it to another since.
 */
static int
remove_if_own(struct server *server, const struct owned *kind,
    const char *agent, const char *id, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *agents = NULL;
	int rc;

	kind->agents(&path, id);
	rc = get_list(server, buf_cstr(&path), &agents, err);
	buf_clear(&path);
	kind->one(&path, id);
	if (rc == 0 && is_only(agents, agent))
		rc = server_delete(server, buf_cstr(&path), err);
	jdoc_free(agents);
	buf_clear(&path);
	return rc;
}

static int
remove_owned(struct server *server, const struct owned *kind,
    const char *agent, const struct agent_own *own, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *id;
	int rc;

	kind->of_agent(&path, agent);
	rc = get_list(server, buf_cstr(&path), &found, err);
	for (size_t i = 0; i < jdoc_len(found) && rc == 0; i++) {
		id = jdoc_get_str(jdoc_at(found, i), "id");
		if (id && kind->is_ours(jdoc_at(found, i), own))
			rc = remove_if_own(server, kind, agent, id, err);
	}
	jdoc_free(found);
	buf_clear(&path);
	return rc != 0 ? err_ctx(err, "%s of %s", kind->word, agent) : 0;
}

/* What was deleted must not be there: an answer alone is not believed. */
static int
check_gone(struct server *server, const char *id, const char *path,
    struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc = server_get(server, path, &answer, err);

	buf_wipe(&answer);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		return 0;
	}
	return rc != 0 ? rc : err_set(err, ERR_DATA, "%s: %s was deleted and "
	    "is still there; run the same command again", server->name, id);
}

/*
 * The agent last: deleting it leaves its blocks, and its archive with every
 * passage, behind (0.16.2, seen), and once it is gone nothing says which they
 * were.
 */
int
agent_remove(struct server *server, const char *id,
    const struct agent_own *own, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc = 0;

	for (size_t i = 0; i < sizeof(owned) / sizeof(*owned) && rc == 0; i++)
		rc = remove_owned(server, &owned[i], id, own, err);
	if (rc == 0) {
		letta_path_agent(&path, id);
		rc = server_delete(server, buf_cstr(&path), err);
	}
	if (rc == 0)
		rc = check_gone(server, id, buf_cstr(&path), err);
	buf_clear(&path);
	return rc;
}

int
agent_blocks(struct server *server, const char *id, struct jdoc **ids,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *one;
	int rc;

	letta_path_agent_blocks(&path, id);
	rc = get_list(server, buf_cstr(&path), &found, err);
	*ids = jdoc_new_array();
	for (size_t i = 0; i < jdoc_len(found) && rc == 0; i++) {
		one = jdoc_get_str(jdoc_at(found, i), "id");
		if (one)
			jdoc_push(*ids, jdoc_new_str(one));
	}
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}
