#include "base/base.h"

#include <assert.h>
#include <ctype.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_return.h"
#include "core/af_row.h"
#include "core/jdoc.h"
#include "core/stamp.h"

#define TEXT_MAX (64 * 1024 * 1024)

static const char *const texts[AF_CHANGES] = {
	[AF_CHANGE_MERGED] = "reasoning and reply of one turn put together",
	[AF_CHANGE_THOUGHTS] = "text beside a tool call made reasoning",
	[AF_CHANGE_PACKED] = "a tool's return that was no JSON object packed",
	[AF_CHANGE_STATUS] = "status of a tool's return made OK or Failed",
	[AF_CHANGE_MESSAGE] = "message of a tool's return made text",
	[AF_CHANGE_NEUTRAL] = "a tool's failure written as a neutral return",
	[AF_CHANGE_CALL_ID] = "tool_call_id taken from the call before",
	[AF_CHANGE_CONTENT] = "content made the list that its role needs",
	[AF_CHANGE_DATE] = "date moved into 1900-2999",
	[AF_CHANGE_UNDATED] = "no date: given that of the row before",
	[AF_CHANGE_NUL] = "U+0000 taken out",
	[AF_CHANGE_SURROGATE] = "a surrogate without its pair made U+FFFD",
	[AF_CHANGE_SUMMARY] = "a summary made a row of the user",
	[AF_CHANGE_DROPPED] = "left out: a row of a failed run",
};

const char *
af_change_text(enum af_change change)
{
	assert(change < AF_CHANGES);
	return texts[change];
}

const char *
af_row_agent_type(const char *agent_type, bool legacy_source)
{
	static const char *const think_aloud[] = {
		"memgpt_agent", "memgpt_v2_agent", "react_agent"
	};
	size_t i;

	for (i = 0; i < sizeof(think_aloud) / sizeof(think_aloud[0]); i++) {
		if (legacy_source && str_eq(agent_type, think_aloud[i]))
			return "letta_v1_agent";
	}
	return agent_type;
}

void
af_rules_for(struct af_rules *rules, const char *agent_type,
    bool legacy_source, bool no_summary)
{
	memset(rules, 0, sizeof(*rules));
	rules->inner_thoughts = !str_eq(agent_type,
	    af_row_agent_type(agent_type, legacy_source));
	rules->no_summary = no_summary;
}

/* The four hexadecimal digits of an escape, or -1. */
static int
escape_value(const char *p, const char *end)
{
	int value = 0, i;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++) {
		if (!isxdigit((unsigned char)p[i]))
			return -1;
		value = value * 16 + (isdigit((unsigned char)p[i]) ?
		    p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	}
	return value;
}

