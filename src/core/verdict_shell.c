#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_mark.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "core/verdict.h"

/* None is the same as an empty one. */
static bool
same_text(const char *a, const char *b)
{
	return str_eq(a ? a : "", b ? b : "");
}

static const struct af_block *
block_by_label(const struct af_shell *shell, const char *label)
{
	size_t i;

	for (i = 0; i < shell->n_blocks; i++) {
		if (str_eq(shell->blocks[i].label, label))
			return &shell->blocks[i];
	}
	return NULL;
}

/* Its limit as the import writes it. */
static int64_t
raised(const struct af_block *block)
{
	return af_shell_limit(block->limit, block->value, block->value_len);
}

/* Says why limits may differ and the blocks be the same all the same. */
static void
same_blocks(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	size_t i, n = 0;

	for (i = 0; i < source->n_blocks; i++)
		n += raised(&source->blocks[i]) != source->blocks[i].limit;
	if (n > 0)
		verdict_add(v, "blocks", VERDICT_SAME, source->n_blocks,
		    target->n_blocks, "%zu limits raised to the value's "
		    "length", n);
	else
		verdict_add(v, "blocks", VERDICT_SAME, source->n_blocks,
		    target->n_blocks, NULL);
}

/* The first field that differs, or NULL. */
static const char *
block_difference(const struct af_block *a, const struct af_block *b)
{
	if (a->value_len != b->value_len ||
	    memcmp(a->value, b->value, a->value_len) != 0)
		return "value";
	if (b->limit != a->limit && b->limit != raised(a))
		return "limit";
	if (!same_text(a->description, b->description))
		return "description";
	if (a->read_only != b->read_only)
		return "read_only";
	return NULL;
}

static void
different(struct verdict *v, const char *check, size_t source, size_t target,
    const char *name, const char *what)
{
	struct buf shown = BUF_INIT(512);

	shown_text(&shown, name, strlen(name), 80);
	verdict_add(v, check, VERDICT_DIFFERENT, source, target, "%s: %s",
	    buf_cstr(&shown), what);
	buf_clear(&shown);
}

void
verdict_blocks(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	const struct af_block *a, *b;
	const char *what;
	size_t i;

	for (i = 0; i < source->n_blocks; i++) {
		a = &source->blocks[i];
		b = block_by_label(target, a->label);
		what = b ? block_difference(a, b) : "not at the target";
		if (what) {
			different(v, "blocks", source->n_blocks,
			    target->n_blocks, a->label, what);
			return;
		}
	}
	for (i = 0; i < target->n_blocks; i++) {
		a = &target->blocks[i];
		if (!block_by_label(source, a->label)) {
			different(v, "blocks", source->n_blocks,
			    target->n_blocks, a->label, "not at the source");
			return;
		}
	}
	if (source->n_blocks != target->n_blocks)
		verdict_add(v, "blocks", VERDICT_DIFFERENT, source->n_blocks,
		    target->n_blocks, "a label is there more than once");
	else
		same_blocks(v, source, target);
}

static const struct af_tool *
tool_by_name(const struct af_shell *shell, const char *name)
{
	size_t i;

	for (i = 0; i < shell->n_tools; i++) {
		if (str_eq(shell->tools[i].name, name))
			return &shell->tools[i];
	}
	return NULL;
}

static const char *
tool_difference(const struct af_tool *a, const struct af_tool *b)
{
	if (!b)
		return "not at the target";
	if (!str_eq(a->type, b->type))
		return "tool_type";
	if (str_eq(a->type, "custom") &&
	    !same_text(a->source_code, b->source_code))
		return "source_code (the target had a tool of this name, "
		    "which was left as it is)";
	return NULL;
}

/* Whether a tool is there, and not ours because the job file says so. */
static bool
is_kept(const struct af_tool *a, const struct af_tool *b)
{
	return b && str_eq(a->type, b->type) && str_eq(a->type, "custom") &&
	    !same_text(a->source_code, b->source_code);
}

/*
 * Kept tools are a check of their own, so that the rest can be compared;
 * their names are in its reason.
 */
static void
add_kept(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	struct buf names = BUF_INIT(1024);
	const struct af_tool *a;
	uint64_t n = 0;

	for (size_t i = 0; i < source->n_tools; i++) {
		a = &source->tools[i];
		if (!is_kept(a, tool_by_name(target, a->name)))
			continue;
		buf_str(&names, n++ > 0 ? ", " : "");
		shown_text(&names, a->name, strlen(a->name), 64);
	}
	if (n > 0)
		verdict_add(v, "tools kept", VERDICT_NOT_COMPARED, n, n,
		    "another source at the target, kept as asked: %s",
		    buf_cstr(&names));
	buf_clear(&names);
}

