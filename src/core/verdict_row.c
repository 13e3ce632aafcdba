#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_return.h"
#include "core/jdoc.h"
#include "core/stamp.h"
#include "core/verdict_row.h"

/*
 * The text is written straight from the row, without a tree in between: every
 * row of both sides comes through here.
 */
struct canon {
	const struct jdoc *row;
	struct buf *out;
	bool shows_sender;	/* some item of the listing has sender_id */
};

static bool
is_nothing(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_NULL ||
	    (jdoc_type(value) == JDOC_ARRAY && jdoc_len(value) == 0);
}

/* Before a member or an entry: a comma unless it is the first. */
static void
separate(struct buf *out)
{
	char last = out->len > 0 ? out->data[out->len - 1] : '\0';

	if (last != '{' && last != '[')
		buf_char(out, ',');
}

static void
begin_member(struct buf *out, const char *key)
{
	separate(out);
	buf_printf(out, "\"%s\":", key);
}

static void
write_member(struct buf *out, const char *key, const struct jdoc *value)
{
	if (is_nothing(value))
		return;
	begin_member(out, key);
	jdoc_write_canonical(value, out);
}

static void
keep(struct buf *out, const struct jdoc *object, const char *key)
{
	write_member(out, key, jdoc_get(object, key));
}

static int
write_date(struct canon *c, struct err *err)
{
	const char *date = jdoc_get_str(c->row, "created_at");
	struct stamp stamp;

	if (!date || !stamp_parse(date, &stamp))
		return err_set(err, ERR_DATA, "row: created_at is not a date");
	/* As core/af_row.h moves it on its way to the target. */
	(void)stamp_clamp(&stamp);
	stamp.micros = 0;
	begin_member(c->out, "created_at");
	buf_char(c->out, '"');
	stamp_write(&stamp, c->out);
	buf_char(c->out, '"');
	return 0;
}

/*
 * Parts of an assistant, in runs: texts that stand side by side are listed as
 * one, and so is reasoning.
 */
enum run {
	RUN_NONE,		/* nothing that a listing shows */
	RUN_TEXT,
	RUN_REASONING,
	RUN_REDACTED,
	RUN_OMITTED
};

static enum run
run_of(const struct jdoc *part)
{
	static const struct {
		const char *type;
		enum run run;
	} types[] = {
		{ "text", RUN_TEXT },
		{ "reasoning", RUN_REASONING },
		{ "summarized_reasoning", RUN_REASONING },
		{ "redacted_reasoning", RUN_REDACTED },
		{ "omitted_reasoning", RUN_OMITTED },
	};
	const char *type = jdoc_get_str(part, "type");
	size_t i;

	for (i = 0; type && i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_eq(type, types[i].type))
			return types[i].run;
	}
	return RUN_NONE;
}

/* Append without the quotes, into a string that is open. */
static void
add_str(struct buf *out, const struct jdoc *text)
{
	size_t at = out->len;

	if (!jdoc_str(text))
		return;
	jdoc_write_str(jdoc_str(text), jdoc_str_len(text), out);
	if (out->full)
		return;
	memmove(out->data + at, out->data + at + 1, out->len - at - 2);
	buf_truncate(out, out->len - 2);
}

/* The parts of a summary are listed with a blank line between them. */
static void
add_summary(struct buf *out, const struct jdoc *part)
{
	const struct jdoc *list = jdoc_get(part, "summary");
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		if (i > 0)
			buf_str(out, "\\n\\n");
		add_str(out, jdoc_get(jdoc_at(list, i), "text"));
	}
}

static void
write_run_end(struct canon *c, enum run run, const struct jdoc *first)
{
	struct buf *out = c->out;

	if (run == RUN_TEXT) {
		buf_str(out, "\",\"type\":\"text\"}");
	} else if (run == RUN_REASONING) {
		buf_char(out, '"');
		write_member(out, "signature", jdoc_get(first,
		    jdoc_is(first, "type", "reasoning") ? "signature" :
		    "encrypted_content"));
		buf_str(out, ",\"type\":\"reasoning\"}");
	}
}

