#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_reader.h"
#include "core/af_rule_table.h"

#define FINE AF_RULE_FINE
#define NOTICE AF_RULE_NOTICE
#define SPOILED AF_RULE_SPOILED
#define LISTING AF_RULE_LISTING
#define REFUSED AF_RULE_REFUSED

/*
 * What Letta 0.16.2 and 0.16.8 were seen to do with each, and whether our
 * import repairs it.  Of what a row holds the latter is not looked up but
 * tried out (af_rule_repair.h).
 */
static const struct entry {
	const char *name;
	enum af_rule_effect on_162, on_168;
	bool repaired;
	const char *what;
} entries[] = {
	[RULE_TOP_LIST] = { "top-list", REFUSED, REFUSED, false,
	    "missing, or not a list" },
	[RULE_TOP_TYPE] = { "top-type", REFUSED, REFUSED, false,
	    "not of the type that the import wants (metadata: an object of "
	    "texts; created_at: a date)" },
	[RULE_TOP_SKILL] = { "top-skill", FINE, REFUSED, false,
	    "a skill needs source_url, or files with SKILL.md" },
	[RULE_AGENTS_NONE] = { "agents-none", SPOILED, SPOILED, false,
	    "no agent: the import answers 200 and makes nothing" },
	[RULE_AGENTS_MANY] = { "agents-many", NOTICE, NOTICE, false,
	    "more than one agent: sanctumctl moves one at a time" },
	[RULE_AGENT_TYPE] = { "agent-type", REFUSED, REFUSED, false,
	    "an agent that is not an object" },
	[RULE_AGENT_KIND] = { "agent-kind", REFUSED, REFUSED, false,
	    "unknown agent_type, or voice_convo_agent without "
	    "enable_sleeptime" },
	[RULE_AGENT_NAME] = { "agent-name", REFUSED, REFUSED, true,
	    "a name may hold letters, digits, blank, \"-\", \"_\" and "
	    "\"'\"" },
	[RULE_AGENT_MEMBER] = { "agent-member", REFUSED, REFUSED, false,
	    "not of the type that the import wants" },
	[RULE_AGENT_HANDLE] = { "agent-handle", REFUSED, REFUSED, false,
	    "a handle should be provider/name" },
	[RULE_AGENT_IDENTITY] = { "agent-identity", REFUSED, REFUSED, false,
	    "identities of another server" },
	[RULE_AGENT_TOOL_NAMES] = { "agent-tool-names", NOTICE, NOTICE, false,
	    "tools by name: refused unless the server has them all" },
	[RULE_LLM_MISSING] = { "llm-missing", REFUSED, REFUSED, false,
	    "llm_config is missing" },
	[RULE_LLM_SHAPE] = { "llm-shape", REFUSED, REFUSED, false,
	    "llm_config needs model, context_window and a known "
	    "model_endpoint_type" },
	[RULE_LLM_NEW] = { "llm-new", REFUSED, FINE, false,
	    "a model_endpoint_type that is not known there yet" },
	[RULE_EMBEDDING_NONE] = { "embedding-none", NOTICE, NOTICE, false,
	    "no embedding_config: archival passages cannot be added" },
	[RULE_EMBEDDING_SHAPE] = { "embedding-shape", REFUSED, REFUSED, false,
	    "embedding_config needs embedding_endpoint_type, "
	    "embedding_model and embedding_dim" },
	[RULE_ID] = { "id", REFUSED, REFUSED, false,
	    "an id should be its kind, \"-\" and a number: block-0" },
	[RULE_ID_TWICE] = { "id-twice", REFUSED, REFUSED, false,
	    "another part of the file has this id" },
	[RULE_REFERENCE] = { "reference", REFUSED, REFUSED, false,
	    "names an id that is not in the file" },
	[RULE_BLOCK_SHAPE] = { "block-shape", REFUSED, REFUSED, false,
	    "a block needs a label, a value that is text and a limit that "
	    "is a number" },
	[RULE_BLOCK_LIMIT_TYPE] = { "block-limit-type", REFUSED, FINE, false,
	    "a limit that is text" },
	[RULE_BLOCK_OVER] = { "block-over", REFUSED, FINE, true,
	    "the value is longer than the limit (20000 when none is given)" },
	[RULE_BLOCK_NUL] = { "block-nul", REFUSED, SPOILED, false,
	    "U+0000 in a block" },
	[RULE_BLOCK_TWICE] = { "block-twice", SPOILED, SPOILED, false,
	    "two blocks of one label: only one of them is attached" },
	[RULE_TOOL_DATES] = { "tool-dates", REFUSED, REFUSED, true,
	    "a key that the import forbids in a tool" },
	[RULE_TOOL_KEY] = { "tool-key", REFUSED, REFUSED, false,
	    "a key that the import forbids in a tool" },
	[RULE_TOOL_SHAPE] = { "tool-shape", REFUSED, REFUSED, false,
	    "a tool needs name and source_type, a known tool_type, and "
	    "source_code when it is custom" },
	[RULE_ITEM_SHAPE] = { "item-shape", REFUSED, REFUSED, false,
	    "a source needs name and embedding_config, a server of MCP "
	    "server_type and server_name, a group agent_ids and "
	    "description" },
	[RULE_TEXT_SURROGATE] = { "text-surrogate", LISTING, SPOILED, true,
	    "half a surrogate pair in a text: no export works then, on "
	    "0.16.2 no listing either" },
	[RULE_TEXT_NUL] = { "text-nul", SPOILED, SPOILED, true,
	    "U+0000 in a text: the server takes it out" },
	[RULE_NUL] = { "nul", REFUSED, REFUSED, false, "U+0000 in a text" },
	[RULE_SURROGATE] = { "surrogate", REFUSED, REFUSED, true,
	    "half a surrogate pair in a text" },
	[RULE_METADATA_SURROGATE] = { "metadata-surrogate", SPOILED, SPOILED,
	    true, "half a surrogate pair: no export works then" },
	[RULE_METADATA_NUL] = { "metadata-nul", SPOILED, SPOILED, false,
	    "U+0000 in a text: the server takes it out" },
	[RULE_ROW_SHAPE] = { "row-shape", REFUSED, REFUSED, false,
	    "a message that is not an object" },
	[RULE_ROW_TYPE] = { "row-type", REFUSED, REFUSED, true,
	    "type should be message" },
	[RULE_ROW_ID] = { "row-id", REFUSED, REFUSED, true,
	    "id should be message-<number>" },
	[RULE_ROW_ID_TWICE] = { "row-id-twice", REFUSED, REFUSED, true,
	    "another part of the file has this id" },
	[RULE_ROW_MEMBER] = { "row-member", REFUSED, REFUSED, false,
	    "not of the type that the import wants" },
	[RULE_ROW_CALL] = { "row-call", NOTICE, NOTICE, false,
	    "servers take it, but an import by sanctumctl cannot tell which "
	    "call it answers, and stops" },
	[RULE_ROLE] = { "role", REFUSED, REFUSED, false,
	    "role is none of system, user, assistant, tool, approval" },
	[RULE_ROLE_SUMMARY] = { "role-summary", REFUSED, FINE, false,
	    "a role that is not known there yet" },
	[RULE_CONTENT_NONE] = { "content-null", REFUSED, REFUSED, true,
	    "content is null or missing" },
	[RULE_CONTENT_TEXT] = { "content-text", REFUSED, REFUSED, true,
	    "content is text and should be a list" },
	[RULE_CONTENT_TYPE] = { "content-type", REFUSED, REFUSED, false,
	    "content is not a list" },
	[RULE_CONTENT_PART] = { "content-part", REFUSED, REFUSED, false,
	    "a part of content of unknown type, or not whole" },
	[RULE_CONTENT_SYSTEM] = { "content-system", LISTING, LISTING, false,
	    "a system row must be exactly one text" },
	[RULE_CONTENT_USER] = { "content-user", LISTING, LISTING, false,
	    "a user row must be texts and images, at least one" },
	[RULE_CONTENT_SUMMARY] = { "content-summary", FINE, LISTING, false,
	    "a summary row must be exactly one text" },
	[RULE_CONTENT_EMPTY] = { "content-empty", NOTICE, NOTICE, false,
	    "a row without content: stored, and listed as nothing" },
	[RULE_IMAGE_URL] = { "image-url", LISTING, LISTING, false,
	    "an image by URL" },
	[RULE_CALL_SHAPE] = { "call-shape", REFUSED, REFUSED, false,
	    "a tool call needs id, type function, function.name and "
	    "function.arguments, as text" },
	[RULE_CALL_SEND] = { "call-send", SPOILED, SPOILED, false,
	    "arguments of send_message that are no JSON object: the "
	    "default listing fails" },
	[RULE_CALL_SEND_KEY] = { "call-send-message", SPOILED, FINE, false,
	    "send_message without a message: the default listing fails" },
	[RULE_DATE] = { "date", REFUSED, REFUSED, false,
	    "created_at is not a date" },
	[RULE_DATE_NULL] = { "date-null", REFUSED, REFUSED, false,
	    "created_at is null: leave it out, or give a date" },
	[RULE_DATE_EDGE] = { "date-edge", LISTING, LISTING, true,
	    "created_at is the first or last instant of all (year 1, 9999)" },
	[RULE_DATE_FAR] = { "date-far", NOTICE, NOTICE, true,
	    "created_at is outside the years 1900 to 2999: an import by "
	    "sanctumctl moves it to the nearer end" },
	[RULE_RETURN_BODY] = { "return-body", LISTING, LISTING, true,
	    "a tool's return must be a JSON object whose status is OK or "
	    "Failed" },
	[RULE_RETURN_NONE] = { "return-none", LISTING, LISTING, false,
	    "a tool's return without text, or without exactly one" },
	[RULE_RETURN_ID] = { "return-id", LISTING, LISTING, false,
	    "a tool's return without tool_call_id" },
	[RULE_RETURN_SHAPE] = { "return-shape", REFUSED, REFUSED, false,
	    "an entry of tool_returns needs status success or error; "
	    "func_response is text, stdout and stderr are lists of texts" },
	[RULE_RETURN_LIST] = { "return-list", REFUSED, FINE, false,
	    "a func_response that is a list" },
	[RULE_RETURN_SURROGATE] = { "return-surrogate", LISTING, FINE, false,
	    "half a surrogate pair inside the JSON of a tool's return" },
	[RULE_APPROVAL_EMPTY] = { "approval-empty", LISTING, LISTING, false,
	    "an approval row needs tool_calls, approvals, or approve with "
	    "approval_request_id" },
	[RULE_APPROVAL_SHAPE] = { "approval-shape", REFUSED, REFUSED, false,
	    "an entry of approvals is neither an approval nor a tool's "
	    "return" },
	[RULE_CONTEXT_UNKNOWN] = { "context-unknown", REFUSED, REFUSED, true,
	    "no message has this id" },
	[RULE_CONTEXT_EMPTY] = { "context-empty", SPOILED, SPOILED, true,
	    "no message in context: every chat fails" },
	[RULE_CONTEXT_FIRST] = { "context-first", SPOILED, SPOILED, true,
	    "the first message in context is not a system row: on 0.16.2 "
	    "the first chat overwrites it, on 0.16.8 every chat fails" },
	[RULE_CONTEXT_RETURN] = { "context-return", NOTICE, NOTICE, true,
	    "in context without the row of its call: a model may refuse "
	    "it" },
	[RULE_CONTEXT_CALL] = { "context-call", NOTICE, NOTICE, false,
	    "in context without the row of its return: a model may refuse "
	    "it" },
};