static void
compare_tools(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target, bool keep)
{
	const struct af_tool *there;
	const char *what;
	size_t i;

	for (i = 0; i < source->n_tools; i++) {
		there = tool_by_name(target, source->tools[i].name);
		if (keep && is_kept(&source->tools[i], there))
			continue;
		what = tool_difference(&source->tools[i], there);
		if (what) {
			different(v, "tools", source->n_tools,
			    target->n_tools, source->tools[i].name, what);
			return;
		}
	}
	for (i = 0; i < target->n_tools; i++) {
		if (!tool_by_name(source, target->tools[i].name)) {
			different(v, "tools", source->n_tools,
			    target->n_tools, target->tools[i].name,
			    "not at the source");
			return;
		}
	}
	verdict_add(v, "tools", VERDICT_SAME, source->n_tools,
	    target->n_tools, NULL);
}

void
verdict_tools(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	compare_tools(v, source, target, false);
}

void
verdict_tools_kept(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	compare_tools(v, source, target, true);
	add_kept(v, source, target);
}

/* Order and repetition mean nothing. */
static bool
holds_all(const struct jdoc *list, const struct jdoc *of)
{
	size_t i, k;

	for (i = 0; i < jdoc_len(of); i++) {
		for (k = 0; k < jdoc_len(list); k++) {
			if (same_text(jdoc_str(jdoc_at(of, i)),
			    jdoc_str(jdoc_at(list, k))))
				break;
		}
		if (k == jdoc_len(list))
			return false;
	}
	return true;
}

static const struct jdoc *
rules_of(const struct af_shell *shell)
{
	return jdoc_get(jdoc_at(jdoc_get(shell->doc, "agents"), 0),
	    "tool_rules");
}

/* Whether a list has this value, however its keys are ordered. */
static bool
has_value(const struct jdoc *list, const struct jdoc *value)
{
	struct buf x = BUF_INIT(AF_SHELL_MAX), y = BUF_INIT(AF_SHELL_MAX);
	bool found = false;

	jdoc_write_canonical(value, &x);
	for (size_t i = 0; i < jdoc_len(list) && !found; i++) {
		buf_truncate(&y, 0);
		jdoc_write_canonical(jdoc_at(list, i), &y);
		found = !x.full && !y.full &&
		    str_eq(buf_cstr(&x), buf_cstr(&y));
	}
	buf_clear(&x);
	buf_clear(&y);
	return found;
}

void
verdict_tool_rules(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	const struct jdoc *from = rules_of(source), *to = rules_of(target);
	uint64_t missing = 0;

	for (size_t i = 0; i < jdoc_len(from); i++)
		missing += !has_value(to, jdoc_at(from, i));
	if (missing > 0)
		verdict_add(v, "tool rules", VERDICT_DIFFERENT,
		    jdoc_len(from), jdoc_len(to), "%" PRIu64 " of the "
		    "source's are not on the target", missing);
	else if (jdoc_len(to) > jdoc_len(from))
		verdict_add(v, "tool rules", VERDICT_SAME, jdoc_len(from),
		    jdoc_len(to), "the target's server has added its own");
	else
		verdict_add(v, "tool rules", VERDICT_SAME, jdoc_len(from),
		    jdoc_len(to), NULL);
}

/*
 * Order of keys means nothing; none is the same as an empty object; what an
 * agent on its way carries of ours is not its own.
 */
static bool
same_metadata(const struct jdoc *a, const struct jdoc *b)
{
	struct buf x = BUF_INIT(AF_SHELL_MAX), y = BUF_INIT(AF_SHELL_MAX);
	struct jdoc *own_a = af_mark_own(a), *own_b = af_mark_own(b);
	bool same;

	jdoc_write_canonical(own_a, &x);
	jdoc_write_canonical(own_b, &y);
	same = !x.full && !y.full && str_eq(buf_cstr(&x), buf_cstr(&y));
	jdoc_free(own_a);
	jdoc_free(own_b);
	buf_clear(&x);
	buf_clear(&y);
	return same;
}

void
verdict_agent(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	const char *what = NULL;

	if (!str_eq(source->agent_type, target->agent_type))
		what = "agent_type";
	else if (!str_eq(source->prompt, target->prompt))
		what = "system prompt";
	else if (!same_text(source->description, target->description))
		what = "description";
	else if (!holds_all(source->tags, target->tags) ||
	    !holds_all(target->tags, source->tags))
		what = "tags";
	else if (!same_metadata(source->metadata, target->metadata))
		what = "metadata";
	if (what)
		verdict_add(v, "agent", VERDICT_DIFFERENT, 1, 1, "%s", what);
	else
		verdict_add(v, "agent", VERDICT_SAME, 1, 1, NULL);
}
