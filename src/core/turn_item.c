#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "core/stamp.h"
#include "core/turn_item.h"

/* Room for one tool's return: the page itself is bounded. */
#define RETURN_MAX (64 * 1024 * 1024)

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_DATA, "%s", what);
}

static struct jdoc *
new_part(const char *type)
{
	struct jdoc *part = jdoc_new_object();

	jdoc_set_str(part, "type", type);
	return part;
}

static void
add_text(struct turn_row *row, const struct jdoc *text)
{
	struct jdoc *part = new_part("text");

	jdoc_set(part, "text", jdoc_copy(text));
	jdoc_push(row->content, part);
}

static bool
is_set(const struct jdoc *object, const char *key)
{
	return jdoc_type(jdoc_get(object, key)) != JDOC_NULL;
}

static void
carry(struct turn_row *row, const char *to, const struct jdoc *item,
    const char *from)
{
	if (is_set(item, from) && !jdoc_has(row->body, to))
		jdoc_set(row->body, to, jdoc_copy(jdoc_get(item, from)));
}

/*
 * The server unpacks a user text that is {"type":"user_message","message":..}
 * and shows the message.  A message that itself has this shape would be
 * unpacked once more when it is listed at the target: so it is packed again.
 */
static bool
is_packed(const struct jdoc *text)
{
	struct err ignored = ERR_INIT;
	const char *s = jdoc_str(text), *type;
	struct jdoc *doc;
	bool packed;

	if (s[strspn(s, " \t\n\r")] != '{')
		return false;
	doc = jdoc_parse(s, jdoc_str_len(text), &ignored);
	type = jdoc_get_str(doc, "type");
	packed = type && str_eq(type, "user_message") &&
	    jdoc_has(doc, "message");
	jdoc_free(doc);
	return packed;
}

static int
add_user_text(struct turn_row *row, const struct jdoc *text, struct err *err)
{
	struct buf packed = BUF_INIT(RETURN_MAX);
	struct jdoc *doc;

	if (!is_packed(text)) {
		add_text(row, text);
		return 0;
	}
	doc = jdoc_new_object();
	jdoc_set_str(doc, "type", "user_message");
	jdoc_set(doc, "message", jdoc_copy(text));
	jdoc_write(doc, &packed);
	jdoc_free(doc);
	if (buf_check(&packed, "content", err) != 0) {
		buf_clear(&packed);
		return -1;
	}
	doc = jdoc_new_strn(packed.data, packed.len);
	add_text(row, doc);
	jdoc_free(doc);
	buf_clear(&packed);
	return 0;
}

/* A string is one text part, a list is kept part by part. */
static int
add_content(struct turn_row *row, const struct jdoc *item, bool user,
    struct err *err)
{
	const struct jdoc *content = jdoc_get(item, "content");
	size_t i;

	if (jdoc_str(content)) {
		if (user)
			return add_user_text(row, content, err);
		add_text(row, content);
		return 0;
	}
	if (jdoc_type(content) != JDOC_ARRAY)
		return bad(err, "content is neither text nor a list");
	for (i = 0; i < jdoc_len(content); i++) {
		if (!jdoc_get_str(jdoc_at(content, i), "type"))
			return bad(err, "a part of content has no type");
		jdoc_push(row->content, jdoc_copy(jdoc_at(content, i)));
	}
	return 0;
}

static int
add_plain(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	return add_content(row, item, false, err);
}

static int
add_user(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	return add_content(row, item, true, err);
}

static int
add_reasoning(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	const struct jdoc *text = jdoc_get(item, "reasoning");
	const char *source = jdoc_get_str(item, "source");
	bool native = source && str_eq(source, "reasoner_model");
	struct jdoc *part;

	if (!jdoc_str(text))
		return bad(err, "reasoning is not text");
	if (source && !native && !str_eq(source, "non_reasoner_model"))
		return bad(err, "reasoning of an unknown source");
	if (!native && !row->v1) {
		add_text(row, text);
		return 0;
	}
	part = new_part("reasoning");
	jdoc_set(part, "is_native", jdoc_new_bool(native));
	jdoc_set(part, "reasoning", jdoc_copy(text));
	if (jdoc_get_str(item, "signature"))
		jdoc_set(part, "signature",
		    jdoc_copy(jdoc_get(item, "signature")));
	jdoc_push(row->content, part);
	return 0;
}

