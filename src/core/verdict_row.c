#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/stamp.h"
#include "core/verdict_row.h"

static bool
is_word(const struct jdoc *object, const char *key, const char *word)
{
	const char *s = jdoc_get_str(object, key);

	return s && str_eq(s, word);
}

static bool
is_nothing(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_NULL ||
	    (jdoc_type(value) == JDOC_ARRAY && jdoc_len(value) == 0);
}

static void
keep(struct jdoc *out, const struct jdoc *row, const char *key)
{
	if (!is_nothing(jdoc_get(row, key)))
		jdoc_set(out, key, jdoc_copy(jdoc_get(row, key)));
}

static int
keep_date(struct jdoc *out, const struct jdoc *row, struct err *err)
{
	const char *date = jdoc_get_str(row, "created_at");
	struct buf text = BUF_INIT(64);
	struct stamp stamp;

	if (!date || !stamp_parse(date, &stamp))
		return err_set(err, ERR_DATA, "row: created_at is not a date");
	/* As core/af.h moves it on its way to the target. */
	(void)stamp_clamp(&stamp);
	stamp.micros = 0;
	stamp_write(&stamp, &text);
	jdoc_set_str(out, "created_at", buf_cstr(&text));
	buf_clear(&text);
	return 0;
}

/* The key of a part's text when parts of its type are joined, or NULL. */
static const char *
joined_key(const struct jdoc *part)
{
	if (is_word(part, "type", "text"))
		return "text";
	return is_word(part, "type", "reasoning") ? "reasoning" : NULL;
}

/* Text of both, one behind the other, as the value of key in a. */
static void
join(struct jdoc *a, const struct jdoc *b, const char *key)
{
	const struct jdoc *x = jdoc_get(a, key), *y = jdoc_get(b, key);
	size_t x_len = jdoc_str_len(x), y_len = jdoc_str_len(y);
	struct buf both;

	buf_init(&both, x_len + y_len);
	if (jdoc_str(x))
		buf_add(&both, jdoc_str(x), x_len);
	if (jdoc_str(y))
		buf_add(&both, jdoc_str(y), y_len);
	jdoc_set(a, key, jdoc_new_strn(buf_cstr(&both), both.len));
	buf_clear(&both);
}

static void
keep_content(struct jdoc *out, const struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content"), *part;
	bool joins = !is_word(row, "role", "user");
	struct jdoc *list = jdoc_new_array(), *last = NULL, *copy;
	const char *key;
	size_t i;

	for (i = 0; i < jdoc_len(content); i++) {
		part = jdoc_at(content, i);
		key = joined_key(part);
		if (joins && key && last && joined_key(last) &&
		    str_eq(joined_key(last), key)) {
			join(last, part, key);
			continue;
		}
		copy = jdoc_copy(part);
		jdoc_remove(copy, "is_native");
		jdoc_push(list, copy);
		last = copy;
	}
	if (jdoc_len(list) > 0)
		jdoc_set(out, "content", list);
	else
		jdoc_free(list);
}

/*
 * What a listing shows of a packed return: its message, or the whole text
 * when it has none; and whether it failed.
 */
static void
unpack(struct jdoc *out, const struct jdoc *text)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc;

	if (!jdoc_str(text))
		return;
	doc = jdoc_parse(jdoc_str(text), jdoc_str_len(text), &ignored);
	jdoc_set_str(out, "status", is_word(doc, "status", "Failed") ?
	    "error" : "success");
	if (jdoc_get_str(doc, "message"))
		jdoc_set(out, "text", jdoc_copy(jdoc_get(doc, "message")));
	else
		jdoc_set(out, "text", jdoc_copy(text));
	jdoc_free(doc);
}

static struct jdoc *
canonical_return(const struct jdoc *ret, const struct jdoc *text)
{
	struct jdoc *out = jdoc_new_object();

	keep(out, ret, "tool_call_id");
	keep(out, ret, "stdout");
	keep(out, ret, "stderr");
	unpack(out, text);
	return out;
}

static void
keep_returns(struct jdoc *out, const struct jdoc *row)
{
	const struct jdoc *list = jdoc_get(row, "tool_returns"), *ret;
	const struct jdoc *content = jdoc_get(row, "content");
	struct jdoc *returns = jdoc_new_array();
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		ret = jdoc_at(list, i);
		jdoc_push(returns, canonical_return(ret,
		    jdoc_get(ret, "func_response")));
	}
	if (jdoc_len(list) == 0)
		jdoc_push(returns, canonical_return(row,
		    jdoc_get(jdoc_at(content, 0), "text")));
	jdoc_set(out, "returns", returns);
}

/* Entries that are returns of tools hold a packed text, too. */
static void
keep_approvals(struct jdoc *out, const struct jdoc *row)
{
	const struct jdoc *list = jdoc_get(row, "approvals"), *entry;
	struct jdoc *approvals;
	size_t i;

	if (jdoc_len(list) == 0)
		return;
	approvals = jdoc_new_array();
	for (i = 0; i < jdoc_len(list); i++) {
		entry = jdoc_at(list, i);
		if (jdoc_has(entry, "func_response"))
			jdoc_push(approvals, canonical_return(entry,
			    jdoc_get(entry, "func_response")));
		else
			jdoc_push(approvals, jdoc_copy(entry));
	}
	jdoc_set(out, "approvals", approvals);
}

static int
canonical(const struct jdoc *row, struct jdoc *out, struct err *err)
{
	static const char *const plain[] = {
		"role", "name", "sender_id", "tool_calls", "approve",
		"approval_request_id", "denial_reason"
	};
	size_t i;

	if (!jdoc_get_str(row, "role"))
		return err_set(err, ERR_DATA, "row: no role");
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		keep(out, row, plain[i]);
	if (is_word(row, "role", "tool"))
		keep_returns(out, row);
	else
		keep_content(out, row);
	keep_approvals(out, row);
	return keep_date(out, row, err);
}

int
verdict_row_canonical(const struct jdoc *row, struct buf *out,
    struct err *err)
{
	struct jdoc *result = jdoc_new_object();
	int rc = canonical(row, result, err);

	if (rc == 0) {
		jdoc_write_canonical(result, out);
		rc = buf_check(out, "row", err);
	}
	jdoc_free(result);
	return rc;
}

bool
verdict_row_is_system(const struct jdoc *row)
{
	return is_word(row, "role", "system");
}