static const char *const effects[][2] = {
	[AF_RULE_FINE] = { "", "" },
	[AF_RULE_NOTICE] = { "notice", "worth knowing" },
	[AF_RULE_SPOILED] = { "spoiled", "taken, but something is lost" },
	[AF_RULE_LISTING] = { "listing", "taken, and breaks every listing" },
	[AF_RULE_REFUSED] = { "refused", "refused by the import" }
};

const char *
af_rule_effect_word(enum af_rule_effect effect)
{
	return effects[effect][0];
}

const char *
af_rule_effect_text(enum af_rule_effect effect)
{
	return effects[effect][1];
}

int
af_rule_target(const char *version, unsigned int *targets, struct err *err)
{
	static const char known[] = "0.16.";
	uint64_t patch;

	if (!str_starts(version, known) ||
	    !str_u64(version + strlen(known), 8, &patch) || patch < 2)
		return err_set(err, ERR_USAGE, "version %s: the rules of "
		    "0.16.2 to 0.16.8 are known", version);
	*targets = patch == 2 ? AF_RULE_0_16_2 : patch == 8 ?
	    AF_RULE_0_16_8 : AF_RULE_BOTH;
	return 0;
}

static int
say(const struct af_rule_place *place, enum af_rule_id id, bool lost,
    const char *at)
{
	const struct entry *entry = &entries[id];
	unsigned int targets = place->report->targets ?
	    place->report->targets : AF_RULE_BOTH;
	struct af_rule_finding finding = {
		.rule = entry->name, .at = at, .what = entry->what,
		.repaired = entry->repaired && !lost,
	};

	if ((targets & AF_RULE_0_16_2) && entry->on_162 != AF_RULE_FINE) {
		finding.targets |= AF_RULE_0_16_2;
		finding.effect = entry->on_162;
	}
	if ((targets & AF_RULE_0_16_8) && entry->on_168 != AF_RULE_FINE) {
		finding.targets |= AF_RULE_0_16_8;
		if (entry->on_168 > finding.effect)
			finding.effect = entry->on_168;
	}
	if (finding.targets == 0)
		return 0;
	if (place->left)
		finding.repaired = !place->left[id];
	if (!place->broken)
		return place->report->found(place->report->ctx, &finding,
		    place->err);
	place->broken[id] = true;
	return 0;
}

int
af_rule_say(const struct af_rule_place *place, enum af_rule_id id)
{
	return say(place, id, false, place->at);
}

int
af_rule_say_unless(const struct af_rule_place *place, enum af_rule_id id,
    bool lost)
{
	return say(place, id, lost, place->at);
}

int
af_rule_say_at(const struct af_rule_place *place, enum af_rule_id id,
    const char *fmt, ...)
{
	char at[2 * AF_POINTER_MAX];
	size_t n;
	va_list ap;

	n = (size_t)snprintf(at, sizeof(at), "%s", place->at);
	va_start(ap, fmt);
	if (n < sizeof(at))
		(void)vsnprintf(at + n, sizeof(at) - n, fmt, ap);
	va_end(ap);
	return say(place, id, false, at);
}
