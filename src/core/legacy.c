#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/legacy.h"

/* "block-3" */
static struct jdoc *
made_id(const char *kind, uint64_t number)
{
	char id[64];

	(void)snprintf(id, sizeof(id), "%s-%" PRIu64, kind, number);
	return jdoc_new_str(id);
}

static int
need(const struct jdoc *object, const char *key, enum jdoc_type type,
    struct err *err)
{
	if (jdoc_type(jdoc_get(object, key)) == type)
		return 0;
	return err_set(err, ERR_DATA, "/%s is missing or not what it is in a "
	    "file of version 1", key);
}

/* [{"tag":"a"}] -> ["a"] */
static struct jdoc *
tags_of(const struct jdoc *legacy)
{
	const struct jdoc *list = jdoc_get(legacy, "tags"), *tag;
	struct jdoc *tags = jdoc_new_array();
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		tag = jdoc_get(jdoc_at(list, i), "tag");
		if (jdoc_str(tag))
			jdoc_push(tags, jdoc_copy(tag));
	}
	return tags;
}

/* Names alone: no file has the values. */
static struct jdoc *
variables_of(const struct jdoc *legacy)
{
	const struct jdoc *list = jdoc_get(legacy,
	    "tool_exec_environment_variables");
	struct jdoc *names = jdoc_new_object();
	const char *key;
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		key = jdoc_get_str(jdoc_at(list, i), "key");
		if (key)
			jdoc_set_str(names, key, "");
	}
	return names;
}

/* message-0.. are the rows of the file in order. */
static struct jdoc *
context_of(const struct jdoc *legacy)
{
	const struct jdoc *list = jdoc_get(legacy,
	    "in_context_message_indices");
	struct jdoc *ids = jdoc_new_array();
	int64_t index;
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		index = jdoc_int(jdoc_at(list, i));
		if (index >= 0)
			jdoc_push(ids, made_id("message", (uint64_t)index));
	}
	return ids;
}

static struct jdoc *
ids_of(const char *kind, size_t n)
{
	struct jdoc *ids = jdoc_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		jdoc_push(ids, made_id(kind, i));
	return ids;
}

