#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/verdict.h"
#include "core/verdict_aspect.h"
#include "core/verdict_row.h"

static const char *const names[VERDICT_ASPECTS] = {
	[VERDICT_TURNS] = "turns",
	[VERDICT_TEXT] = "visible text",
	[VERDICT_REASONING] = "reasoning",
	[VERDICT_CALLS] = "tool calls",
	[VERDICT_RETURNS] = "tool returns",
	[VERDICT_FAILURES] = "failed tool returns",
	[VERDICT_APPROVALS] = "approvals",
	[VERDICT_IMAGES] = "images",
};

static bool
is_word(const struct jdoc *object, const char *key, const char *word)
{
	const char *s = jdoc_get_str(object, key);

	return s && str_eq(s, word);
}

/* The last part of a row's content of this type, or NULL. */
static const struct jdoc *
last_part(const struct jdoc *row, const char *type)
{
	const struct jdoc *content = jdoc_get(row, "content");

	for (size_t i = jdoc_len(content); i > 0; i--) {
		if (is_word(jdoc_at(content, i - 1), "type", type))
			return jdoc_at(content, i - 1);
	}
	return NULL;
}

/* The message of a call of send_message. */
static const char *
sent_text(const struct jdoc *row, struct jdoc **owned)
{
	const struct jdoc *calls = jdoc_get(row, "tool_calls"), *function;
	struct err ignored = ERR_INIT;
	const char *text;

	for (size_t i = 0; i < jdoc_len(calls); i++) {
		function = jdoc_get(jdoc_at(calls, i), "function");
		text = jdoc_get_str(function, "arguments");
		if (!is_word(function, "name", "send_message") || !text)
			continue;
		*owned = jdoc_parse(text, strlen(text), &ignored);
		return jdoc_get_str(*owned, "message");
	}
	return NULL;
}

const char *
verdict_visible_text(const struct jdoc *row, bool v1, struct jdoc **owned)
{
	const char *sent;

	*owned = NULL;
	if (!is_word(row, "role", "assistant"))
		return NULL;
	sent = sent_text(row, owned);
	if (sent || !v1)
		return sent;
	return jdoc_get_str(last_part(row, "text"), "text");
}

static bool
has_visible_text(const struct jdoc *row)
{
	struct jdoc *owned;
	bool has = verdict_visible_text(row, true, &owned);

	jdoc_free(owned);
	return has;
}

static bool
is_failed(const struct jdoc *text)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc;
	bool failed;

	if (!jdoc_str(text) ||
	    !memmem(jdoc_str(text), jdoc_str_len(text), "Failed", 6))
		return false;
	doc = jdoc_parse(jdoc_str(text), jdoc_str_len(text), &ignored);
	failed = is_word(doc, "status", "Failed");
	jdoc_free(doc);
	return failed;
}

static void
count_returns(uint64_t *counts, const struct jdoc *row)
{
	const struct jdoc *list = jdoc_get(row, "tool_returns");
	const struct jdoc *content = jdoc_get(row, "content");

	for (size_t i = 0; i < jdoc_len(list); i++)
		counts[VERDICT_FAILURES] += is_failed(
		    jdoc_get(jdoc_at(list, i), "func_response"));
	counts[VERDICT_RETURNS] += jdoc_len(list);
	if (jdoc_len(list) == 0) {
		counts[VERDICT_RETURNS]++;
		counts[VERDICT_FAILURES] += is_failed(
		    jdoc_get(jdoc_at(content, 0), "text"));
	}
}

static size_t
count_images(const struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content");
	size_t n = 0;

	for (size_t i = 0; i < jdoc_len(content); i++)
		n += is_word(jdoc_at(content, i), "type", "image");
	return n;
}

void
verdict_history_count(struct verdict_history *history, int side,
    const struct jdoc *row)
{
	uint64_t *counts = history->counts[side];

	/* A listing shows a summary as a row of the user. */
	counts[VERDICT_TURNS] += is_word(row, "role", "user") ||
	    is_word(row, "role", "summary");
	counts[VERDICT_TEXT] += has_visible_text(row);
	counts[VERDICT_REASONING] += last_part(row, "reasoning") ||
	    last_part(row, "summarized_reasoning") ||
	    last_part(row, "redacted_reasoning") ||
	    last_part(row, "omitted_reasoning");
	counts[VERDICT_CALLS] += jdoc_len(jdoc_get(row, "tool_calls"));
	counts[VERDICT_APPROVALS] += is_word(row, "role", "approval");
	counts[VERDICT_IMAGES] += count_images(row);
	if (is_word(row, "role", "tool"))
		count_returns(counts, row);
}

/* What of a canonical row belongs to an aspect, as text. */
static void
write_aspect(const struct jdoc *row, enum verdict_aspect aspect,
    struct buf *out)
{
	static const char *const types[VERDICT_ASPECTS] = {
		[VERDICT_TEXT] = "text", [VERDICT_REASONING] = "reasoning",
		[VERDICT_IMAGES] = "image",
	};
	static const char *const keys[VERDICT_ASPECTS] = {
		[VERDICT_TURNS] = "role", [VERDICT_CALLS] = "tool_calls",
		[VERDICT_RETURNS] = "returns",
		[VERDICT_FAILURES] = "returns",
		[VERDICT_APPROVALS] = "approvals",
	};
	const struct jdoc *content = jdoc_get(row, "content"), *part;
	const char *type;

	if (keys[aspect])
		jdoc_write_canonical(jdoc_get(row, keys[aspect]), out);
	for (size_t i = 0; types[aspect] && i < jdoc_len(content); i++) {
		part = jdoc_at(content, i);
		type = jdoc_get_str(part, "type");
		if (type && str_ends(type, types[aspect]))
			jdoc_write_canonical(part, out);
	}
}

void
verdict_history_differ(struct verdict_history *history,
    const struct jdoc *source, const struct jdoc *target)
{
	struct buf a = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf b = BUF_INIT(LETTA_ANSWER_MAX);

	for (int i = 0; i < VERDICT_ASPECTS; i++) {
		buf_truncate(&a, 0);
		buf_truncate(&b, 0);
		write_aspect(source, (enum verdict_aspect)i, &a);
		write_aspect(target, (enum verdict_aspect)i, &b);
		history->different[i] += !str_eq(buf_cstr(&a), buf_cstr(&b));
	}
	buf_clear(&a);
	buf_clear(&b);
}

void
verdict_history_add(const struct verdict_history *history,
    struct verdict *verdict)
{
	uint64_t source, target, different;

	for (int i = 0; i < VERDICT_ASPECTS; i++) {
		source = history->counts[0][i];
		target = history->counts[1][i];
		different = history->different[i];
		if (source == 0 && target == 0)
			continue;
		if (different > 0)
			verdict_add(verdict, names[i], VERDICT_DIFFERENT,
			    source, target, "in %" PRIu64 " rows", different);
		else if (source != target)
			verdict_add(verdict, names[i], VERDICT_DIFFERENT,
			    source, target, "counted");
		else
			verdict_add(verdict, names[i], VERDICT_SAME, source,
			    target, NULL);
	}
}