static void
write_run_begin(struct canon *c, enum run run, const struct jdoc *part)
{
	struct buf *out = c->out;

	separate(out);
	if (run == RUN_TEXT) {
		buf_str(out, "{\"text\":\"");
	} else if (run == RUN_REASONING) {
		buf_str(out, "{\"reasoning\":\"");
	} else if (run == RUN_REDACTED) {
		buf_char(out, '{');
		keep(out, part, "data");
		begin_member(out, "type");
		buf_str(out, "\"redacted_reasoning\"}");
	} else {
		buf_str(out, "{\"type\":\"omitted_reasoning\"}");
	}
	c->shows_sender |= run == RUN_TEXT || run == RUN_REDACTED;
}

static void
write_parts(struct canon *c, const struct jdoc *content)
{
	const struct jdoc *part, *first = NULL;
	enum run run, open = RUN_NONE;
	size_t i;

	for (i = 0; i < jdoc_len(content); i++) {
		part = jdoc_at(content, i);
		run = run_of(part);
		if (run == RUN_NONE)
			continue;
		if (run != open || run > RUN_REASONING) {
			write_run_end(c, open, first);
			write_run_begin(c, run, part);
			open = run;
			first = part;
		}
		if (run == RUN_TEXT)
			add_str(c->out, jdoc_get(part, "text"));
		else if (jdoc_is(part, "type", "reasoning"))
			add_str(c->out, jdoc_get(part, "reasoning"));
		else if (run == RUN_REASONING)
			add_summary(c->out, part);
	}
	write_run_end(c, open, first);
}

/*
 * Text of a user as it is listed: a server unpacks {"type":"user_message",
 * "message":...} once.
 */
static void
write_unpacked(struct buf *out, const struct jdoc *text)
{
	struct err ignored = ERR_INIT;
	const char *s = jdoc_str(text);
	struct jdoc *doc = NULL;

	if (s[strspn(s, " \t\n\r")] == '{')
		doc = jdoc_parse(s, jdoc_str_len(text), &ignored);
	if (jdoc_is(doc, "type", "user_message") && jdoc_has(doc, "message"))
		jdoc_write_canonical(jdoc_get(doc, "message"), out);
	else
		jdoc_write(text, out);
	jdoc_free(doc);
}

/*
 * An image: a server that is given its bytes stores them under an id of its
 * own and calls the source another type.
 */
static void
write_image(struct buf *out, const struct jdoc *part)
{
	const struct jdoc *source = jdoc_get(part, "source");

	buf_str(out, "{\"type\":\"image\"");
	keep(out, source, "data");
	keep(out, source, "detail");
	keep(out, source, "media_type");
	keep(out, source, "url");
	buf_char(out, '}');
}

static void
write_user_parts(struct canon *c, const struct jdoc *content)
{
	const struct jdoc *part = jdoc_at(content, 0);
	size_t i;

	if (jdoc_len(content) == 1 && jdoc_is(part, "type", "text") &&
	    jdoc_get_str(part, "text")) {
		buf_str(c->out, "{\"text\":");
		write_unpacked(c->out, jdoc_get(part, "text"));
		buf_str(c->out, ",\"type\":\"text\"}");
		return;
	}
	for (i = 0; i < jdoc_len(content); i++) {
		part = jdoc_at(content, i);
		separate(c->out);
		if (jdoc_is(part, "type", "image"))
			write_image(c->out, part);
		else
			jdoc_write_canonical(part, c->out);
	}
}

static void
write_content(struct canon *c, bool user)
{
	const struct jdoc *content = jdoc_get(c->row, "content");
	size_t before = c->out->len;

	begin_member(c->out, "content");
	buf_char(c->out, '[');
	if (user)
		write_user_parts(c, content);
	else
		write_parts(c, content);
	if (c->out->len > 0 && c->out->data[c->out->len - 1] == '[')
		buf_truncate(c->out, before);
	else
		buf_char(c->out, ']');
}

/*
 * status  what the listing takes as such; NULL: that of the text
 */
static void
write_return(struct buf *out, const struct jdoc *ret, const struct jdoc *id,
    const struct jdoc *text, const char *status)
{
	bool failed;

	separate(out);
	buf_str(out, "{\"text\":");
	failed = af_return_show(text, out);
	if (status)
		failed = str_eq(status, "error");
	begin_member(out, "status");
	buf_str(out, failed ? "\"error\"" : "\"success\"");
	keep(out, ret, "stderr");
	keep(out, ret, "stdout");
	write_member(out, "tool_call_id", id);
	buf_char(out, '}');
}

