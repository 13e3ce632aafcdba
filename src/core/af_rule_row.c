#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_rule.h"
#include "core/jdoc.h"
#include "core/stamp.h"

struct row {
	const struct jdoc *doc;
	const char *role;
	const char *at;
	const struct af_rule_report *report;
	struct err *err;
};

static int
found(const struct row *r, const char *key, enum af_rule_effect effect,
    bool repaired, const char *what)
{
	struct af_rule_finding finding = {
		.what = what, .effect = effect, .repaired = repaired,
	};
	struct buf at = BUF_INIT(512);
	int rc;

	buf_str(&at, r->at);
	buf_str(&at, key);
	finding.at = buf_cstr(&at);
	rc = r->report->found(r->report->ctx, &finding, r->err);
	buf_clear(&at);
	return rc;
}

static bool
is_role(const struct row *r, const char *role)
{
	return str_eq(r->role, role);
}

bool
af_rule_return_ok(const char *text, size_t len)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc = jdoc_parse(text, len, &ignored);
	const char *status = jdoc_get_str(doc, "status");
	bool ok = jdoc_type(doc) == JDOC_OBJECT &&
	    (!jdoc_has(doc, "status") || (status &&
	    (str_eq(status, "OK") || str_eq(status, "Failed"))));

	jdoc_free(doc);
	return ok;
}

static int
check_return(const struct row *r, const char *key, const struct jdoc *text)
{
	if (!jdoc_str(text))
		return found(r, key, AF_RULE_LISTING, false,
		    "a tool's return without text");
	if (af_rule_return_ok(jdoc_str(text), jdoc_str_len(text)))
		return 0;
	return found(r, key, AF_RULE_LISTING, true, "a tool's return must be "
	    "a JSON object whose status is OK or Failed");
}

static int
check_tool(const struct row *r)
{
	const struct jdoc *returns = jdoc_get(r->doc, "tool_returns");
	const struct jdoc *content = jdoc_get(r->doc, "content");
	bool has_id = jdoc_get_str(r->doc, "tool_call_id");
	size_t i, n = jdoc_len(returns);

	for (i = 0; i < n; i++) {
		if (!jdoc_get_str(jdoc_at(returns, i), "tool_call_id") &&
		    !(n == 1 && has_id) &&
		    found(r, "/tool_returns", AF_RULE_LISTING, false,
		    "a tool's return without tool_call_id") != 0)
			return -1;
		if (check_return(r, "/tool_returns",
		    jdoc_get(jdoc_at(returns, i), "func_response")) != 0)
			return -1;
	}
	if (n > 0)
		return 0;
	if (!has_id && found(r, "", AF_RULE_LISTING, false,
	    "a tool's row without tool_call_id") != 0)
		return -1;
	if (jdoc_str(content))		/* reported as such */
		return 0;
	if (jdoc_len(content) != 1)
		return found(r, "/content", AF_RULE_LISTING, false,
		    "a tool's row needs exactly one text, or tool_returns");
	return check_return(r, "/content/0",
	    jdoc_get(jdoc_at(content, 0), "text"));
}

static int
check_content(const struct row *r)
{
	const struct jdoc *content = jdoc_get(r->doc, "content");
	size_t i;

	if (jdoc_type(content) == JDOC_NULL)
		return found(r, "/content", AF_RULE_REFUSED, true,
		    "content is null or missing");
	if (jdoc_str(content))
		return found(r, "/content", AF_RULE_REFUSED, true,
		    "content is text and should be a list");
	if (jdoc_type(content) != JDOC_ARRAY)
		return found(r, "/content", AF_RULE_REFUSED, false,
		    "content is not a list");
	for (i = 0; i < jdoc_len(content); i++) {
		if (!jdoc_get_str(jdoc_at(content, i), "type") &&
		    found(r, "/content", AF_RULE_REFUSED, false,
		    "a part of content has no type") != 0)
			return -1;
	}
	if (is_role(r, "system") && (jdoc_len(content) != 1 ||
	    !jdoc_get_str(jdoc_at(content, 0), "text")))
		return found(r, "/content", AF_RULE_LISTING, false,
		    "a system row must be exactly one text");
	if (is_role(r, "user") && jdoc_len(content) == 0)
		return found(r, "/content", AF_RULE_LISTING, false,
		    "a user row without content");
	return 0;
}

static int
check_calls(const struct row *r)
{
	const struct jdoc *calls = jdoc_get(r->doc, "tool_calls"), *call;
	const struct jdoc *function;
	size_t i;

	if (jdoc_type(calls) != JDOC_NULL && jdoc_type(calls) != JDOC_ARRAY)
		return found(r, "/tool_calls", AF_RULE_REFUSED, false,
		    "tool_calls is not a list");
	for (i = 0; i < jdoc_len(calls); i++) {
		call = jdoc_at(calls, i);
		function = jdoc_get(call, "function");
		if ((!jdoc_get_str(call, "id") ||
		    !jdoc_get_str(function, "name") ||
		    !jdoc_get_str(function, "arguments")) &&
		    found(r, "/tool_calls", AF_RULE_REFUSED, false,
		    "a tool call needs id, function.name and "
		    "function.arguments, as text") != 0)
			return -1;
	}
	return 0;
}

static int
check_date(const struct row *r)
{
	const struct jdoc *date = jdoc_get(r->doc, "created_at");
	struct stamp stamp;

	if (jdoc_type(date) == JDOC_NULL)
		return 0;
	if (jdoc_type(date) == JDOC_NUMBER)	/* seconds since 1970 */
		return 0;
	if (!jdoc_str(date) || !stamp_parse(jdoc_str(date), &stamp))
		return found(r, "/created_at", AF_RULE_REFUSED, false,
		    "created_at is not a date");
	if (!stamp_is_sane(&stamp))
		return found(r, "/created_at", AF_RULE_LISTING, true,
		    "created_at is outside the years 1900 to 2999");
	return 0;
}

int
af_rule_row(const struct jdoc *row, const char *at,
    const struct af_rule_report *report, struct err *err)
{
	static const char *const roles[] = {
		"system", "user", "assistant", "tool", "approval"
	};
	struct row r = {
		.doc = row, .at = at, .report = report, .err = err,
		.role = jdoc_get_str(row, "role"),
	};
	size_t i, n = sizeof(roles) / sizeof(roles[0]);

	for (i = 0; r.role && i < n && !str_eq(r.role, roles[i]); i++)
		;
	if (!r.role || i == n)
		return found(&r, "/role", AF_RULE_REFUSED, false, "role is "
		    "none of system, user, assistant, tool, approval");
	if (check_content(&r) != 0 || check_calls(&r) != 0 ||
	    check_date(&r) != 0)
		return -1;
	return is_role(&r, "tool") ? check_tool(&r) : 0;
}
