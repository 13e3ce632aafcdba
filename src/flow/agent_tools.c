#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/diff.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "flow/agent_staged.h"
#include "flow/agent_tools.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

#define AGENTS_MAX 500
#define AGENTS_PATH "/v1/agents/?limit=500"
#define SHOWN_MAX 60
/* Of one diff in a plan's note. */
#define DIFF_TEXT_MAX (256 * 1024)

/* How a tool of the agent stands on the target. */
enum standing {
	STANDING_MISSING,
	STANDING_SAME,
	STANDING_DIFFERS
};

/* The tools of this name on the server; the caller frees *out. */
static int
find(struct server *server, const char *name, struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_tools_by_name(&path, name);
	rc = server_get_list(server, buf_cstr(&path), "tools by name", out,
	    err);
	buf_clear(&path);
	return rc;
}

static bool
is_custom(const struct af_tool *tool)
{
	return tool->source_code && str_eq(tool->type, "custom");
}

static bool
has_source(const struct jdoc *there, const char *source)
{
	const char *text = jdoc_get_str(there, "source_code");

	return text && str_eq(text, source);
}

static enum standing
judge(const struct af_tool *tool, const struct jdoc *found)
{
	if (jdoc_len(found) == 0)
		return STANDING_MISSING;
	return !is_custom(tool) || has_source(jdoc_at(found, 0),
	    tool->source_code) ? STANDING_SAME : STANDING_DIFFERS;
}

/* A text's line that begins at *at; *at is the next one's after. */
static void
next_line(const char *text, size_t *at, struct buf *out)
{
	size_t len = strcspn(text + *at, "\n");

	shown_text(out, text + *at, len, SHOWN_MAX);
	*at += len + (text[*at + len] == '\n');
}