static bool
is_high(int unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low(int unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

unsigned int
af_row_look(const char *text, size_t len)
{
	const char *end = text + len, *p = text;
	unsigned int found = 0;
	int unit;

	for (;;) {
		p = memchr(p, '\\', (size_t)(end - p));
		if (!p)
			return found;
		unit = escape_value(p, end);
		if (unit < 0) {
			/* What is escaped may be a backslash itself. */
			p += end - p < 2 ? 1 : 2;
			continue;
		}
		p += 6;
		if (unit == 0)
			found |= AF_CHANGE_BIT(AF_CHANGE_NUL);
		else if (is_high(unit) && is_low(escape_value(p, end)))
			p += 6;
		else if (is_high(unit) || is_low(unit))
			found |= AF_CHANGE_BIT(AF_CHANGE_SURROGATE);
	}
}

bool
af_row_is_dropped(const struct jdoc *row)
{
	return jdoc_bool(jdoc_get(row, "is_err"));
}

/* A string without its NULs, or NULL when it has none. */
static struct jdoc *
without_nul(const struct jdoc *value)
{
	const char *s = jdoc_str(value);
	size_t len = jdoc_str_len(value), i;
	struct buf out;
	struct jdoc *made;

	if (!s || !memchr(s, '\0', len))
		return NULL;
	buf_init(&out, len);
	for (i = 0; i < len; i++) {
		if (s[i])
			buf_char(&out, s[i]);
	}
	made = jdoc_new_strn(buf_cstr(&out), out.len);
	buf_clear(&out);
	return made;
}

static bool strip_nul(struct jdoc *value);

static bool
strip_nul_member(struct jdoc *object, const char *key)
{
	struct jdoc *made = without_nul(jdoc_get(object, key));

	if (!made)
		return strip_nul(jdoc_edit(object, key));
	jdoc_set(object, key, made);
	return true;
}

/* Below a value; its depth is bounded by jdoc_parse. */
static bool
strip_nul(struct jdoc *value)
{
	struct jdoc_member m = { 0 };
	struct jdoc *made;
	bool any = false;
	size_t i;

	for (i = 0; jdoc_type(value) == JDOC_ARRAY && i < jdoc_len(value);
	    i++) {
		made = without_nul(jdoc_at(value, i));
		any |= made || strip_nul(jdoc_edit_at(value, i));
		if (made)
			jdoc_put(value, i, made);
	}
	while (jdoc_next(value, &m))
		any |= strip_nul_member(value, m.key);
	return any;
}

static void
fix_nul(struct af_row *row)
{
	if ((row->changes & AF_CHANGE_BIT(AF_CHANGE_NUL)) &&
	    !strip_nul(row->doc))
		row->changes &= ~AF_CHANGE_BIT(AF_CHANGE_NUL);
}

static struct jdoc *
one_text(const char *text, size_t len)
{
	struct jdoc *list = jdoc_new_array(), *part = jdoc_new_object();

	jdoc_set_str(part, "type", "text");
	jdoc_set(part, "text", jdoc_new_strn(text, len));
	jdoc_push(list, part);
	return list;
}

/* All texts of a content, one behind the other; false: it has other parts. */
static bool
join_texts(const struct jdoc *content, struct buf *out)
{
	const struct jdoc *text;
	size_t i;

	for (i = 0; i < jdoc_len(content); i++) {
		text = jdoc_get(jdoc_at(content, i), "text");
		if (!jdoc_str(text))
			return false;
		buf_add(out, jdoc_str(text), jdoc_str_len(text));
	}
	return !out->full;
}

/*
 * Roles whose content is listed as one text fail every listing with none or
 * several; a row of the user fails it with none (0.16.2 and 0.16.8, seen).
 */
static bool
needs_one_text(const struct jdoc *row)
{
	size_t n = jdoc_len(jdoc_get(row, "content"));

	if (jdoc_is(row, "role", "user"))
		return n == 0;
	if (jdoc_is(row, "role", "tool"))
		return n != 1 && jdoc_len(jdoc_get(row, "tool_returns")) == 0;
	return n != 1 && (jdoc_is(row, "role", "system") ||
	    jdoc_is(row, "role", "summary"));
}

static void
fix_content(struct af_row *row)
{
	const struct jdoc *content = jdoc_get(row->doc, "content");
	struct buf text = BUF_INIT(TEXT_MAX);
	struct jdoc *list = NULL;

	if (jdoc_str(content))
		list = one_text(jdoc_str(content), jdoc_str_len(content));
	else if (jdoc_type(content) == JDOC_NULL)
		list = jdoc_new_array();
	if (list) {
		jdoc_set(row->doc, "content", list);
		row->changes |= AF_CHANGE_BIT(AF_CHANGE_CONTENT);
	}
	content = jdoc_get(row->doc, "content");
	if (jdoc_type(content) == JDOC_ARRAY && needs_one_text(row->doc) &&
	    join_texts(content, &text)) {
		jdoc_set(row->doc, "content", one_text(buf_cstr(&text),
		    text.len));
		row->changes |= AF_CHANGE_BIT(AF_CHANGE_CONTENT);
	}
	buf_clear(&text);
}

/*
 * A server dates a row without a date by the import: what was said would then
 * have been said today, and no later comparison could tell.  A date that is
 * none at all is left for core/af_rule.h to refuse.
 */
static void
fix_date(struct af_convert *c, struct af_row *row)
{
	const char *date = jdoc_get_str(row->doc, "created_at");
	struct buf text = BUF_INIT(64);
	struct stamp stamp;
	enum af_change change;

	if (date ? !stamp_parse(date, &stamp) : !c->rules.date_all)
		return;
	if (!date)
		stamp = c->last;
	change = date ? AF_CHANGE_DATE : AF_CHANGE_UNDATED;
	if (!date || stamp_clamp(&stamp)) {
		stamp_write(&stamp, &text);
		jdoc_set_str(row->doc, "created_at", buf_cstr(&text));
		row->changes |= AF_CHANGE_BIT(change);
	}
	c->last = stamp;
	buf_clear(&text);
}

/*
 * A target without that role lists it as it lists a summary where there is
 * one: as a row of the user with the packed text.
 */
static void
fix_summary(const struct af_convert *c, struct af_row *row)
{
	if (!c->rules.no_summary || !jdoc_is(row->doc, "role", "summary"))
		return;
	jdoc_set_str(row->doc, "role", "user");
	row->changes |= AF_CHANGE_BIT(AF_CHANGE_SUMMARY);
}

static void
fix_thoughts(const struct af_convert *c, struct af_row *row)
{
	struct jdoc *content = jdoc_edit(row->doc, "content"), *part;
	size_t i;

	if (!c->rules.inner_thoughts ||
	    !jdoc_is(row->doc, "role", "assistant") ||
	    jdoc_len(jdoc_get(row->doc, "tool_calls")) == 0)
		return;
	for (i = 0; i < jdoc_len(content); i++) {
		part = jdoc_edit_at(content, i);
		if (!jdoc_is(part, "type", "text"))
			continue;
		jdoc_set_str(part, "type", "reasoning");
		jdoc_set(part, "is_native", jdoc_new_bool(false));
		jdoc_set(part, "reasoning", jdoc_copy(jdoc_get(part,
		    "text")));
		jdoc_remove(part, "text");
		row->changes |= AF_CHANGE_BIT(AF_CHANGE_THOUGHTS);
	}
}

/* Whether the value at key was changed. */
static bool
fix_return_at(const struct af_convert *c, struct jdoc *object,
    const char *key, struct af_row *row)
{
	struct jdoc *fixed;

	if (!jdoc_has(object, key))
		return false;
	fixed = af_return_fix(jdoc_get(object, key),
	    c->rules.neutral_failures, &row->changes);
	if (!fixed)
		return false;
	jdoc_set(object, key, fixed);
	return true;
}

/* list is tool_returns, or approvals, some of which are returns. */
static void
fix_returns(const struct af_convert *c, struct jdoc *list, struct af_row *row)
{
	struct jdoc *ret;
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		ret = jdoc_edit_at(list, i);
		if (fix_return_at(c, ret, "func_response", row) &&
		    c->rules.neutral_failures && jdoc_has(ret, "status"))
			jdoc_set_str(ret, "status", "success");
	}
}

static bool
same_text(const struct jdoc *a, const struct jdoc *b)
{
	return jdoc_str(a) && jdoc_str(b) &&
	    jdoc_str_len(a) == jdoc_str_len(b) &&
	    memcmp(jdoc_str(a), jdoc_str(b), jdoc_str_len(a)) == 0;
}

/*
 * The text of a row is what is listed when it has no tool_returns, and, where
 * both stand alone, beside the one that it has (0.16.2 and 0.16.8, seen).
 */
static void
fix_tool(const struct af_convert *c, struct af_row *row)
{
	struct jdoc *returns = jdoc_edit(row->doc, "tool_returns");
	struct jdoc *content = jdoc_edit(row->doc, "content");
	struct jdoc *part = jdoc_edit_at(content, 0);
	const struct jdoc *first = jdoc_at(returns, 0);
	bool copied = jdoc_len(content) == 1 && same_text(
	    jdoc_get(part, "text"), jdoc_get(first, "func_response"));

	fix_returns(c, returns, row);
	if (copied)
		jdoc_set(part, "text", jdoc_copy(jdoc_get(first,
		    "func_response")));
	else if (jdoc_len(returns) <= 1 && jdoc_len(content) == 1)
		(void)fix_return_at(c, part, "text", row);
}

/* A row makes calls: they are what later rows may answer. */
static void
open_calls(struct af_convert *c, const struct jdoc *row)
{
	const struct jdoc *calls = jdoc_get(row, "tool_calls"), *id;
	size_t i;

	if (jdoc_len(calls) == 0)
		return;
	jdoc_free(c->open);
	c->open = jdoc_new_array();
	for (i = 0; i < jdoc_len(calls) && i < AF_OPEN_CALLS; i++) {
		id = jdoc_get(jdoc_at(calls, i), "id");
		if (jdoc_str(id))
			jdoc_push(c->open, jdoc_copy(id));
	}
}

static void
close_call(struct af_convert *c, const struct jdoc *id)
{
	struct jdoc *left;
	size_t i;

	if (!jdoc_str(id) || jdoc_len(c->open) == 0)
		return;
	left = jdoc_new_array();
	for (i = 0; i < jdoc_len(c->open); i++) {
		if (!same_text(jdoc_at(c->open, i), id))
			jdoc_push(left, jdoc_copy(jdoc_at(c->open, i)));
	}
	jdoc_free(c->open);
	c->open = left;
}

static size_t
returns_with_call(const struct jdoc *returns)
{
	size_t n = 0, i;

	for (i = 0; i < jdoc_len(returns); i++)
		n += jdoc_get_str(jdoc_at(returns, i), "tool_call_id") != NULL;
	return n;
}

/*
 * Which call a row answers.  Several returns each say so themselves; a single
 * one gets it from the row.
 */
static int
find_call(const struct af_convert *c, struct af_row *row, struct err *err)
{
	const struct jdoc *returns = jdoc_get(row->doc, "tool_returns");
	const struct jdoc *id = NULL;
	size_t n = jdoc_len(returns), known = returns_with_call(returns);

	if (n > 1 && known == n)
		return 0;
	if (n <= 1 && jdoc_get_str(row->doc, "tool_call_id"))
		return 0;
	if (n == 1 && known == 1)
		id = jdoc_get(jdoc_at(returns, 0), "tool_call_id");
	else if (n <= 1 && jdoc_len(c->open) == 1)
		id = jdoc_at(c->open, 0);
	if (!id)
		return err_set(err, ERR_DATA, "a tool's row without "
		    "tool_call_id, and %zu calls before it that it might "
		    "answer", jdoc_len(c->open));
	jdoc_set(row->doc, "tool_call_id", jdoc_copy(id));
	row->changes |= AF_CHANGE_BIT(AF_CHANGE_CALL_ID);
	return 0;
}

static void
close_calls(struct af_convert *c, const struct jdoc *row)
{
	const struct jdoc *returns = jdoc_get(row, "tool_returns");
	size_t i;

	close_call(c, jdoc_get(row, "tool_call_id"));
	for (i = 0; i < jdoc_len(returns); i++)
		close_call(c, jdoc_get(jdoc_at(returns, i), "tool_call_id"));
}

static bool
is_listed_part(const struct jdoc *part)
{
	static const char *const types[] = {
		"text", "reasoning", "summarized_reasoning",
		"redacted_reasoning", "omitted_reasoning"
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (jdoc_is(part, "type", types[i]))
			return true;
	}
	return false;
}

bool
af_row_is_listed(const struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content");
	size_t i;

	if (!jdoc_is(row, "role", "assistant") ||
	    jdoc_len(jdoc_get(row, "tool_calls")) > 0)
		return true;
	for (i = 0; i < jdoc_len(content); i++) {
		if (is_listed_part(jdoc_at(content, i)))
			return true;
	}
	return false;
}

static void
count(struct af_convert *c, unsigned int changes)
{
	for (unsigned int i = 0; i < AF_CHANGES; i++)
		c->counts[i] += changes >> i & 1;
}

int
af_row_convert(struct af_convert *c, struct af_row *row, struct err *err)
{
	if (jdoc_type(row->doc) != JDOC_OBJECT)
		return err_set(err, ERR_DATA, "not an object");
	fix_nul(row);
	fix_summary(c, row);
	fix_content(row);
	fix_date(c, row);
	fix_thoughts(c, row);
	fix_returns(c, jdoc_edit(row->doc, "approvals"), row);
	if (jdoc_is(row->doc, "role", "tool")) {
		fix_tool(c, row);
		if (find_call(c, row, err) != 0)
			return -1;
		close_calls(c, row->doc);
	}
	open_calls(c, row->doc);
	row->listed = af_row_is_listed(row->doc);
	count(c, row->changes);
	return 0;
}

void
af_convert_clear(struct af_convert *c)
{
	if (!c)
		return;
	jdoc_free(c->open);
	c->open = NULL;
}
