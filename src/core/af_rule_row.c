#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/af_rule.h"
#include "core/af_rule_part.h"
#include "core/af_rule_return.h"
#include "core/af_rule_table.h"
#include "core/af_rule_type.h"
#include "core/jdoc.h"

struct row {
	const struct jdoc *doc;
	const char *role;
	const struct af_rule_place *place;
};

static bool
is_role(const struct row *r, const char *role)
{
	return str_eq(r->role, role);
}

/* Whether an image's source is whole. */
static bool
image_is_whole(const struct jdoc *part)
{
	const struct jdoc *source = jdoc_get(part, "source");

	if (af_rule_is_a(source, "url"))
		return jdoc_get_str(source, "url");
	if (af_rule_is_a(source, "base64"))
		return jdoc_get_str(source, "media_type") &&
		    jdoc_get_str(source, "data");
	return af_rule_is_a(source, "letta") &&
	    jdoc_get_str(source, "file_id");
}

/* Whether a part of content is of a known type and has what that wants. */
static bool
part_is_whole(const struct jdoc *part)
{
	static const struct {
		const char *type;
		const char *texts[3];	/* members that must be text */
	} types[] = {
		{ "text", { "text" } },
		{ "reasoning", { "reasoning" } },
		{ "redacted_reasoning", { "data" } },
		{ "omitted_reasoning", { NULL } },
		{ "summarized_reasoning", { "id", "encrypted_content" } },
		{ "tool_call", { "id", "name" } },
		{ "tool_return", { "tool_call_id", "content" } }
	};

	if (af_rule_is_a(part, "image"))
		return image_is_whole(part);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!af_rule_is_a(part, types[i].type))
			continue;
		for (size_t k = 0; k < 3 && types[i].texts[k]; k++) {
			if (!jdoc_get_str(part, types[i].texts[k]))
				return false;
		}
		if (af_rule_is_a(part, "reasoning"))
			return jdoc_type(jdoc_get(part, "is_native")) !=
			    JDOC_NULL;
		return true;
	}
	return false;
}

static int
check_parts(const struct row *r, const struct jdoc *content)
{
	const struct jdoc *part;

	for (size_t i = 0; i < jdoc_len(content); i++) {
		part = jdoc_at(content, i);
		if (!part_is_whole(part) && af_rule_say_at(r->place,
		    RULE_CONTENT_PART, "/content/%zu", i) != 0)
			return -1;
		if (af_rule_is_a(part, "image") &&
		    af_rule_is_a(jdoc_get(part, "source"), "url") &&
		    af_rule_say_at(r->place, RULE_IMAGE_URL,
		    "/content/%zu", i) != 0)
			return -1;
	}
	return 0;
}

static bool
user_can_list(const struct jdoc *content)
{
	for (size_t i = 0; i < jdoc_len(content); i++) {
		if (!af_rule_is_a(jdoc_at(content, i), "text") &&
		    !af_rule_is_a(jdoc_at(content, i), "image"))
			return false;
	}
	return jdoc_len(content) > 0;
}

static int
check_role_content(const struct row *r, const struct jdoc *content)
{
	if (is_role(r, "system") && !af_rule_is_one_text(content))
		return af_rule_say_at(r->place, RULE_CONTENT_SYSTEM,
		    "/content");
	if (is_role(r, "summary") && !af_rule_is_one_text(content))
		return af_rule_say_at(r->place, RULE_CONTENT_SUMMARY,
		    "/content");
	if (is_role(r, "user") && !user_can_list(content))
		return af_rule_say_at(r->place, RULE_CONTENT_USER,
		    "/content");
	if (is_role(r, "assistant") && jdoc_len(content) == 0 &&
	    jdoc_len(jdoc_get(r->doc, "tool_calls")) == 0)
		return af_rule_say_at(r->place, RULE_CONTENT_EMPTY,
		    "/content");
	return 0;
}

static int
check_content(const struct row *r)
{
	const struct jdoc *content = jdoc_get(r->doc, "content");

	switch (jdoc_type(content)) {
	case JDOC_NULL:
		return af_rule_say_at(r->place, RULE_CONTENT_NONE,
		    "/content");
	case JDOC_STRING:
		return af_rule_say_at(r->place, RULE_CONTENT_TEXT,
		    "/content");
	case JDOC_ARRAY:
		if (check_parts(r, content) != 0)
			return -1;
		return check_role_content(r, content);
	default:
		return af_rule_say_at(r->place, RULE_CONTENT_TYPE,
		    "/content");
	}
}

