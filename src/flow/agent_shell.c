#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "flow/agent.h"
#include "flow/agent_shell.h"
#include "flow/server.h"
#include "io/journal.h"

static int
keep_shell(const struct buf *answer, const char *key, struct journal *journal,
    struct err *err)
{
	struct jdoc *shell = jdoc_parse(buf_cstr(answer), answer->len, err);
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc = -1;

	if (!shell)
		return err_ctx(err, "export");
	af_shell_hide_secrets(shell);
	jdoc_write(shell, &text);
	if (buf_check(&text, "export", err) == 0)
		rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(shell);
	buf_wipe(&text);
	return rc;
}

int
agent_shell_fetch(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	char *key = agent_shell_key(side, agent);
	int rc;

	letta_path_export(&path, id);
	rc = server_get(server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = keep_shell(&answer, key, journal, err);
	free(key);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}

/*
 * What of the agent's state is kept: the whole of it would bring the values
 * of its tools' environment variables, which are secrets, into the journal.
 */
static int
keep_state(const struct letta_agent *state, const char *version,
    const char *key, struct journal *journal, struct err *err)
{
	struct jdoc *kept = jdoc_new_object();
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	jdoc_set_str(kept, "version", version);
	if (state->name)
		jdoc_set_str(kept, "name", state->name);
	if (state->agent_type)
		jdoc_set_str(kept, "agent_type", state->agent_type);
	if (state->message_ids)
		jdoc_set(kept, "message_ids", jdoc_copy(state->message_ids));
	jdoc_write(kept, &text);
	rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(kept);
	buf_clear(&text);
	return rc;
}

int
agent_state_fetch(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, char **type, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	struct letta_agent state = { 0 };
	char *key = agent_state_key(side, agent);
	int rc;

	letta_path_agent(&path, id);
	rc = server_get(server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = letta_answer_agent(buf_cstr(&answer), answer.len, &state,
		    err);
	if (rc == 0)
		rc = keep_state(&state, server->caps.version, key, journal,
		    err);
	if (rc == 0)
		*type = mem_strdup(state.agent_type ? state.agent_type : "");
	letta_answer_agent_clear(&state);
	free(key);
	buf_clear(&path);
	buf_wipe(&answer);
	return rc;
}