/* 'line 7 is "a" there and "b" of the agent' */
static void
first_difference(const char *there, const char *ours, struct buf *out)
{
	struct buf x = BUF_INIT(1024), y = BUF_INIT(1024);
	size_t line = 1, start = 0, at_there, at_ours;

	for (size_t i = 0; there[i] && there[i] == ours[i]; i++) {
		if (there[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	at_there = at_ours = start;
	next_line(there, &at_there, &x);
	next_line(ours, &at_ours, &y);
	buf_printf(out, "line %zu is \"%s\" there and \"%s\" of the agent",
	    line, buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
}

static const char *
source_of(const struct jdoc *tool)
{
	const char *text = jdoc_get_str(tool, "source_code");

	return text ? text : "";
}

/* What the plan shows of a tool that differs. */
static void
show_difference(const struct af_tool *tool, const struct jdoc *there,
    enum conf_tools way, struct buf *lines)
{
	static const char *const ways[] = {
		[CONF_TOOLS_STOP] = "stops the job",
		[CONF_TOOLS_OVERRIDE] = ("the agent's source replaces it, for "
		    "every agent that has it"),
		[CONF_TOOLS_KEEP] = "the agent gets the target's",
	};
	struct buf diff = BUF_INIT(DIFF_TEXT_MAX);
	struct err ignored = ERR_INIT;
	const char *old = source_of(there);

	buf_str(lines, "tool ");
	shown_text(lines, tool->name, strlen(tool->name), SHOWN_MAX);
	buf_printf(lines, ": another source on the target; %s\n", ways[way]);
	if (diff_unified("target", old, strlen(old), "agent",
	    tool->source_code, strlen(tool->source_code), &diff,
	    &ignored) == 0)
		buf_add(lines, buf_cstr(&diff), diff.len);
	else
		buf_printf(lines, "(too large to show: %zu and %zu bytes)\n",
		    strlen(old), strlen(tool->source_code));
	buf_clear(&diff);
}

static void
show_missing(const struct af_tool *tool, struct buf *lines)
{
	buf_str(lines, "tool ");
	shown_text(lines, tool->name, strlen(tool->name), SHOWN_MAX);
	buf_str(lines, " (");
	shown_text(lines, tool->type, strlen(tool->type), SHOWN_MAX);
	buf_str(lines, "): the target does not have it; it comes as a name "
	    "that may not run\n");
}

static int
refuse(const struct server *server, const struct conf_agent *agent,
    const struct af_tool *tool, const struct jdoc *there, struct err *err)
{
	struct buf name = BUF_INIT(512), where = BUF_INIT(2048);
	const char *type = jdoc_get_str(there, "tool_type");

	shown_text(&name, tool->name, strlen(tool->name), SHOWN_MAX);
	first_difference(source_of(there), tool->source_code, &where);
	if (type && !str_eq(type, "custom"))
		(void)err_set(err, ERR_DATA, "%s: %s is a tool of the server "
		    "itself there; rename the agent's, or say `tools = keep' "
		    "in [agent %s]; nothing was changed", server->name,
		    buf_cstr(&name), agent->name);
	else
		(void)err_set(err, ERR_DATA, "%s: the target has a tool %s "
		    "with another source than the agent's: %s; nothing was "
		    "changed.  `plan' shows both.  Say `tools = override' or "
		    "`tools = keep' in [agent %s], or make them the same, "
		    "then run the same command again", server->name,
		    buf_cstr(&name), buf_cstr(&where), agent->name);
	buf_clear(&name);
	buf_clear(&where);
	return -1;
}

/* Whether the job cannot go on with a tool that differs. */
static bool
must_stop(const struct conf_agent *agent, const struct jdoc *there)
{
	const char *type = jdoc_get_str(there, "tool_type");

	return agent->tools == CONF_TOOLS_STOP ||
	    (agent->tools == CONF_TOOLS_OVERRIDE &&
	    (!type || !str_eq(type, "custom")));
}

/*
 * Look at one tool.  The first that stops the job fills err and is told by
 * *stopped, so that the others are looked at and shown as well.
 */
static int
check_one(struct server *server, const struct conf_agent *agent,
    const struct af_tool *tool, struct buf *lines, bool *stopped,
    struct err *err)
{
	struct err now = ERR_INIT;
	struct jdoc *found = NULL;
	enum standing standing;

	if (find(server, tool->name, &found, &now) != 0) {
		*err = now;
		return -1;
	}
	standing = judge(tool, found);
	if (lines && standing == STANDING_DIFFERS)
		show_difference(tool, jdoc_at(found, 0), agent->tools, lines);
	else if (lines && standing == STANDING_MISSING && !is_custom(tool))
		show_missing(tool, lines);
	if (standing == STANDING_DIFFERS && !*stopped &&
	    must_stop(agent, jdoc_at(found, 0))) {
		*stopped = true;
		(void)refuse(server, agent, tool, jdoc_at(found, 0), err);
	}
	jdoc_free(found);
	return 0;
}

int
agent_tools_check(struct server *server, const struct conf_agent *agent,
    const struct af_shell *shell, struct buf *lines, struct err *err)
{
	bool stopped = false;

	for (size_t i = 0; i < shell->n_tools; i++) {
		if (check_one(server, agent, &shell->tools[i], lines,
		    &stopped, err) != 0)
			return -1;
	}
	return stopped ? -1 : 0;
}

/* A journal fact that is a list; *out is an empty one when it is not set. */
static int
list_get(struct journal *journal, const char *key, struct jdoc **out,
    struct err *err)
{
	char *text = NULL;
	int rc;

	*out = NULL;
	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && *text) {
		*out = jdoc_parse(text, strlen(text), err);
		rc = *out ? 0 : err_ctx(err, "journal key %s", key);
	} else if (rc == 0)
		*out = jdoc_new_array();
	free(text);
	return rc;
}

static int
list_put(struct journal *journal, const char *key, const struct jdoc *list,
    struct err *err)
{
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	jdoc_write(list, &text);
	rc = buf_check(&text, key, err);
	if (rc == 0)
		rc = journal_put(journal, key, buf_cstr(&text), err);
	buf_clear(&text);
	return rc;
}

int
agent_tools_note(struct server *server, const struct conf_agent *agent,
    const struct af_shell *shell, struct journal *journal, struct err *err)
{
	char *key = run_key("agent", agent->name, "tools-brought");
	struct jdoc *missing = jdoc_new_array(), *found;
	int rc = 0;

	for (size_t i = 0; i < shell->n_tools && rc == 0; i++) {
		found = NULL;
		rc = find(server, shell->tools[i].name, &found, err);
		if (rc == 0 && jdoc_len(found) == 0)
			jdoc_push(missing,
			    jdoc_new_str(shell->tools[i].name));
		jdoc_free(found);
	}
	if (rc == 0)
		rc = list_put(journal, key, missing, err);
	jdoc_free(missing);
	free(key);
	return rc;
}

static bool
is_listed(const char *const *words, const char *word)
{
	for (; *words; words++) {
		if (str_eq(*words, word))
			return true;
	}
	return false;
}

/* PATCH a tool with what another says of itself; null says nothing. */
static int
rewrite(struct server *server, const char *id, const struct jdoc *from,
    struct err *err)
{
	static const char *const keys[] = {
		"source_code", "source_type", "description", "tags",
		"json_schema", "args_json_schema", "return_char_limit",
		"pip_requirements", "npm_requirements",
		"default_requires_approval", "enable_parallel_execution",
	};
	/* A null is passed over by servers (0.16.2 and 0.16.8, seen). */
	static const char *const lists[] = {
		"tags", "pip_requirements", "npm_requirements", NULL
	};
	static const char *const flags[] = {
		"default_requires_approval", "enable_parallel_execution", NULL
	};
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *patch = jdoc_new_object(), *now = NULL;
	const struct jdoc *value;
	int rc;

	letta_path_tool(&path, id);
	rc = server_get_doc(server, buf_cstr(&path), "tool", &now, err);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		value = jdoc_get(from, keys[i]);
		if (jdoc_type(value) != JDOC_NULL)
			jdoc_set(patch, keys[i], jdoc_copy(value));
		else if (jdoc_len(jdoc_get(now, keys[i])) > 0 &&
		    is_listed(lists, keys[i]))
			jdoc_set(patch, keys[i], jdoc_new_array());
		else if (jdoc_bool(jdoc_get(now, keys[i])) &&
		    is_listed(flags, keys[i]))
			jdoc_set(patch, keys[i], jdoc_new_bool(false));
	}
	jdoc_write(patch, &body);
	if (rc == 0)
		rc = buf_check(&body, "tool", err);
	if (rc == 0)
		rc = server_send(server, "PATCH", buf_cstr(&path),
		    buf_cstr(&body), &answer, err);
	jdoc_free(patch);
	jdoc_free(now);
	buf_clear(&path);
	buf_clear(&body);
	buf_clear(&answer);
	return rc;
}

static const struct jdoc *
with_name(const struct jdoc *tools, const char *name)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(tools); i++) {
		one = jdoc_get_str(jdoc_at(tools, i), "name");
		if (one && str_eq(one, name))
			return jdoc_at(tools, i);
	}
	return NULL;
}

