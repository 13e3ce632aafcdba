#ifndef CORE_AF_RULE_TABLE_H
#define CORE_AF_RULE_TABLE_H

#include <stdbool.h>

#include "base/attr.h"
#include "core/af_rule.h"

struct err;

/*
 * The rules of core/af_rule.h as a table: what each server does, and whether
 * our import puts it right.  The files af_rule_*.c find the places; this one
 * says what they mean.
 */
enum af_rule_id {
	RULE_TOP_LIST,
	RULE_TOP_TYPE,
	RULE_TOP_SKILL,
	RULE_AGENTS_NONE,
	RULE_AGENTS_MANY,
	RULE_AGENT_TYPE,
	RULE_AGENT_KIND,
	RULE_AGENT_NAME,
	RULE_AGENT_MEMBER,
	RULE_AGENT_HANDLE,
	RULE_AGENT_IDENTITY,
	RULE_AGENT_TOOL_NAMES,
	RULE_LLM_MISSING,
	RULE_LLM_SHAPE,
	RULE_LLM_NEW,
	RULE_EMBEDDING_NONE,
	RULE_EMBEDDING_SHAPE,
	RULE_ID,
	RULE_ID_TWICE,
	RULE_REFERENCE,
	RULE_BLOCK_SHAPE,
	RULE_BLOCK_LIMIT_TYPE,
	RULE_BLOCK_OVER,
	RULE_BLOCK_NUL,
	RULE_BLOCK_TWICE,
	RULE_TOOL_DATES,
	RULE_TOOL_KEY,
	RULE_TOOL_SHAPE,
	RULE_ITEM_SHAPE,
	RULE_TEXT_SURROGATE,
	RULE_TEXT_NUL,
	RULE_NUL,
	RULE_SURROGATE,
	RULE_METADATA_SURROGATE,
	RULE_METADATA_NUL,
	RULE_ROW_SHAPE,
	RULE_ROW_TYPE,
	RULE_ROW_ID,
	RULE_ROW_ID_TWICE,
	RULE_ROW_MEMBER,
	RULE_ROW_CALL,
	RULE_ROLE,
	RULE_ROLE_SUMMARY,
	RULE_CONTENT_NONE,
	RULE_CONTENT_TEXT,
	RULE_CONTENT_TYPE,
	RULE_CONTENT_PART,
	RULE_CONTENT_SYSTEM,
	RULE_CONTENT_USER,
	RULE_CONTENT_SUMMARY,
	RULE_CONTENT_EMPTY,
	RULE_IMAGE_URL,
	RULE_CALL_SHAPE,
	RULE_CALL_SEND,
	RULE_CALL_SEND_KEY,
	RULE_DATE,
	RULE_DATE_NULL,
	RULE_DATE_EDGE,
	RULE_DATE_FAR,
	RULE_RETURN_BODY,
	RULE_RETURN_NONE,
	RULE_RETURN_ID,
	RULE_RETURN_SHAPE,
	RULE_RETURN_LIST,
	RULE_RETURN_SURROGATE,
	RULE_APPROVAL_EMPTY,
	RULE_APPROVAL_SHAPE,
	RULE_CONTEXT_UNKNOWN,
	RULE_CONTEXT_EMPTY,
	RULE_CONTEXT_FIRST,
	RULE_CONTEXT_RETURN,
	RULE_CONTEXT_CALL,
	RULE_COUNT
};

/* Where somebody looks for findings, and what becomes of them. */
struct af_rule_place {
	const char *at;		/* the part's pointer */
	const struct af_rule_report *report;
	struct err *err;
	/* Not NULL: findings are marked here, by rule, and not reported. */
	bool *broken;
	/* Not NULL: rules that our repair was seen to leave broken; any
	 * other is repaired, whatever the table says. */
	const bool *left;
};

/*
 * Report a rule at the part's pointer.  Nothing happens when no target minds.
 * What the callback returns.
 */
int af_rule_say(const struct af_rule_place *, enum af_rule_id) MUST_CHECK;

/* At what the formatted text behind the pointer names: "/content/%zu". */
int af_rule_say_at(const struct af_rule_place *, enum af_rule_id,
    const char *fmt, ...) PRINTF(3, 4) MUST_CHECK;

/* A rule that is repaired, but not in this case when lost is true. */
int af_rule_say_unless(const struct af_rule_place *, enum af_rule_id,
    bool lost) MUST_CHECK;

#endif /* !CORE_AF_RULE_TABLE_H */
