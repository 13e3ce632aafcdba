#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/af_reader.h"
#include "core/af_row.h"
#include "core/af_rule_part.h"
#include "core/af_rule_table.h"
#include "core/af_rule_type.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/shown.h"

/* The limit of a block that names none (0.16.2, seen). */
#define BLOCK_LIMIT 20000

static const struct list {
	const char *key;
	const char *kind;	/* of its ids */
} lists[] = {
	{ "agents", "agent" },
	{ "blocks", "block" },
	{ "tools", "tool" },
	{ "sources", "source" },
	{ "files", "file" },
	{ "groups", "group" },
	{ "mcp_servers", "mcp_server" },
	{ "skills", NULL }
};

static const struct list *
list_of(const char *key)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (str_eq(lists[i].key, key))
			return &lists[i];
	}
	return NULL;
}

const char *
af_rule_kind(const char *key)
{
	const struct list *list = list_of(key);

	return list ? list->kind : NULL;
}

static bool
has_nul(const struct jdoc *text)
{
	return jdoc_str(text) && strlen(jdoc_str(text)) != jdoc_str_len(text);
}

/* 0.16.8 takes U+0000 out of a value, but refuses it elsewhere. */
static int
check_block_nul(const struct jdoc *block, const struct af_rule_place *place)
{
	static const char *const keys[] = { "label", "description" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (has_nul(jdoc_get(block, keys[i])) &&
		    af_rule_say_at(place, RULE_NUL, "/%s", keys[i]) != 0)
			return -1;
	}
	return 0;
}

static int
check_block(const struct jdoc *block, const struct af_rule_place *place)
{
	const struct jdoc *limit = jdoc_get(block, "limit");
	const struct jdoc *value = jdoc_get(block, "value");
	int64_t most = jdoc_has(block, "limit") ? jdoc_int(limit) :
	    BLOCK_LIMIT;
	bool has_limit = jdoc_type(limit) == JDOC_NUMBER ||
	    !jdoc_has(block, "limit");

	if (check_block_nul(block, place) != 0)
		return -1;
	if (!jdoc_get_str(block, "label") ||
	    !af_rule_is_text_or_null(value) ||
	    (!has_limit && jdoc_type(limit) != JDOC_STRING))
		return af_rule_say(place, RULE_BLOCK_SHAPE);
	if (!has_limit)
		return af_rule_say_at(place, RULE_BLOCK_LIMIT_TYPE,
		    "/limit");
	if (af_shell_limit(most, jdoc_str(value) ? jdoc_str(value) : "",
	    jdoc_str_len(value)) > most)
		return af_rule_say_at(place, RULE_BLOCK_OVER, "/value");
	return 0;
}

static int
check_tool_keys(const struct jdoc *tool, const struct af_rule_place *place)
{
	static const char *const known[] = {
		"id", "tool_type", "description", "source_type", "name",
		"tags", "source_code", "json_schema", "args_json_schema",
		"return_char_limit", "pip_requirements", "npm_requirements",
		"default_requires_approval", "enable_parallel_execution",
		"created_by_id", "last_updated_by_id", "metadata_",
		"project_id", NULL
	};
	struct buf shown = BUF_INIT(512);
	struct jdoc_member m = { 0 };
	enum af_rule_id rule;
	size_t i;
	int rc = 0;

	while (rc == 0 && jdoc_next(tool, &m)) {
		for (i = 0; known[i] && !str_eq(known[i], m.key); i++)
			;
		if (known[i])
			continue;
		rule = str_eq(m.key, "created_at") ||
		    str_eq(m.key, "updated_at") ? RULE_TOOL_DATES :
		    RULE_TOOL_KEY;
		buf_truncate(&shown, 0);
		shown_text(&shown, m.key, strlen(m.key), 64);
		rc = af_rule_say_at(place, rule, "/%s", buf_cstr(&shown));
	}
	buf_clear(&shown);
	return rc;
}

static int
check_tool(const struct jdoc *tool, const struct af_rule_place *place)
{
	static const char *const types[] = {
		"custom", "letta_core", "letta_memory_core",
		"letta_multi_agent_core", "letta_sleeptime_core",
		"letta_voice_sleeptime_core", "letta_builtin",
		"letta_files_core", "external_langchain",
		"external_composio", "external_mcp", NULL
	};
	const struct jdoc *type = jdoc_get(tool, "tool_type");
	const struct jdoc *limit = jdoc_get(tool, "return_char_limit");
	const struct jdoc *schema = jdoc_get(tool, "json_schema");
	bool is_custom = !jdoc_has(tool, "tool_type") ||
	    (jdoc_str(type) && str_eq(jdoc_str(type), "custom"));

	if (!jdoc_get_str(tool, "name") ||
	    !jdoc_get_str(tool, "source_type") ||
	    (jdoc_has(tool, "tool_type") &&
	    !af_rule_is_one_of(type, types)) ||
	    (jdoc_has(tool, "tags") && jdoc_type(jdoc_get(tool, "tags")) !=
	    JDOC_ARRAY) ||
	    !af_rule_is_texts_or_null(jdoc_get(tool, "tags")) ||
	    !af_rule_is_text_or_null(jdoc_get(tool, "source_code")) ||
	    !af_rule_is_text_or_null(jdoc_get(tool, "description")) ||
	    !af_rule_is_object_or_null(schema) ||
	    (is_custom && !jdoc_get_str(tool, "source_code") &&
	    jdoc_type(schema) != JDOC_OBJECT))
		return af_rule_say(place, RULE_TOOL_SHAPE);
	if (jdoc_has(tool, "return_char_limit") &&
	    (jdoc_type(limit) != JDOC_NUMBER || jdoc_int(limit) < 1 ||
	    jdoc_int(limit) > 1000000))
		return af_rule_say_at(place, RULE_TOOL_SHAPE,
		    "/return_char_limit");
	return check_tool_keys(tool, place);
}

