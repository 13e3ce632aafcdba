#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_rule.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/letta.h"

struct file {
	const struct jdoc *doc, *agent;
	const struct af_rule_report *report;
	struct err *err;
};

static int
found(const struct file *f, const char *at, enum af_rule_effect effect,
    bool repaired, const char *what)
{
	struct af_rule_finding finding = {
		.at = at, .what = what, .effect = effect,
		.repaired = repaired,
	};

	return f->report->found(f->report->ctx, &finding, f->err);
}

static int
check_top(const struct file *f)
{
	static const char *const lists[] = {
		"groups", "blocks", "files", "sources", "tools", "mcp_servers"
	};
	char at[32];
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		(void)snprintf(at, sizeof(at), "/%s", lists[i]);
		if (jdoc_type(jdoc_get(f->doc, lists[i])) != JDOC_ARRAY &&
		    found(f, at, AF_RULE_REFUSED, false,
		    "missing, or not a list") != 0)
			return -1;
	}
	return 0;
}

static int
check_agent(const struct file *f)
{
	const char *name = jdoc_get_str(f->agent, "name");
	const char *id = jdoc_get_str(f->agent, "id");

	if ((!name || !letta_name_may_pass(name)) &&
	    found(f, "/agents/0/name", AF_RULE_REFUSED, true, "a name may "
	    "hold letters, digits, blank, \"-\", \"_\" and \"'\"") != 0)
		return -1;
	if ((!id || !str_starts(id, "agent-")) &&
	    found(f, "/agents/0/id", AF_RULE_REFUSED, false,
	    "id should be agent-0") != 0)
		return -1;
	if (jdoc_type(jdoc_get(f->agent, "llm_config")) != JDOC_OBJECT &&
	    found(f, "/agents/0/llm_config", AF_RULE_REFUSED, false,
	    "llm_config is missing") != 0)
		return -1;
	return 0;
}

static int
check_tools(const struct file *f)
{
	static const char *const extra[] = {
		"created_at", "updated_at", "metadata_"
	};
	const struct jdoc *tools = jdoc_get(f->doc, "tools");
	char at[64];
	size_t i, k;

	for (i = 0; i < jdoc_len(tools); i++) {
		for (k = 0; k < sizeof(extra) / sizeof(extra[0]); k++) {
			(void)snprintf(at, sizeof(at), "/tools/%zu/%s", i,
			    extra[k]);
			if (jdoc_has(jdoc_at(tools, i), extra[k]) &&
			    found(f, at, AF_RULE_REFUSED, true,
			    "a key that the import forbids in a tool") != 0)
				return -1;
		}
	}
	return 0;
}

static bool
label_taken(const struct jdoc *blocks, size_t before, const char *label)
{
	const char *other;
	size_t i;

	for (i = 0; i < before; i++) {
		other = jdoc_get_str(jdoc_at(blocks, i), "label");
		if (other && str_eq(other, label))
			return true;
	}
	return false;
}

static int
check_blocks(const struct file *f)
{
	const struct jdoc *blocks = jdoc_get(f->doc, "blocks"), *block;
	const char *label;
	char at[64];
	size_t i;

	for (i = 0; i < jdoc_len(blocks); i++) {
		block = jdoc_at(blocks, i);
		label = jdoc_get_str(block, "label");
		(void)snprintf(at, sizeof(at), "/blocks/%zu", i);
		if (!label || !jdoc_get_str(block, "value")) {
			if (found(f, at, AF_RULE_REFUSED, false,
			    "a block needs label and value") != 0)
				return -1;
		} else if (i < 1000 && label_taken(blocks, i, label) &&
		    found(f, at, AF_RULE_SPOILED, false, "two blocks of one "
		    "label: only one of them is attached") != 0) {
			return -1;
		}
	}
	return 0;
}

