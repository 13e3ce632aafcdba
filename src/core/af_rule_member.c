#include "base/base.h"

#include "base/str.h"
#include "core/af_rule_part.h"
#include "core/af_rule_table.h"
#include "core/af_rule_type.h"
#include "core/jdoc.h"

static bool
is_list_or_null(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_NULL ||
	    jdoc_type(value) == JDOC_ARRAY;
}

static bool
is_rules_or_null(const struct jdoc *value)
{
	static const char *const types[] = {
		"run_first", "exit_loop", "continue_loop", "conditional",
		"constrain_child_tools", "max_count_per_step",
		"parent_last_tool", "required_before_exit",
		"requires_approval", NULL
	};

	for (size_t i = 0; i < jdoc_len(value); i++) {
		if (!af_rule_is_one_of(jdoc_get(jdoc_at(value, i), "type"),
		    types))
			return false;
	}
	return is_list_or_null(value);
}

/* The types that the import wants of members that may also be null. */
static const struct member {
	const char *key;
	bool (*is_good)(const struct jdoc *);
} members[] = {
	{ "system", af_rule_is_text_or_null },
	{ "description", af_rule_is_text_or_null },
	{ "timezone", af_rule_is_text_or_null },
	{ "metadata", af_rule_is_object_or_null },
	{ "tags", af_rule_is_texts_or_null },
	{ "tools", af_rule_is_texts_or_null },
	{ "tool_rules", is_rules_or_null },
	{ "initial_message_sequence", is_list_or_null },
	{ "memory_blocks", is_list_or_null },
	{ "tool_ids", af_rule_is_texts_or_null },
	{ "block_ids", af_rule_is_texts_or_null },
	{ "source_ids", af_rule_is_texts_or_null },
	{ "identity_ids", af_rule_is_texts_or_null },
	{ "tool_exec_environment_variables", af_rule_is_text_map_or_null },
	{ "secrets", af_rule_is_text_map_or_null }
};

static bool
type_is_good(const char *key, const struct jdoc *value)
{
	static const char *const lists[] = {
		"in_context_message_ids", "group_ids"
	};
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (str_eq(members[i].key, key))
			return members[i].is_good(value);
	}
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (str_eq(lists[i], key))
			return jdoc_type(value) == JDOC_ARRAY &&
			    af_rule_is_texts_or_null(value);
	}
	/* A list of messages would have been cut. */
	if (str_eq(key, "messages"))
		return false;
	return !str_eq(key, "files_agents") ||
	    jdoc_type(value) == JDOC_ARRAY;
}

static int
check_llm(const struct jdoc *value, const struct af_rule_place *place)
{
	static const char *const types[] = {
		"openai", "anthropic", "google_ai", "google_vertex", "azure",
		"groq", "ollama", "webui", "webui-legacy", "lmstudio",
		"lmstudio-legacy", "lmstudio-chatcompletions", "llamacpp",
		"koboldcpp", "vllm", "hugging-face", "mistral", "together",
		"bedrock", "deepseek", "xai", "zai", NULL
	};
	static const char *const later[] = {
		"minimax", "zai_coding", "baseten", "fireworks",
		"openrouter", "chatgpt_oauth", NULL
	};
	const struct jdoc *type = jdoc_get(value, "model_endpoint_type");
	bool is_later = af_rule_is_one_of(type, later);

	if (jdoc_type(value) == JDOC_NULL)
		return af_rule_say(place, RULE_LLM_MISSING);
	if (!jdoc_get_str(value, "model") ||
	    jdoc_type(jdoc_get(value, "context_window")) != JDOC_NUMBER ||
	    (!is_later && !af_rule_is_one_of(type, types)))
		return af_rule_say(place, RULE_LLM_SHAPE);
	return is_later ? af_rule_say(place, RULE_LLM_NEW) : 0;
}

static int
check_embedding(const struct jdoc *value, const struct af_rule_place *place)
{
	if (jdoc_type(value) == JDOC_NULL)
		return af_rule_say(place, RULE_EMBEDDING_NONE);
	if (!jdoc_get_str(value, "embedding_endpoint_type") ||
	    !jdoc_get_str(value, "embedding_model") ||
	    jdoc_type(jdoc_get(value, "embedding_dim")) != JDOC_NUMBER)
		return af_rule_say(place, RULE_EMBEDDING_SHAPE);
	return 0;
}

static int
check_handle(const struct jdoc *value, const struct af_rule_place *place)
{
	const char *text = jdoc_str(value);
	const char *slash = text ? strchr(text, '/') : NULL;

	if (jdoc_type(value) == JDOC_NULL || (text && !*text))
		return 0;
	if (!slash || slash == text || !slash[1])
		return af_rule_say(place, RULE_AGENT_HANDLE);
	return 0;
}

static int
check_kind(const struct jdoc *value, const struct af_rule_place *place)
{
	static const char *const kinds[] = {
		"memgpt_agent", "memgpt_v2_agent", "letta_v1_agent",
		"react_agent", "workflow_agent", "split_thread_agent",
		"sleeptime_agent", "voice_convo_agent",
		"voice_sleeptime_agent", NULL
	};

	return af_rule_is_one_of(value, kinds) ? 0 :
	    af_rule_say(place, RULE_AGENT_KIND);
}

/* A name that is text but holds U+0000 is cut there and thus shorter. */
static int
check_name(const struct jdoc *value, const struct af_rule_place *place)
{
	const char *name = jdoc_str(value);

	if (name && strlen(name) == jdoc_str_len(value) &&
	    af_rule_name_ok(name))
		return 0;
	return af_rule_say(place, RULE_AGENT_NAME);
}

int
af_rule_member(const char *key, const struct jdoc *value,
    const struct af_rule_place *place)
{
	if (str_eq(key, "name"))
		return check_name(value, place);
	if (str_eq(key, "id"))
		return af_rule_is_id(value, "agent") ? 0 :
		    af_rule_say(place, RULE_ID);
	if (str_eq(key, "agent_type"))
		return check_kind(value, place);
	if (str_eq(key, "llm_config"))
		return check_llm(value, place);
	if (str_eq(key, "embedding_config"))
		return check_embedding(value, place);
	if (str_eq(key, "model") || str_eq(key, "embedding"))
		return check_handle(value, place);
	if (!type_is_good(key, value))
		return af_rule_say(place, RULE_AGENT_MEMBER);
	if (str_eq(key, "identity_ids") && jdoc_len(value) > 0)
		return af_rule_say(place, RULE_AGENT_IDENTITY);
	if (str_eq(key, "tools") && jdoc_len(value) > 0)
		return af_rule_say(place, RULE_AGENT_TOOL_NAMES);
	return 0;
}