/* The old tool is in the journal before the new one is sent. */
static int
override_one(struct server *server, const struct af_tool *tool,
    const char *key, struct journal *journal, struct err *err)
{
	struct jdoc *found = NULL, *replaced = NULL;
	const char *id;
	int rc;

	rc = find(server, tool->name, &found, err);
	id = jdoc_get_str(jdoc_at(found, 0), "id");
	if (rc == 0 && id && judge(tool, found) == STANDING_DIFFERS) {
		rc = list_get(journal, key, &replaced, err);
		if (rc == 0 && !with_name(replaced, tool->name)) {
			jdoc_push(replaced, jdoc_copy(jdoc_at(found, 0)));
			rc = list_put(journal, key, replaced, err);
		}
		if (rc == 0)
			rc = rewrite(server, id, tool->doc, err);
	}
	jdoc_free(found);
	jdoc_free(replaced);
	return rc != 0 ? err_ctx(err, "override a tool") : 0;
}

int
agent_tools_override(struct server *server, const struct conf_agent *agent,
    const struct af_shell *shell, struct journal *journal, struct err *err)
{
	char *key = run_key("agent", agent->name, "tools-replaced");
	int rc = 0;

	if (agent->tools == CONF_TOOLS_OVERRIDE) {
		for (size_t i = 0; i < shell->n_tools && rc == 0; i++) {
			if (is_custom(&shell->tools[i]))
				rc = override_one(server, &shell->tools[i],
				    key, journal, err);
		}
	}
	free(key);
	return rc;
}