static struct jdoc *
agent_of(const struct jdoc *legacy)
{
	static const char *const same[] = {
		"name", "system", "description", "agent_type", "tool_rules",
		"llm_config", "embedding_config", "message_buffer_autoclear"
	};
	static const char *const empty[] = {
		"memory_blocks", "tools", "source_ids", "messages",
		"files_agents", "group_ids"
	};
	static const char *const off[] = {
		"include_base_tools", "include_multi_agent_tools",
		"include_base_tool_rules", "include_default_source"
	};
	struct jdoc *agent = jdoc_new_object();
	size_t i;

	jdoc_set_str(agent, "id", "agent-0");
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		jdoc_set(agent, same[i], jdoc_copy(jdoc_get(legacy, same[i])));
	jdoc_set(agent, "metadata", jdoc_copy(jdoc_get(legacy, "metadata_")));
	jdoc_set(agent, "tags", tags_of(legacy));
	jdoc_set(agent, "tool_exec_environment_variables",
	    variables_of(legacy));
	jdoc_set(agent, "tool_ids", ids_of("tool",
	    jdoc_len(jdoc_get(legacy, "tools"))));
	jdoc_set(agent, "block_ids", ids_of("block",
	    jdoc_len(jdoc_get(legacy, "core_memory"))));
	jdoc_set(agent, "in_context_message_ids", context_of(legacy));
	for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		jdoc_set(agent, empty[i], jdoc_new_array());
	for (i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		jdoc_set(agent, off[i], jdoc_new_bool(false));
	return agent;
}

static struct jdoc *
blocks_of(const struct jdoc *legacy)
{
	static const char *const same[] = {
		"label", "value", "limit", "description", "is_template",
		"template_name"
	};
	const struct jdoc *list = jdoc_get(legacy, "core_memory"), *from;
	struct jdoc *blocks = jdoc_new_array(), *block;
	size_t i, k;

	for (i = 0; i < jdoc_len(list); i++) {
		from = jdoc_at(list, i);
		block = jdoc_new_object();
		jdoc_set(block, "id", made_id("block", i));
		for (k = 0; k < sizeof(same) / sizeof(same[0]); k++)
			jdoc_set(block, same[k], jdoc_copy(jdoc_get(from,
			    same[k])));
		jdoc_set(block, "metadata", jdoc_copy(jdoc_get(from,
		    "metadata_")));
		jdoc_set(block, "read_only", jdoc_new_bool(jdoc_bool(jdoc_get(
		    from, "read_only"))));
		jdoc_push(blocks, block);
	}
	return blocks;
}

static struct jdoc *
tools_of(const struct jdoc *legacy)
{
	static const char *const foreign[] = {
		"created_at", "updated_at", "metadata_"
	};
	const struct jdoc *list = jdoc_get(legacy, "tools");
	struct jdoc *tools = jdoc_new_array(), *tool;
	size_t i, k;

	for (i = 0; i < jdoc_len(list); i++) {
		if (jdoc_type(jdoc_at(list, i)) != JDOC_OBJECT)
			continue;
		tool = jdoc_copy(jdoc_at(list, i));
		for (k = 0; k < sizeof(foreign) / sizeof(foreign[0]); k++)
			jdoc_remove(tool, foreign[k]);
		jdoc_set(tool, "id", made_id("tool", i));
		jdoc_push(tools, tool);
	}
	return tools;
}

static int
check(const struct jdoc *legacy, struct err *err)
{
	if (jdoc_type(legacy) != JDOC_OBJECT)
		return err_set(err, ERR_DATA, "not an object");
	if (need(legacy, "name", JDOC_STRING, err) != 0 ||
	    need(legacy, "system", JDOC_STRING, err) != 0 ||
	    need(legacy, "agent_type", JDOC_STRING, err) != 0 ||
	    need(legacy, "core_memory", JDOC_ARRAY, err) != 0 ||
	    need(legacy, "tools", JDOC_ARRAY, err) != 0 ||
	    need(legacy, "in_context_message_indices", JDOC_ARRAY, err) != 0)
		return -1;
	return 0;
}

int
legacy_shell(const struct jdoc *legacy, struct jdoc **shell, struct err *err)
{
	static const char *const empty[] = {
		"groups", "files", "sources", "mcp_servers"
	};
	struct jdoc *agents;
	size_t i;

	if (check(legacy, err) != 0)
		return err_ctx(err, "agent file of version 1");
	agents = jdoc_new_array();
	jdoc_push(agents, agent_of(legacy));
	*shell = jdoc_new_object();
	jdoc_set(*shell, "agents", agents);
	jdoc_set(*shell, "blocks", blocks_of(legacy));
	jdoc_set(*shell, "tools", tools_of(legacy));
	for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		jdoc_set(*shell, empty[i], jdoc_new_array());
	jdoc_set(*shell, "metadata", jdoc_new_object());
	jdoc_set(*shell, "created_at", jdoc_copy(jdoc_get(legacy,
	    "created_at")));
	return 0;
}

/* The text of the row's only part, lent; NULL when it is another content. */
static const struct jdoc *
only_text(const struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content");

	return jdoc_len(content) == 1 ? jdoc_get(jdoc_at(content, 0),
	    "text") : NULL;
}

/* Of version 1 they lack what was returned, and by which call. */
static void
complete_returns(struct jdoc *row)
{
	struct jdoc *list = jdoc_edit(row, "tool_returns"), *ret;
	const struct jdoc *text = only_text(row);
	const struct jdoc *id = jdoc_get(row, "tool_call_id");

	if (jdoc_len(list) == 1 && jdoc_str(text) && jdoc_str(id)) {
		ret = jdoc_edit_at(list, 0);
		if (jdoc_type(ret) == JDOC_OBJECT &&
		    !jdoc_get_str(ret, "func_response"))
			jdoc_set(ret, "func_response", jdoc_copy(text));
		if (jdoc_type(ret) == JDOC_OBJECT &&
		    !jdoc_get_str(ret, "tool_call_id"))
			jdoc_set(ret, "tool_call_id", jdoc_copy(id));
	} else if (jdoc_len(list) > 0) {
		jdoc_set(row, "tool_returns", jdoc_new_array());
	}
}

int
legacy_row(struct jdoc *row, uint64_t number, struct err *err)
{
	if (jdoc_type(row) != JDOC_OBJECT)
		return err_set(err, ERR_DATA, "/messages/%" PRIu64 ": not an "
		    "object", number);
	jdoc_set_str(row, "type", "message");
	jdoc_set(row, "id", made_id("message", number));
	jdoc_remove(row, "updated_at");
	if (jdoc_len(jdoc_get(row, "tool_calls")) == 0)
		jdoc_set_null(row, "tool_calls");
	complete_returns(row);
	return 0;
}
