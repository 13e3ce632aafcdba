#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "flow/agent_tools.h"
#include "flow/server.h"
#include "io/journal.h"

#define AGENTS_MAX 500
#define AGENTS_PATH "/v1/agents/?limit=500"

/* The tools of this name on the server; the caller frees *out. */
static int
find(struct server *server, const char *name, struct jdoc **out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	int rc;

	letta_path_tools_by_name(&path, name);
	rc = server_get_doc(server, buf_cstr(&path), "tools by name", out,
	    err);
	buf_clear(&path);
	return rc;
}

/* Whether the first of the tools found has this source. */
static bool
has_source(const struct jdoc *found, const char *source)
{
	const char *there = jdoc_get_str(jdoc_at(found, 0), "source_code");

	return there && str_eq(there, source);
}

static int
check_one(struct server *server, const struct af_tool *tool,
    struct jdoc *missing, struct err *err)
{
	struct jdoc *found = NULL;
	int rc = 0;

	if (find(server, tool->name, &found, err) != 0)
		return -1;
	if (jdoc_len(found) == 0)
		jdoc_push(missing, jdoc_new_str(tool->name));
	else if (!has_source(found, tool->source_code))
		rc = err_set(err, ERR_DATA, "%s: the target has a tool %s "
		    "with another source than the agent's; nothing was "
		    "changed.  Rename one of them, or make them the same, "
		    "then run the same command again", server->name,
		    tool->name);
	jdoc_free(found);
	return rc;
}

static int
check_all(struct server *server, const struct af_shell *shell,
    struct jdoc *missing, struct err *err)
{
	for (size_t i = 0; i < shell->n_tools; i++) {
		if (shell->tools[i].source_code &&
		    str_eq(shell->tools[i].type, "custom") &&
		    check_one(server, &shell->tools[i], missing, err) != 0)
			return -1;
	}
	return 0;
}

int
agent_tools_check(struct server *server, const struct af_shell *shell,
    struct err *err)
{
	struct jdoc *missing = jdoc_new_array();
	int rc = check_all(server, shell, missing, err);

	jdoc_free(missing);
	return rc;
}

int
agent_tools_note(struct server *server, const struct af_shell *shell,
    struct journal *journal, const char *key, struct err *err)
{
	struct jdoc *missing = jdoc_new_array();
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	rc = check_all(server, shell, missing, err);
	if (rc == 0) {
		jdoc_write(missing, &text);
		rc = journal_put(journal, key, buf_cstr(&text), err);
	}
	buf_clear(&text);
	jdoc_free(missing);
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

	rc = server_get_doc(server, AGENTS_PATH, "agents", &agents, err);
	*used = jdoc_len(agents) >= AGENTS_MAX;
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

static int
remove_one(struct server *server, const struct af_tool *tool,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *found = NULL;
	const char *id;
	bool used = true;
	int rc;

	rc = find(server, tool->name, &found, err);
	id = jdoc_get_str(jdoc_at(found, 0), "id");
	if (rc == 0 && id && has_source(found, tool->source_code))
		rc = is_used(server, id, &used, err);
	if (rc == 0 && !used) {
		letta_path_tool(&path, id);
		rc = server_send(server, "DELETE", buf_cstr(&path), NULL,
		    &answer, err);
		if (rc != 0 && err->kind == ERR_MISSING) {
			err_clear(err);
			rc = 0;
		}
	}
	jdoc_free(found);
	buf_clear(&path);
	buf_clear(&answer);
	return rc;
}

static bool
is_named(const struct jdoc *names, const char *name)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(names); i++) {
		one = jdoc_str(jdoc_at(names, i));
		if (one && str_eq(one, name))
			return true;
	}
	return false;
}

int
agent_tools_remove(struct server *server, const struct af_shell *shell,
    struct journal *journal, const char *key, struct err *err)
{
	struct jdoc *names = NULL;
	const struct af_tool *tool;
	char *text = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text) {
		names = jdoc_parse(text, strlen(text), err);
		rc = names ? 0 : err_ctx(err, "journal key %s", key);
	}
	for (size_t i = 0; i < shell->n_tools && rc == 0; i++) {
		tool = &shell->tools[i];
		if (tool->source_code && is_named(names, tool->name))
			rc = remove_one(server, tool, err);
	}
	jdoc_free(names);
	free(text);
	return rc;
}
