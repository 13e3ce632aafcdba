#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "flow/agent.h"
#include "flow/agent_shell.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

/*
 * An import attaches the tools of its file; built-in ones are matched by name
 * and are left out where the server knew none such.  What the agent lacks and
 * the target has is attached here.  What it has not is in the verdict.
 */

/* Whether a list of tools has this name; *id is its id then. */
static const char *
id_of(const struct jdoc *tools, const char *name)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(tools); i++) {
		one = jdoc_get_str(jdoc_at(tools, i), "name");
		if (one && str_eq(one, name))
			return jdoc_get_str(jdoc_at(tools, i), "id");
	}
	return NULL;
}

static int
attach(struct server *to, const char *agent, const char *tool,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	letta_path_tool_attach(&path, agent, tool);
	rc = server_send(to, "PATCH", buf_cstr(&path), NULL, &answer, err);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/* *attached counts. */
static int
attach_by_name(struct server *to, const char *agent, const char *name,
    size_t *attached, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *found = NULL;
	const char *id;
	int rc;

	letta_path_tools_by_name(&path, name);
	rc = server_get_doc(to, buf_cstr(&path), "tools by name", &found,
	    err);
	id = id_of(found, name);
	if (rc == 0 && id) {
		rc = attach(to, agent, id, err);
		*attached += rc == 0;
	}
	jdoc_free(found);
	buf_clear(&path);
	return rc;
}

static int
attach_missing(struct server *to, const char *agent,
    const struct af_shell *shell, size_t *attached, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *there = NULL;
	int rc;

	letta_path_agent_tools(&path, agent);
	rc = server_get_doc(to, buf_cstr(&path), "tools of the agent", &there,
	    err);
	for (size_t i = 0; i < shell->n_tools && rc == 0; i++) {
		if (!id_of(there, shell->tools[i].name))
			rc = attach_by_name(to, agent, shell->tools[i].name,
			    attached, err);
	}
	jdoc_free(there);
	buf_clear(&path);
	return rc;
}

static int
attach_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct af_shell shell = { 0 };
	struct server *to;
	size_t attached = 0;
	char *id = NULL;
	int rc;

	rc = agent_shell_load(run->journal, agent, &shell, err);
	if (rc == 0)
		rc = agent_target_id(run, agent, &id, err);
	if (rc == 0)
		rc = run_server(run, agent->to, &to, err);
	if (rc == 0)
		rc = attach_missing(to, id, &shell, &attached, err);
	if (rc == 0)
		plan_say(note, '+', "%zu of %zu tools attached, the others "
		    "were", attached, shell.n_tools);
	af_shell_clear(&shell);
	free(id);
	return rc;
}

static int
attach_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_agent *agent = step->subject;
	struct af_shell shell = { 0 };
	bool done = false;
	int rc;

	rc = agent_shell_load(run->journal, agent, &shell, err);
	if (rc == 0)
		rc = agent_is_promoted(run, agent, &done, err);
	if (rc == 0)
		plan_say(note, '+', "%zu tools%s", shell.n_tools, done ?
		    " are attached" : ", attached where the import did not");
	*found = done || shell.n_tools == 0 ? PLAN_DONE : PLAN_TODO;
	af_shell_clear(&shell);
	return rc;
}

/* They go with the agent (agent.NAME.import). */
const struct step_kind agent_attach_kind = {
	.word = "tools",
	.probe = attach_probe,
	.act = attach_act,
};