static int
add_hidden(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	const char *state = jdoc_get_str(item, "state");
	const struct jdoc *data = jdoc_get(item, "hidden_reasoning");
	struct jdoc *part;

	if (!state)
		return bad(err, "hidden reasoning without state");
	if (str_eq(state, "omitted")) {
		part = new_part("omitted_reasoning");
	} else if (str_eq(state, "redacted")) {
		part = new_part("redacted_reasoning");
		if (jdoc_str(data))
			jdoc_set(part, "data", jdoc_copy(data));
		else
			jdoc_set_str(part, "data", "");
	} else {
		return bad(err, "hidden reasoning of an unknown state");
	}
	jdoc_push(row->content, part);
	return 0;
}

static int
add_call(const struct jdoc *call, struct jdoc *calls, struct err *err)
{
	const struct jdoc *id = jdoc_get(call, "tool_call_id");
	const struct jdoc *name = jdoc_get(call, "name");
	const struct jdoc *arguments = jdoc_get(call, "arguments");
	struct jdoc *out, *function;

	if (!jdoc_str(id) || !jdoc_str(name) || !jdoc_str(arguments))
		return bad(err, "a tool call needs tool_call_id, name "
		    "and arguments, as text");
	function = jdoc_new_object();
	jdoc_set(function, "name", jdoc_copy(name));
	jdoc_set(function, "arguments", jdoc_copy(arguments));
	out = jdoc_new_object();
	jdoc_set(out, "id", jdoc_copy(id));
	jdoc_set_str(out, "type", "function");
	jdoc_set(out, "function", function);
	jdoc_push(calls, out);
	return 0;
}

static int
add_calls(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	const struct jdoc *list = jdoc_get(item, "tool_calls");
	struct jdoc *calls = jdoc_edit(row->body, "tool_calls");
	size_t i;

	if (!calls) {
		calls = jdoc_new_array();
		jdoc_set(row->body, "tool_calls", calls);
	}
	/* 0.11.3 has an item for each call. */
	if (jdoc_len(list) == 0 && is_set(item, "tool_call"))
		return add_call(jdoc_get(item, "tool_call"), calls, err);
	if (jdoc_len(list) == 0)
		return bad(err, "no tool_calls");
	for (i = 0; i < jdoc_len(list); i++) {
		if (add_call(jdoc_at(list, i), calls, err) != 0)
			return -1;
	}
	return 0;
}

/*
 * The text of a tool row, as a server packs it.  Only "OK" and "Failed" can
 * be listed later; the time is the row's, the listing shows no other.  What
 * 0.16.8 returns as a list of parts is stored as that list.
 */
static int
pack_return(const struct turn_row *row, const struct jdoc *ret,
    struct jdoc **out, struct err *err)
{
	const char *status = jdoc_get_str(ret, "status");
	const char *date = jdoc_get_str(row->body, "created_at");
	const struct jdoc *text = jdoc_get(ret, "tool_return");
	struct buf packed = BUF_INIT(RETURN_MAX);
	struct buf time_text = BUF_INIT(64);
	struct stamp stamp;
	struct jdoc *doc;
	int rc;

