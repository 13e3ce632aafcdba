#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/af_rule.h"
#include "core/af_rule_return.h"
#include "core/af_rule_table.h"
#include "core/af_rule_type.h"
#include "core/jdoc.h"

bool
af_rule_return_ok(const char *text, size_t len)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, len, &ignored);
	const char *status = jdoc_get_str(doc, "status");
	/* A byte order mark is no JSON there (seen). */
	bool ok = jdoc_type(doc) == JDOC_OBJECT && *text != '\xef' &&
	    (!jdoc_has(doc, "status") || (status &&
	    (str_eq(status, "OK") || str_eq(status, "Failed"))));

	jdoc_free(doc);
	return ok;
}

/* The JSON text that a listing will read, at key below the row. */
static int
check_body(const struct af_rule_place *place, const char *key, size_t i,
    const char *member, const struct jdoc *text)
{
	if (!jdoc_str(text))
		return af_rule_say_at(place, RULE_RETURN_NONE, "/%s/%zu/%s",
		    key, i, member);
	if (!af_rule_return_ok(jdoc_str(text), jdoc_str_len(text)))
		return af_rule_say_at(place, RULE_RETURN_BODY, "/%s/%zu/%s",
		    key, i, member);
	if (af_row_look(jdoc_str(text), jdoc_str_len(text)) &
	    AF_CHANGE_BIT(AF_CHANGE_SURROGATE))
		return af_rule_say_at(place, RULE_RETURN_SURROGATE,
		    "/%s/%zu/%s", key, i, member);
	return 0;
}

/* A list of texts and images, as 0.16.8 stores some. */
static bool
is_parts(const struct jdoc *response)
{
	const struct jdoc *part;

	for (size_t i = 0; i < jdoc_len(response); i++) {
		part = jdoc_at(response, i);
		if (!af_rule_is_a(part, "text") &&
		    !af_rule_is_a(part, "image"))
			return false;
	}
	return jdoc_type(response) == JDOC_ARRAY;
}

/* One entry of tool_returns, or of approvals, as the schema has it. */
static int
check_entry(const struct af_rule_place *place, const char *key, size_t i,
    const struct jdoc *entry)
{
	static const char *const statuses[] = { "success", "error", NULL };
	const struct jdoc *response = jdoc_get(entry, "func_response");
	bool is_list = is_parts(response);

	if (!af_rule_is_one_of(jdoc_get(entry, "status"), statuses) ||
	    !af_rule_is_texts_or_null(jdoc_get(entry, "stdout")) ||
	    !af_rule_is_texts_or_null(jdoc_get(entry, "stderr")) ||
	    (!is_list && !af_rule_is_text_or_null(response)))
		return af_rule_say_at(place, RULE_RETURN_SHAPE, "/%s/%zu",
		    key, i);
	if (!af_rule_is_text_or_null(jdoc_get(entry, "tool_call_id")) &&
	    af_rule_say_at(place, RULE_RETURN_ID, "/%s/%zu", key, i) != 0)
		return -1;
	if (is_list)
		return af_rule_say_at(place, RULE_RETURN_LIST,
		    "/%s/%zu/func_response", key, i);
	return 0;
}

static int
check_content_alone(const struct jdoc *row, const struct af_rule_place *place)
{
	const struct jdoc *content = jdoc_get(row, "content");

	if (!jdoc_get_str(row, "tool_call_id") &&
	    af_rule_say(place, RULE_RETURN_ID) != 0)
		return -1;
	if (jdoc_type(content) != JDOC_ARRAY)	/* reported as such */
		return 0;
	if (!af_rule_is_one_text(content))
		return af_rule_say_at(place, RULE_RETURN_NONE, "/content");
	return check_body(place, "content", 0, "text",
	    jdoc_get(jdoc_at(content, 0), "text"));
}

/* Of several entries, each needs its id. */
static int
check_returns(const struct jdoc *returns, const struct af_rule_place *place)
{
	size_t n = jdoc_len(returns);
	const struct jdoc *entry;

	for (size_t i = 0; i < n; i++) {
		entry = jdoc_at(returns, i);
		if (n > 1 && jdoc_type(jdoc_get(entry, "tool_call_id")) ==
		    JDOC_NULL && af_rule_say_at(place, RULE_RETURN_ID,
		    "/tool_returns/%zu", i) != 0)
			return -1;
		if (jdoc_type(jdoc_get(entry, "func_response")) !=
		    JDOC_ARRAY && check_body(place, "tool_returns", i,
		    "func_response", jdoc_get(entry, "func_response")) != 0)
			return -1;
	}
	return 0;
}

int
af_rule_return(const struct jdoc *row, const struct af_rule_place *place)
{
	const struct jdoc *returns = jdoc_get(row, "tool_returns");
	const struct jdoc *content = jdoc_get(row, "content");
	size_t i, n = jdoc_len(returns);

	if (jdoc_type(returns) != JDOC_NULL &&
	    jdoc_type(returns) != JDOC_ARRAY)
		return af_rule_say_at(place, RULE_RETURN_SHAPE,
		    "/tool_returns");
	for (i = 0; i < n; i++) {
		if (check_entry(place, "tool_returns", i,
		    jdoc_at(returns, i)) != 0)
			return -1;
	}
	if (n == 0)
		return check_content_alone(row, place);
	if (n == 1 && af_rule_is_one_text(content))
		return check_body(place, "content", 0, "text",
		    jdoc_get(jdoc_at(content, 0), "text"));
	return check_returns(returns, place);
}

static int
check_approval(const struct af_rule_place *place, size_t i,
    const struct jdoc *entry)
{
	bool is_return = jdoc_has(entry, "status");

	if (!is_return && (!jdoc_get_str(entry, "tool_call_id") ||
	    jdoc_type(jdoc_get(entry, "approve")) != JDOC_BOOL))
		return af_rule_say_at(place, RULE_APPROVAL_SHAPE,
		    "/approvals/%zu", i);
	if (!is_return)
		return 0;
	if (check_entry(place, "approvals", i, entry) != 0)
		return -1;
	if (!jdoc_get_str(entry, "tool_call_id") &&
	    af_rule_say_at(place, RULE_RETURN_ID, "/approvals/%zu", i) != 0)
		return -1;
	return check_body(place, "approvals", i, "func_response",
	    jdoc_get(entry, "func_response"));
}

int
af_rule_approval(const struct jdoc *row, const struct af_rule_place *place)
{
	const struct jdoc *approvals = jdoc_get(row, "approvals");
	enum jdoc_type approve = jdoc_type(jdoc_get(row, "approve"));

	if ((approve != JDOC_NULL && approve != JDOC_BOOL) ||
	    (jdoc_type(approvals) != JDOC_NULL &&
	    jdoc_type(approvals) != JDOC_ARRAY))
		return af_rule_say(place, RULE_APPROVAL_SHAPE);
	if (jdoc_len(jdoc_get(row, "tool_calls")) > 0)
		return 0;
	for (size_t i = 0; i < jdoc_len(approvals); i++) {
		if (check_approval(place, i, jdoc_at(approvals, i)) != 0)
			return -1;
	}
	if (jdoc_len(approvals) == 0 && (approve != JDOC_BOOL ||
	    !jdoc_get_str(row, "approval_request_id")))
		return af_rule_say(place, RULE_APPROVAL_EMPTY);
	return 0;
}