static bool
is_numbered(const char *id)
{
	uint64_t number;

	return id && str_starts(id, "message-") &&
	    str_u64(id + strlen("message-"), UINT64_MAX, &number);
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/*
 * Ids of rows and of those in context.  *ids gets the n sorted ids, which
 * belong to the document.
 */
static int
check_ids(const struct file *f, const char **ids)
{
	const struct jdoc *rows = jdoc_get(f->agent, "messages");
	size_t i, n = jdoc_len(rows);
	char at[64];

	for (i = 0; i < n; i++) {
		ids[i] = jdoc_get_str(jdoc_at(rows, i), "id");
		(void)snprintf(at, sizeof(at), "/agents/0/messages/%zu/id",
		    i);
		if (!is_numbered(ids[i]) && found(f, at, AF_RULE_REFUSED,
		    true, "id should be message-<number>") != 0)
			return -1;
		if (!ids[i])
			ids[i] = "";
	}
	qsort(ids, n, sizeof(*ids), by_text);
	for (i = 1; i < n; i++) {
		if (str_eq(ids[i - 1], ids[i]) &&
		    found(f, "/agents/0/messages", AF_RULE_REFUSED, false,
		    "two messages have the same id") != 0)
			return -1;
	}
	return 0;
}

static const struct jdoc *
row_with_id(const struct jdoc *rows, const char *id)
{
	const char *other;
	size_t i;

	for (i = 0; i < jdoc_len(rows); i++) {
		other = jdoc_get_str(jdoc_at(rows, i), "id");
		if (other && str_eq(other, id))
			return jdoc_at(rows, i);
	}
	return NULL;
}

static bool
is_system(const struct jdoc *row)
{
	const char *role = jdoc_get_str(row, "role");

	return role && str_eq(role, "system");
}

static bool
has_system(const struct jdoc *rows)
{
	size_t i;

	for (i = 0; i < jdoc_len(rows); i++) {
		if (is_system(jdoc_at(rows, i)))
			return true;
	}
	return false;
}

static int
check_context(const struct file *f, const char **ids)
{
	const struct jdoc *rows = jdoc_get(f->agent, "messages");
	const struct jdoc *list = jdoc_get(f->agent,
	    "in_context_message_ids");
	static const char place[] = "/agents/0/in_context_message_ids";
	bool system_row = has_system(rows);
	const char *id, *first;
	char at[64];
	size_t i;

	for (i = 0; i < jdoc_len(list); i++) {
		id = jdoc_str(jdoc_at(list, i));
		(void)snprintf(at, sizeof(at), "%s/%zu", place, i);
		if ((!id || !bsearch(&id, ids, jdoc_len(rows), sizeof(*ids),
		    by_text)) && found(f, at, AF_RULE_REFUSED, true,
		    "no message has this id") != 0)
			return -1;
	}
	if (jdoc_len(list) == 0)
		return found(f, place, AF_RULE_SPOILED, system_row,
		    "no message in context: every chat fails");
	first = jdoc_str(jdoc_at(list, 0));
	if (first && !is_system(row_with_id(rows, first)))
		return found(f, place, AF_RULE_SPOILED, system_row,
		    "the first message in context is not a system row: the "
		    "first chat overwrites it");
	return 0;
}

static int
check_rows(const struct file *f)
{
	const struct jdoc *rows = jdoc_get(f->agent, "messages");
	const char **ids = mem_zero(jdoc_len(rows) + 1, sizeof(*ids));
	char at[64];
	int rc;
	size_t i;

	rc = check_ids(f, ids);
	if (rc == 0)
		rc = check_context(f, ids);
	for (i = 0; rc == 0 && i < jdoc_len(rows); i++) {
		(void)snprintf(at, sizeof(at), "/agents/0/messages/%zu", i);
		rc = af_rule_row(jdoc_at(rows, i), at, f->report, f->err);
	}
	free(ids);
	return rc;
}

int
af_rule_file(const char *text, size_t len,
    const struct af_rule_report *report, struct err *err)
{
	struct file f = { .report = report, .err = err };
	struct jdoc *doc;
	int rc = -1;

	doc = jdoc_parse(text, len, err);
	if (!doc)
		return err_ctx(err, "agent file");
	f.doc = doc;
	f.agent = af_shell_agent(doc, err);
	if (f.agent && check_top(&f) == 0 && check_agent(&f) == 0 &&
	    check_tools(&f) == 0 && check_blocks(&f) == 0 &&
	    check_rows(&f) == 0)
		rc = 0;
	jdoc_free(doc);
	return rc;
}