/*
 * Whether an agent of the server has the tool.  More agents than one answer
 * holds count as yes: a tool that is left behind does no harm.
 */
static int
is_used(struct server *server, const char *tool_id, bool *used,
    struct err *err)
{
	struct jdoc *agents = NULL;
	const struct jdoc *tools;
	const char *id;
	int rc;

	rc = server_get_list(server, AGENTS_PATH, "agents", &agents, err);
	*used = jdoc_len(agents) >= AGENTS_MAX;
	if (rc != 0 && err->kind == ERR_DATA) {
		err_clear(err);
		*used = true;
		return 0;
	}
	for (size_t i = 0; i < jdoc_len(agents) && !*used; i++) {
		tools = jdoc_get(jdoc_at(agents, i), "tools");
		for (size_t k = 0; k < jdoc_len(tools) && !*used; k++) {
			id = jdoc_get_str(jdoc_at(tools, k), "id");
			*used = id && str_eq(id, tool_id);
		}
	}
	jdoc_free(agents);
	return rc;
}

/* Whether a tool of the target is still what an import made of this one. */
static bool
is_ours(const struct af_tool *tool, const struct jdoc *there)
{
	const char *type = jdoc_get_str(there, "tool_type");

	if (is_custom(tool))
		return has_source(there, tool->source_code);
	return type && str_eq(type, tool->type);
}

static int
remove_one(struct server *server, const struct af_tool *tool,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *id;
	bool used = true;
	int rc;

	rc = find(server, tool->name, &found, err);
	id = jdoc_get_str(jdoc_at(found, 0), "id");
	if (rc == 0 && id && is_ours(tool, jdoc_at(found, 0)))
		rc = is_used(server, id, &used, err);
	if (rc == 0 && !used) {
		letta_path_tool(&path, id);
		rc = server_delete(server, buf_cstr(&path), err);
	}
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}

/* Put a tool back that the override replaced. */
static int
restore_one(struct server *server, const struct af_tool *tool,
    const struct jdoc *old, struct err *err)
{
	struct jdoc *found = NULL;
	const char *id;
	int rc;

	rc = find(server, tool->name, &found, err);
	id = jdoc_get_str(jdoc_at(found, 0), "id");
	if (rc == 0 && id && has_source(jdoc_at(found, 0),
	    tool->source_code))
		rc = rewrite(server, id, old, err);
	else if (rc == 0 && id && !has_source(jdoc_at(found, 0),
	    source_of(old)))
		log_info("%s: a tool that this job replaced was changed "
		    "since; it is left as it is", server->name);
	jdoc_free(found);
	return rc != 0 ? err_ctx(err, "put back a tool") : 0;
}

static int
take_back(struct server *server, const struct af_shell *shell,
    const struct jdoc *brought, const struct jdoc *replaced, struct err *err)
{
	const struct jdoc *old;
	const struct af_tool *tool;
	int rc = 0;

	for (size_t i = 0; i < shell->n_tools && rc == 0; i++) {
		tool = &shell->tools[i];
		old = with_name(replaced, tool->name);
		if (agent_staged_list_has(brought, tool->name))
			rc = remove_one(server, tool, err);
		else if (old && is_custom(tool))
			rc = restore_one(server, tool, old, err);
	}
	return rc;
}

int
agent_tools_remove(struct server *server, const struct conf_agent *agent,
    const struct af_shell *shell, struct journal *journal, struct err *err)
{
	char *brought_key = run_key("agent", agent->name, "tools-brought");
	char *replaced_key = run_key("agent", agent->name, "tools-replaced");
	struct jdoc *brought = NULL, *replaced = NULL;
	int rc;

	rc = list_get(journal, brought_key, &brought, err);
	if (rc == 0)
		rc = list_get(journal, replaced_key, &replaced, err);
	if (rc == 0)
		rc = take_back(server, shell, brought, replaced, err);
	if (rc == 0)
		rc = journal_put(journal, brought_key, "", err);
	if (rc == 0)
		rc = journal_put(journal, replaced_key, "", err);
	jdoc_free(brought);
	jdoc_free(replaced);
	free(brought_key);
	free(replaced_key);
	return rc;
}
