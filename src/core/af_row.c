#include "base/base.h"

#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_row.h"
#include "core/af_rule.h"
#include "core/jdoc.h"
#include "core/stamp.h"

#define RETURN_MAX (64 * 1024 * 1024)

static void
fix_content(struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content");
	struct jdoc *list, *part;

	if (jdoc_type(content) == JDOC_NULL) {
		jdoc_set(row, "content", jdoc_new_array());
	} else if (jdoc_str(content)) {
		part = jdoc_new_object();
		jdoc_set_str(part, "type", "text");
		jdoc_set(part, "text", jdoc_copy(content));
		list = jdoc_new_array();
		jdoc_push(list, part);
		jdoc_set(row, "content", list);
	}
}

static void
fix_date(struct jdoc *row, struct af_stats *stats)
{
	const char *date = jdoc_get_str(row, "created_at");
	struct buf text = BUF_INIT(64);
	struct stamp stamp;

	if (!date || !stamp_parse(date, &stamp) || !stamp_clamp(&stamp))
		return;
	stamp_write(&stamp, &text);
	jdoc_set_str(row, "created_at", buf_cstr(&text));
	buf_clear(&text);
	stats->dates_moved++;
}

static bool
means_ok(const struct jdoc *status)
{
	const char *word = jdoc_str(status);

	if (word)
		return strcasecmp(word, "ok") == 0 ||
		    strcasecmp(word, "success") == 0;
	return jdoc_type(status) == JDOC_NUMBER && jdoc_int(status) == 200;
}

/* A new string value that servers can list, or NULL when text is one. */
static struct jdoc *
fix_return(const struct jdoc *text)
{
	struct err ignored = ERR_INIT;
	struct buf out = BUF_INIT(RETURN_MAX);
	struct jdoc *doc, *fixed = NULL;

	if (af_rule_return_ok(jdoc_str(text), jdoc_str_len(text)))
		return NULL;
	doc = jdoc_parse(jdoc_str(text), jdoc_str_len(text), &ignored);
	if (jdoc_type(doc) != JDOC_OBJECT) {
		jdoc_free(doc);
		doc = jdoc_new_object();
		jdoc_set_str(doc, "status", "OK");
		jdoc_set(doc, "message", jdoc_copy(text));
	} else {
		jdoc_set_str(doc, "status", means_ok(jdoc_get(doc,
		    "status")) ? "OK" : "Failed");
	}
	jdoc_write(doc, &out);
	if (!out.full)
		fixed = jdoc_new_strn(out.data, out.len);
	buf_clear(&out);
	jdoc_free(doc);
	return fixed;
}

static void
fix_text_at(struct jdoc *object, const char *key, struct af_stats *stats)
{
	struct jdoc *fixed;

	if (!jdoc_get_str(object, key))
		return;
	fixed = fix_return(jdoc_get(object, key));
	if (fixed) {
		jdoc_set(object, key, fixed);
		stats->returns_fixed++;
	}
}

static void
fix_tool(struct jdoc *row, struct af_stats *stats)
{
	struct jdoc *returns = jdoc_edit(row, "tool_returns");
	struct jdoc *content = jdoc_edit(row, "content");
	const struct jdoc *id;
	size_t i;

	for (i = 0; i < jdoc_len(returns); i++)
		fix_text_at(jdoc_edit_at(returns, i), "func_response", stats);
	if (jdoc_len(returns) == 0 && jdoc_len(content) == 1)
		fix_text_at(jdoc_edit_at(content, 0), "text", stats);
	id = jdoc_get(jdoc_at(returns, 0), "tool_call_id");
	if (!jdoc_get_str(row, "tool_call_id") && jdoc_len(returns) == 1 &&
	    jdoc_str(id))
		jdoc_set(row, "tool_call_id", jdoc_copy(id));
}

void
af_row_fix(struct jdoc *row, struct af_stats *stats)
{
	static const char *const foreign[] = {
		"step_id", "run_id", "merged_id", "otid", "updated_at"
	};
	const char *role = jdoc_get_str(row, "role");
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		jdoc_remove(row, foreign[i]);
	if (!jdoc_has(row, "type"))
		jdoc_set_str(row, "type", "message");
	fix_content(row);
	fix_date(row, stats);
	if (role && str_eq(role, "tool"))
		fix_tool(row, stats);
}