	if (!status || (!str_eq(status, "success") &&
	    !str_eq(status, "error")))
		return bad(err, "status of a tool return is neither "
		    "success nor error");
	if (jdoc_type(text) == JDOC_ARRAY) {
		*out = jdoc_copy(text);
		return 0;
	}
	if (!jdoc_str(text))
		return bad(err, "a tool return without text");
	doc = jdoc_new_object();
	jdoc_set_str(doc, "status", str_eq(status, "success") ? "OK" :
	    "Failed");
	jdoc_set(doc, "message", jdoc_copy(text));
	if (date && stamp_parse(date, &stamp)) {
		stamp_write_local(&stamp, &time_text);
		jdoc_set_str(doc, "time", buf_cstr(&time_text));
	}
	jdoc_write(doc, &packed);
	rc = buf_check(&packed, "a tool return", err);
	if (rc == 0)
		*out = jdoc_new_strn(packed.data, packed.len);
	jdoc_free(doc);
	buf_clear(&time_text);
	buf_clear(&packed);
	return rc;
}

/* One entry of tool_returns, as an agent file writes it. */
static int
make_return(const struct turn_row *row, const struct jdoc *ret,
    struct jdoc **out, struct err *err)
{
	static const char *const keys[] = { "stdout", "stderr" };
	struct jdoc *packed = NULL, *made;
	size_t i;

	if (!jdoc_get_str(ret, "tool_call_id"))
		return bad(err, "a tool return without tool_call_id");
	if (pack_return(row, ret, &packed, err) != 0)
		return -1;
	made = jdoc_new_object();
	jdoc_set(made, "tool_call_id",
	    jdoc_copy(jdoc_get(ret, "tool_call_id")));
	jdoc_set(made, "status", jdoc_copy(jdoc_get(ret, "status")));
	for (i = 0; i < 2; i++) {
		if (is_set(ret, keys[i]))
			jdoc_set(made, keys[i],
			    jdoc_copy(jdoc_get(ret, keys[i])));
	}
	jdoc_set(made, "func_response", packed);
	*out = made;
	return 0;
}

/* The row's own text: what the first call returned. */
static int
add_return_text(struct turn_row *row, const struct jdoc *item,
    const struct jdoc *returns, struct err *err)
{
	const struct jdoc *first = jdoc_get(jdoc_at(returns, 0),
	    "func_response");
	struct jdoc *packed;

	if (jdoc_str(first)) {
		add_text(row, first);
		return 0;
	}
	/* Of a list of parts the item has the text as well. */
	if (pack_return(row, item, &packed, err) != 0)
		return -1;
	if (jdoc_str(packed))
		add_text(row, packed);
	jdoc_free(packed);
	return 0;
}

static int
add_return(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	const struct jdoc *list = jdoc_get(item, "tool_returns");
	struct jdoc *returns, *made;
	size_t i, n = jdoc_len(list) > 0 ? jdoc_len(list) : 1;

	if (!jdoc_has(row->body, "tool_returns"))
		jdoc_set(row->body, "tool_returns", jdoc_new_array());
	returns = jdoc_edit(row->body, "tool_returns");
	for (i = 0; i < n; i++) {
		if (make_return(row, jdoc_len(list) > 0 ? jdoc_at(list, i) :
		    item, &made, err) != 0)
			return -1;
		jdoc_push(returns, made);
		carry(row, "tool_call_id", made, "tool_call_id");
	}
	return jdoc_len(row->content) > 0 ? 0 :
	    add_return_text(row, item, returns, err);
}

/* approvals holds decisions, and returns of tools that ran elsewhere. */
static int
add_response(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	const struct jdoc *list = jdoc_get(item, "approvals"), *entry;
	struct jdoc *approvals, *made;
	const char *type;
	size_t i;

	carry(row, "approve", item, "approve");
	carry(row, "approval_request_id", item, "approval_request_id");
	carry(row, "denial_reason", item, "reason");
	if (jdoc_len(list) == 0)
		return 0;
	approvals = jdoc_new_array();
	jdoc_set(row->body, "approvals", approvals);
	for (i = 0; i < jdoc_len(list); i++) {
		entry = jdoc_at(list, i);
		type = jdoc_get_str(entry, "type");
		if (type && str_eq(type, "tool")) {
			if (make_return(row, entry, &made, err) != 0)
				return -1;
			jdoc_push(approvals, made);
		} else if (type && str_eq(type, "approval")) {
			jdoc_push(approvals, jdoc_copy(entry));
		} else {
			return bad(err, "an approval of unknown type");
		}
	}
	return 0;
}