/* The default listing looks for the message of a send_message call. */
static int
check_send(const struct row *r, size_t i, const struct jdoc *function)
{
	const struct jdoc *text = jdoc_get(function, "arguments");
	struct err ignored = ERR_INIT;
	struct jdoc *arguments;
	int rc = 0;

	if (!str_eq(jdoc_get_str(function, "name"), "send_message"))
		return 0;
	arguments = jdoc_parse(jdoc_str(text), jdoc_str_len(text), &ignored);
	if (jdoc_type(arguments) != JDOC_OBJECT)
		rc = af_rule_say_at(r->place, RULE_CALL_SEND,
		    "/tool_calls/%zu/function/arguments", i);
	else if (!jdoc_has(arguments, "message"))
		rc = af_rule_say_at(r->place, RULE_CALL_SEND_KEY,
		    "/tool_calls/%zu/function/arguments", i);
	jdoc_free(arguments);
	return rc;
}

static int
check_calls(const struct row *r)
{
	const struct jdoc *calls = jdoc_get(r->doc, "tool_calls"), *call;
	const struct jdoc *function;
	size_t i;
	int rc;

	if (jdoc_type(calls) != JDOC_NULL && jdoc_type(calls) != JDOC_ARRAY)
		return af_rule_say_at(r->place, RULE_CALL_SHAPE,
		    "/tool_calls");
	for (i = 0; i < jdoc_len(calls); i++) {
		call = jdoc_at(calls, i);
		function = jdoc_get(call, "function");
		if (!jdoc_get_str(call, "id") ||
		    !af_rule_is_a(call, "function") ||
		    !jdoc_get_str(function, "name") ||
		    !jdoc_get_str(function, "arguments"))
			rc = af_rule_say_at(r->place, RULE_CALL_SHAPE,
			    "/tool_calls/%zu", i);
		else
			rc = check_send(r, i, function);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
check_date(const struct row *r)
{
	static const enum af_rule_id rules[] = {
		[AF_RULE_DATE_FAR] = RULE_DATE_FAR,
		[AF_RULE_DATE_EDGE] = RULE_DATE_EDGE,
		[AF_RULE_DATE_NULL] = RULE_DATE_NULL,
		[AF_RULE_DATE_BAD] = RULE_DATE
	};
	enum af_rule_date date;

	if (!jdoc_has(r->doc, "created_at"))	/* now, then */
		return 0;
	date = af_rule_date(jdoc_get(r->doc, "created_at"));
	if (date == AF_RULE_DATE_GOOD)
		return 0;
	return af_rule_say_at(r->place, rules[date], "/created_at");
}

static int
check_members(const struct row *r)
{
	static const char *const texts[] = {
		"name", "otid", "sender_id", "batch_item_id", "group_id",
		"model", "agent_id", "tool_call_id", "approval_request_id",
		"denial_reason"
	};
	const struct jdoc *type = jdoc_get(r->doc, "type");
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!af_rule_is_text_or_null(jdoc_get(r->doc, texts[i])) &&
		    af_rule_say_at(r->place, RULE_ROW_MEMBER, "/%s",
		    texts[i]) != 0)
			return -1;
	}
	if (jdoc_type(type) != JDOC_NULL && !af_rule_is_a(r->doc, "message"))
		return af_rule_say_at(r->place, RULE_ROW_TYPE, "/type");
	return 0;
}

static int
check_role(const struct row *r)
{
	static const char *const roles[] = {
		"system", "user", "assistant", "tool", "approval", NULL
	};

	if (str_eq(r->role, "summary"))
		return af_rule_say_at(r->place, RULE_ROLE_SUMMARY, "/role");
	if (!af_rule_is_one_of(jdoc_get(r->doc, "role"), roles))
		return af_rule_say_at(r->place, RULE_ROLE, "/role");
	return 0;
}

int
af_rule_message(const struct jdoc *row, const struct af_rule_place *place)
{
	struct row r = { .doc = row, .place = place };

	if (jdoc_type(row) != JDOC_OBJECT)
		return af_rule_say(place, RULE_ROW_SHAPE);
	r.role = jdoc_get_str(row, "role");
	if (!r.role)
		r.role = "";
	if (check_role(&r) != 0 || check_members(&r) != 0 ||
	    check_content(&r) != 0 || check_calls(&r) != 0 ||
	    check_date(&r) != 0)
		return -1;
	if (is_role(&r, "tool"))
		return af_rule_return(row, place);
	return is_role(&r, "approval") ? af_rule_approval(row, place) : 0;
}

int
af_rule_row(const struct jdoc *row, const char *at,
    const struct af_rule_report *report, struct err *err)
{
	struct af_rule_place place = {
		.at = at, .report = report, .err = err,
	};

	return af_rule_message(row, &place);
}
