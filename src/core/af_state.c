#include "base/base.h"

#include "base/mem.h"
#include "core/af_state.h"
#include "core/jdoc.h"

/* Set a copy of `from's value, if it has one that is not null. */
static void
take(struct jdoc *to, const struct jdoc *from, const char *key)
{
	const struct jdoc *value = jdoc_get(from, key);

	if (jdoc_type(value) != JDOC_NULL)
		jdoc_set(to, key, jdoc_copy(value));
}

static void
set_number(struct jdoc *object, const char *kind, size_t number)
{
	char *id = mem_printf("%s-%zu", kind, number);

	jdoc_set_str(object, "id", id);
	free(id);
}

/*
 * The list `from' as entries "KIND-0".. with all keys but these; ids gets
 * their ids.
 */
static struct jdoc *
entries(const struct jdoc *from, const char *kind, const char *const *but,
    struct jdoc *ids)
{
	struct jdoc *list = jdoc_new_array(), *entry;

	for (size_t i = 0; i < jdoc_len(from); i++) {
		if (jdoc_type(jdoc_at(from, i)) != JDOC_OBJECT)
			continue;
		entry = jdoc_copy(jdoc_at(from, i));
		for (const char *const *key = but; *key; key++)
			jdoc_remove(entry, *key);
		set_number(entry, kind, i);
		jdoc_push(ids, jdoc_copy(jdoc_get(entry, "id")));
		jdoc_push(list, entry);
	}
	return list;
}

/* {"KEY":""} of a state's [{"key":"KEY","value":"..."}]: never a value. */
static struct jdoc *
variable_names(const struct jdoc *state)
{
	const struct jdoc *list = jdoc_get(state, "secrets");
	struct jdoc *names = jdoc_new_object();
	const char *key;

	if (jdoc_len(list) == 0)
		list = jdoc_get(state, "tool_exec_environment_variables");
	for (size_t i = 0; i < jdoc_len(list); i++) {
		key = jdoc_get_str(jdoc_at(list, i), "key");
		if (key)
			jdoc_set_str(names, key, "");
	}
	return names;
}

static struct jdoc *
agent_of(const struct jdoc *state)
{
	static const char *const keys[] = {
		"name", "agent_type", "system", "description", "metadata",
		"tags", "tool_rules", "llm_config", "embedding_config",
		"compaction_settings", "message_buffer_autoclear",
		"response_format", "timezone", "max_files_open",
		"per_file_view_window_char_limit", "hidden",
	};
	static const char *const empty[] = {
		"memory_blocks", "tools", "source_ids", "files_agents",
		"group_ids", "messages", "in_context_message_ids",
	};
	static const char *const off[] = {
		"include_base_tools", "include_multi_agent_tools",
		"include_base_tool_rules", "include_default_source",
	};
	struct jdoc *agent = jdoc_new_object();

	set_number(agent, "agent", 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		take(agent, state, keys[i]);
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++)
		jdoc_set(agent, empty[i], jdoc_new_array());
	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
		jdoc_set(agent, off[i], jdoc_new_bool(false));
	jdoc_set(agent, "tool_exec_environment_variables",
	    variable_names(state));
	return agent;
}

struct jdoc *
af_state_shell(const struct jdoc *state)
{
	/* A file takes no other key in tools[] (400 extra_forbidden). */
	static const char *const not_tool[] = {
		"created_at", "updated_at", "metadata_", NULL
	};
	static const char *const not_block[] = {
		"created_by_id", "last_updated_by_id", NULL
	};
	static const char *const rest[] = {
		"groups", "files", "sources", "mcp_servers"
	};
	struct jdoc *shell = jdoc_new_object(), *agents = jdoc_new_array();
	struct jdoc *agent = agent_of(state);
	struct jdoc *tool_ids = jdoc_new_array();
	struct jdoc *block_ids = jdoc_new_array();

	jdoc_push(agents, agent);
	jdoc_set(shell, "agents", agents);
	jdoc_set(shell, "blocks", entries(jdoc_get(jdoc_get(state, "memory"),
	    "blocks"), "block", not_block, block_ids));
	jdoc_set(shell, "tools", entries(jdoc_get(state, "tools"), "tool",
	    not_tool, tool_ids));
	jdoc_set(agent, "tool_ids", tool_ids);
	jdoc_set(agent, "block_ids", block_ids);
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		jdoc_set(shell, rest[i], jdoc_new_array());
	return shell;
}
