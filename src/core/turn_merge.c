#include "base/base.h"

#include "base/err.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/jdoc.h"
#include "core/turn.h"

static bool
is_assistant(const struct jdoc *row)
{
	const char *role = jdoc_get_str(row, "role");

	return role && str_eq(role, "assistant");
}

static bool
is_reasoning(const struct jdoc *part)
{
	const char *type = jdoc_get_str(part, "type");

	return type && str_ends(type, "reasoning");
}

static bool
is_only_reasoning(const struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content");
	size_t i;

	if (!is_assistant(row) || jdoc_len(content) == 0 ||
	    jdoc_len(jdoc_get(row, "tool_calls")) > 0)
		return false;
	for (i = 0; i < jdoc_len(content); i++) {
		if (!is_reasoning(jdoc_at(content, i)))
			return false;
	}
	return true;
}

/* Both say so and say different things. */
static bool
differ(const struct jdoc *a, const struct jdoc *b, const char *key)
{
	const char *x = jdoc_get_str(a, key), *y = jdoc_get_str(b, key);

	return x && y && !str_eq(x, y);
}

static bool
belong_together(const struct jdoc *reasoning, const struct jdoc *row)
{
	return is_assistant(row) && !is_only_reasoning(row) &&
	    (jdoc_len(jdoc_get(row, "content")) > 0 ||
	    jdoc_len(jdoc_get(row, "tool_calls")) > 0) &&
	    !differ(reasoning, row, "step_id") &&
	    !differ(reasoning, row, "run_id") &&
	    !differ(reasoning, row, "name") &&
	    !differ(reasoning, row, "sender_id");
}

/* row becomes [reasoning..., its own parts...]. */
static void
put_together(struct turn_merge *m, struct jdoc *row)
{
	struct jdoc *content = jdoc_new_array();
	const struct jdoc *first = jdoc_get(m->held, "content");
	const struct jdoc *second = jdoc_get(row, "content");
	size_t i;

	for (i = 0; i < jdoc_len(first); i++)
		jdoc_push(content, jdoc_copy(jdoc_at(first, i)));
	for (i = 0; i < jdoc_len(second); i++)
		jdoc_push(content, jdoc_copy(jdoc_at(second, i)));
	jdoc_set(row, "content", content);
	jdoc_set_str(row, "merged_id", m->held_id);
	turn_merge_clear(m);
}

int
turn_merge_flush(struct turn_merge *m, struct err *err)
{
	struct jdoc *row = m->held;

	if (!row)
		return 0;
	m->held = NULL;
	return m->each(m->ctx, m->held_id, row, m->held_changes, err);
}

static int
hold(struct turn_merge *m, const char *id, struct jdoc *take,
    unsigned int changes, struct err *err)
{
	if (strlen(id) >= sizeof(m->held_id)) {
		jdoc_free(take);
		return err_set(err, ERR_DATA, "id of %zu bytes", strlen(id));
	}
	memcpy(m->held_id, id, strlen(id) + 1);
	m->held = take;
	m->held_changes = changes;
	return 0;
}

int
turn_merge_push(struct turn_merge *m, const char *id, struct jdoc *take,
    unsigned int changes, struct err *err)
{
	if (m->held && belong_together(m->held, take)) {
		changes |= m->held_changes | AF_CHANGE_BIT(AF_CHANGE_MERGED);
		put_together(m, take);
		return m->each(m->ctx, id, take, changes, err);
	}
	if (turn_merge_flush(m, err) != 0) {
		jdoc_free(take);
		return -1;
	}
	if (is_only_reasoning(take))
		return hold(m, id, take, changes, err);
	return m->each(m->ctx, id, take, changes, err);
}

void
turn_merge_clear(struct turn_merge *m)
{
	if (!m)
		return;
	jdoc_free(m->held);
	m->held = NULL;
}