static const struct kind {
	const char *message_type;
	const char *role;
	int (*add)(struct turn_row *, const struct jdoc *, struct err *);
} kinds[] = {
	{ "system_message", "system", add_plain },
	{ "user_message", "user", add_user },
	{ "reasoning_message", "assistant", add_reasoning },
	{ "hidden_reasoning_message", "assistant", add_hidden },
	{ "assistant_message", "assistant", add_plain },
	{ "tool_call_message", "assistant", add_calls },
	{ "tool_return_message", "tool", add_return },
	{ "approval_request_message", "approval", add_calls },
	{ "approval_response_message", "approval", add_response },
};

static const struct kind *
kind_of(const struct jdoc *item)
{
	const char *type = jdoc_get_str(item, "message_type");
	size_t i;

	for (i = 0; type && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (str_eq(type, kinds[i].message_type))
			return &kinds[i];
	}
	return NULL;
}

static int
unknown(const struct jdoc *item, struct err *err)
{
	const char *type = jdoc_get_str(item, "message_type");
	struct buf shown = BUF_INIT(256);

	if (!type)
		return bad(err, "no message_type");
	shown_text(&shown, type, strlen(type), 40);
	err_set(err, ERR_DATA, "unknown message_type \"%s\"",
	    buf_cstr(&shown));
	buf_clear(&shown);
	return -1;
}

bool
turn_item_fits(const struct turn_row *row, const struct jdoc *item)
{
	const struct kind *kind = kind_of(item);
	const char *date = jdoc_get_str(item, "date");
	const char *row_date = jdoc_get_str(row->body, "created_at");

	if (!kind || (date && row_date && !str_eq(date, row_date)))
		return false;
	if (str_eq(row->role, "tool"))
		return str_eq(kind->role, "tool");
	if (!str_eq(row->role, "assistant") && !str_eq(row->role, "approval"))
		return false;
	return str_eq(kind->role, "assistant") ||
	    kind->add == add_calls;
}

/* The server's own word for it, and what Letta Cloud says. */
static bool
is_of_failed_run(const struct jdoc *item)
{
	const char *type = jdoc_get_str(item, "message_type");
	const char *status = jdoc_get_str(item, "status");

	if (jdoc_bool(jdoc_get(item, "is_err")))
		return true;
	return status && str_eq(status, "error") &&
	    !str_eq(type, "tool_return_message");
}

int
turn_item_add(struct turn_row *row, const struct jdoc *item, struct err *err)
{
	const struct kind *kind = kind_of(item);

	if (!kind)
		return unknown(item, err);
	/* A request for approval begins with what the assistant said. */
	if (!row->role || (str_eq(row->role, "assistant") &&
	    str_eq(kind->role, "approval"))) {
		row->role = kind->role;
		jdoc_set_str(row->body, "role", kind->role);
	} else if (!str_eq(row->role, kind->role) &&
	    !(str_eq(row->role, "approval") &&
	    str_eq(kind->role, "assistant"))) {
		return bad(err, "items of different roles share an id");
	}
	carry(row, "name", item, "name");
	carry(row, "sender_id", item, "sender_id");
	if (!row->step_id)
		row->step_id = jdoc_get(item, "step_id");
	if (!row->run_id)
		row->run_id = jdoc_get(item, "run_id");
	if (is_of_failed_run(item))
		jdoc_set(row->body, "is_err", jdoc_new_bool(true));
	return kind->add(row, item, err);
}

void
turn_item_end(struct turn_row *row)
{
	if (row->step_id)
		jdoc_set(row->body, "step_id", jdoc_copy(row->step_id));
	if (row->run_id)
		jdoc_set(row->body, "run_id", jdoc_copy(row->run_id));
}