static int
check_skill(const struct jdoc *skill, const struct af_rule_place *place)
{
	const struct jdoc *files = jdoc_get(skill, "files");

	if (!jdoc_get_str(skill, "name") ||
	    !af_rule_is_text_map_or_null(files) ||
	    (!jdoc_get_str(skill, "source_url") &&
	    !jdoc_has(files, "SKILL.md")))
		return af_rule_say(place, RULE_TOP_SKILL);
	return 0;
}

/* Whether a source, server of MCP or group has what the import wants. */
static bool
is_whole(const char *key, const struct jdoc *item)
{
	if (str_eq(key, "sources"))
		return jdoc_get_str(item, "name") &&
		    jdoc_type(jdoc_get(item, "embedding_config")) ==
		    JDOC_OBJECT;
	if (str_eq(key, "mcp_servers"))
		return jdoc_get_str(item, "server_type") &&
		    jdoc_get_str(item, "server_name");
	if (str_eq(key, "groups"))
		return jdoc_type(jdoc_get(item, "agent_ids")) ==
		    JDOC_ARRAY && jdoc_get_str(item, "description");
	return true;
}

int
af_rule_item(const char *key, const struct jdoc *item,
    const struct af_rule_place *place)
{
	const char *kind = af_rule_kind(key);

	if (kind && !af_rule_is_id(jdoc_get(item, "id"), kind) &&
	    af_rule_say_at(place, RULE_ID, "/id") != 0)
		return -1;
	if (str_eq(key, "blocks"))
		return check_block(item, place);
	if (str_eq(key, "tools"))
		return check_tool(item, place);
	if (str_eq(key, "skills"))
		return check_skill(item, place);
	return is_whole(key, item) ? 0 : af_rule_say(place, RULE_ITEM_SHAPE);
}

int
af_rule_top(const char *key, const struct jdoc *value,
    const struct af_rule_place *place)
{
	enum af_rule_date date;

	if (str_eq(key, "skills"))
		return af_rule_say(place, RULE_TOP_SKILL);
	if (list_of(key))		/* a list would have been cut */
		return af_rule_say(place, RULE_TOP_LIST);
	if (str_eq(key, "metadata") && (jdoc_type(value) != JDOC_OBJECT ||
	    !af_rule_is_text_map_or_null(value)))
		return af_rule_say(place, RULE_TOP_TYPE);
	date = str_eq(key, "created_at") ? af_rule_date(value) :
	    AF_RULE_DATE_GOOD;
	return date == AF_RULE_DATE_BAD ?
	    af_rule_say(place, RULE_TOP_TYPE) : 0;
}

/* What a flaw means in this part: columns of text refuse it. */
static void
rules_of(const struct af_part *part, enum af_rule_id *nul,
    enum af_rule_id *surrogate)
{
	static const char *const columns[] = {
		"system", "description", "tags", "timezone"
	};
	size_t i, n = sizeof(columns) / sizeof(columns[0]);

	*nul = RULE_METADATA_NUL;
	*surrogate = RULE_METADATA_SURROGATE;
	switch (part->place) {
	case AF_PLACE_ROW:
		*nul = RULE_TEXT_NUL;
		*surrogate = RULE_TEXT_SURROGATE;
		break;
	case AF_PLACE_ITEM:
		*nul = str_eq(part->key, "blocks") ? RULE_BLOCK_NUL :
		    RULE_NUL;
		*surrogate = RULE_SURROGATE;
		break;
	case AF_PLACE_AGENT:
		for (i = 0; i < n && !str_eq(part->key, columns[i]); i++)
			;
		if (i < n) {
			*nul = RULE_NUL;
			*surrogate = RULE_SURROGATE;
		}
		break;
	case AF_PLACE_TOP:
		break;
	}
}

int
af_rule_text(const struct af_part *part, const struct af_rule_place *place)
{
	unsigned int flaws = af_row_look(part->text, part->len);
	enum af_rule_id nul, surrogate;

	rules_of(part, &nul, &surrogate);
	if ((flaws & AF_CHANGE_BIT(AF_CHANGE_SURROGATE)) &&
	    af_rule_say(place, surrogate) != 0)
		return -1;
	return flaws & AF_CHANGE_BIT(AF_CHANGE_NUL) ?
	    af_rule_say(place, nul) : 0;
}