static void
write_returns(struct canon *c)
{
	const struct jdoc *list = jdoc_get(c->row, "tool_returns"), *ret, *id;
	const struct jdoc *row_id = jdoc_get(c->row, "tool_call_id");
	const struct jdoc *content = jdoc_get(c->row, "content");
	const struct jdoc *text = jdoc_get(jdoc_at(content, 0), "text");
	size_t i, n = jdoc_len(list);
	/* One return beside one text: it is the text that is listed. */
	bool text_wins = n == 1 && jdoc_len(content) == 1 && jdoc_str(text);

	begin_member(c->out, "returns");
	buf_char(c->out, '[');
	for (i = 0; i < n; i++) {
		ret = jdoc_at(list, i);
		id = jdoc_get(ret, "tool_call_id");
		write_return(c->out, ret, n == 1 && is_nothing(id) ? row_id :
		    id, text_wins ? text : jdoc_get(ret, "func_response"),
		    NULL);
	}
	if (n == 0)
		write_return(c->out, NULL, row_id, text, NULL);
	buf_char(c->out, ']');
}

/* A decision, or what a tool returned that ran elsewhere. */
static void
write_approval(struct buf *out, const struct jdoc *entry)
{
	if (jdoc_has(entry, "func_response")) {
		write_return(out, entry, jdoc_get(entry, "tool_call_id"),
		    jdoc_get(entry, "func_response"),
		    jdoc_get_str(entry, "status"));
		return;
	}
	separate(out);
	buf_char(out, '{');
	keep(out, entry, "approve");
	keep(out, entry, "reason");
	keep(out, entry, "tool_call_id");
	buf_char(out, '}');
}

/*
 * A response to a request for approval.  With a list of approvals the row's
 * own members are not listed, but those of the first decision in it.
 */
static void
write_response(struct canon *c)
{
	const struct jdoc *list = jdoc_get(c->row, "approvals");
	size_t i, n = jdoc_len(list);

	begin_member(c->out, "approvals");
	buf_char(c->out, '[');
	for (i = 0; i < n; i++)
		write_approval(c->out, jdoc_at(list, i));
	if (n == 0) {
		buf_char(c->out, '{');
		keep(c->out, c->row, "approve");
		write_member(c->out, "reason", jdoc_get(c->row,
		    "denial_reason"));
		write_member(c->out, "tool_call_id", jdoc_get(c->row,
		    "approval_request_id"));
		buf_char(c->out, '}');
	}
	buf_char(c->out, ']');
}

static void
write_body(struct canon *c)
{
	bool response = jdoc_is(c->row, "role", "approval") &&
	    jdoc_len(jdoc_get(c->row, "tool_calls")) == 0;
	bool user = jdoc_is(c->row, "role", "user") ||
	    jdoc_is(c->row, "role", "summary");

	c->shows_sender = !jdoc_is(c->row, "role", "assistant") ||
	    jdoc_len(jdoc_get(c->row, "tool_calls")) > 0;
	/* A summary is listed as a row of the user (0.16.8, seen). */
	begin_member(c->out, "role");
	if (user)
		buf_str(c->out, "\"user\"");
	else
		jdoc_write(jdoc_get(c->row, "role"), c->out);
	if (jdoc_is(c->row, "role", "tool"))
		write_returns(c);
	else
		write_content(c, user);
	keep(c->out, c->row, "tool_calls");
	if (response) {
		write_response(c);
		return;
	}
	keep(c->out, c->row, "name");
	if (c->shows_sender)
		keep(c->out, c->row, "sender_id");
}

int
verdict_row_canonical(const struct jdoc *row, struct buf *out,
    struct err *err)
{
	struct canon c = { .row = row, .out = out };

	if (!jdoc_get_str(row, "role"))
		return err_set(err, ERR_DATA, "row: no role");
	buf_char(out, '{');
	if (write_date(&c, err) != 0)
		return -1;
	write_body(&c);
	buf_char(out, '}');
	return buf_check(out, "row", err);
}

bool
verdict_row_is_system(const struct jdoc *row)
{
	return jdoc_is(row, "role", "system");
}
