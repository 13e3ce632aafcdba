#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/jdoc.h"

#define LIST_MAX 100000

const struct jdoc *
af_shell_agent(const struct jdoc *file, struct err *err)
{
	const struct jdoc *agents = jdoc_get(file, "agents");

	if (jdoc_type(file) != JDOC_OBJECT) {
		err_set(err, ERR_DATA, "agent file: not an object");
	} else if (!agents && (jdoc_has(file, "core_memory") ||
	    jdoc_has(file, "in_context_message_indices"))) {
		err_set(err, ERR_DATA, "agent file: version 1, the legacy "
		    "format of servers before 0.16, which no later server "
		    "imports");
	} else if (jdoc_type(agents) != JDOC_ARRAY) {
		err_set(err, ERR_DATA, "agent file: no `agents'");
	} else if (jdoc_len(agents) != 1) {
		err_set(err, ERR_DATA, "agent file: holds %zu agents, and "
		    "exactly one is moved at a time", jdoc_len(agents));
	} else if (jdoc_type(jdoc_at(agents, 0)) != JDOC_OBJECT) {
		err_set(err, ERR_DATA, "agent file: /agents/0 is not an "
		    "object");
	} else {
		return jdoc_at(agents, 0);
	}
	return NULL;
}

static const char *
or_empty(const char *s)
{
	return s ? s : "";
}

static const struct jdoc *
object_or_null(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_OBJECT ? value : NULL;
}

static int
read_blocks(const struct jdoc *list, struct af_shell *shell, struct err *err)
{
	const struct jdoc *item, *value;
	struct af_block *b;
	size_t i, n = jdoc_len(list);

	if (n > LIST_MAX)
		return err_set(err, ERR_DATA, "%zu blocks", n);
	shell->blocks = mem_zero(n + 1, sizeof(*shell->blocks));
	for (i = 0; i < n; i++) {
		item = jdoc_at(list, i);
		value = jdoc_get(item, "value");
		b = &shell->blocks[i];
		b->label = jdoc_get_str(item, "label");
		b->value = jdoc_str(value);
		if (!b->label || !b->value)
			return err_set(err, ERR_DATA, "block %zu: no label "
			    "or no value", i);
		b->value_len = jdoc_str_len(value);
		b->limit = jdoc_int(jdoc_get(item, "limit"));
		b->description = jdoc_get_str(item, "description");
		b->read_only = jdoc_bool(jdoc_get(item, "read_only"));
		b->metadata = object_or_null(jdoc_get(item, "metadata"));
		b->id = or_empty(jdoc_get_str(item, "id"));
		shell->n_blocks++;
	}
	return 0;
}

static int
read_tools(const struct jdoc *list, struct af_shell *shell, struct err *err)
{
	const struct jdoc *item;
	struct af_tool *t;
	size_t i, n = jdoc_len(list);

	if (n > LIST_MAX)
		return err_set(err, ERR_DATA, "%zu tools", n);
	shell->tools = mem_zero(n + 1, sizeof(*shell->tools));
	for (i = 0; i < n; i++) {
		item = jdoc_at(list, i);
		t = &shell->tools[i];
		t->name = jdoc_get_str(item, "name");
		if (!t->name)
			return err_set(err, ERR_DATA, "tool %zu: no name", i);
		t->type = or_empty(jdoc_get_str(item, "tool_type"));
		t->source_code = jdoc_get_str(item, "source_code");
		t->id = or_empty(jdoc_get_str(item, "id"));
		shell->n_tools++;
	}
	return 0;
}

static int
read_agent(const struct jdoc *agent, struct af_shell *shell, struct err *err)
{
	const struct jdoc *tags = jdoc_get(agent, "tags");

	shell->name = jdoc_get_str(agent, "name");
	if (!shell->name)
		return err_set(err, ERR_DATA, "no name");
	shell->agent_type = jdoc_get_str(agent, "agent_type");
	if (!shell->agent_type)
		shell->agent_type = "letta_v1_agent";
	shell->prompt = or_empty(jdoc_get_str(agent, "system"));
	shell->description = jdoc_get_str(agent, "description");
	shell->metadata = object_or_null(jdoc_get(agent, "metadata"));
	shell->tags = jdoc_type(tags) == JDOC_ARRAY ? tags : NULL;
	shell->messages = jdoc_len(jdoc_get(agent, "messages"));
	return 0;
}

int
af_shell_read(const char *text, size_t len, struct af_shell *shell,
    struct err *err)
{
	const struct jdoc *agent;

	memset(shell, 0, sizeof(*shell));
	if (len > AF_SHELL_MAX)
		return err_set(err, ERR_DATA, "agent file: larger than %d "
		    "bytes", AF_SHELL_MAX);
	shell->doc = jdoc_parse(text, len, err);
	if (!shell->doc)
		return err_ctx(err, "agent file");
	agent = af_shell_agent(shell->doc, err);
	if (agent && (read_agent(agent, shell, err) != 0 ||
	    read_blocks(jdoc_get(shell->doc, "blocks"), shell, err) != 0 ||
	    read_tools(jdoc_get(shell->doc, "tools"), shell, err) != 0)) {
		err_ctx(err, "agent file");
		agent = NULL;
	}
	if (!agent) {
		af_shell_clear(shell);
		return -1;
	}
	shell->secrets = jdoc_len(jdoc_get(agent, "secrets"));
	if (shell->secrets == 0)
		shell->secrets = jdoc_len(jdoc_get(agent,
		    "tool_exec_environment_variables"));
	return 0;
}

/* The same names, each with the empty text. */
static void
blank_values(struct jdoc *agent, const char *key)
{
	const struct jdoc *values = jdoc_get(agent, key);
	struct jdoc_member member = { 0 };
	struct jdoc *blank;

	if (jdoc_type(values) != JDOC_OBJECT)
		return;
	blank = jdoc_new_object();
	while (jdoc_next(values, &member))
		jdoc_set_str(blank, member.key, "");
	jdoc_set(agent, key, blank);
}

/* The agent of that number, to be changed; NULL when it is none. */
static struct jdoc *
edit_agent(struct jdoc *file, size_t number)
{
	struct jdoc *agent = jdoc_edit_at(jdoc_edit(file, "agents"), number);

	return jdoc_type(agent) == JDOC_OBJECT ? agent : NULL;
}

void
af_shell_hide_secrets(struct jdoc *file)
{
	const size_t n = jdoc_len(jdoc_get(file, "agents"));
	struct jdoc *agent;

	for (size_t i = 0; i < n; i++) {
		agent = edit_agent(file, i);
		blank_values(agent, "tool_exec_environment_variables");
		blank_values(agent, "secrets");
	}
}

void
af_shell_strip(struct jdoc *file)
{
	const size_t n = jdoc_len(jdoc_get(file, "agents"));
	struct jdoc *agent;

	af_shell_hide_secrets(file);
	for (size_t i = 0; i < n; i++) {
		agent = edit_agent(file, i);
		if (!agent)
			continue;
		jdoc_set(agent, "messages", jdoc_new_array());
		jdoc_set(agent, "in_context_message_ids", jdoc_new_array());
	}
}

int64_t
af_shell_limit(int64_t limit, const char *value, size_t value_len)
{
	int64_t n = 0;

	for (size_t i = 0; i < value_len; i++)
		n += ((unsigned char)value[i] & 0xc0) != 0x80;
	return n > limit ? n : limit;
}

void
af_shell_clear(struct af_shell *shell)
{
	if (!shell)
		return;
	free(shell->blocks);
	free(shell->tools);
	jdoc_free(shell->doc);
	memset(shell, 0, sizeof(*shell));
}
