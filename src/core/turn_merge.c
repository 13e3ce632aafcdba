#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
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

static int
emit(struct turn_merge *m, const char *id, const struct jdoc *row,
    struct err *err)
{
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	jdoc_write(row, &body);
	rc = buf_check(&body, id, err);
	if (rc == 0 && m->each(m->ctx, id, body.data, body.len, err) != 0)
		rc = -1;
	buf_clear(&body);
	return rc;
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
	jdoc_free(m->held);
	m->held = NULL;
	m->collapsed++;
}

int
turn_merge_flush(struct turn_merge *m, struct err *err)
{
	struct jdoc *row = m->held;
	int rc;

	if (!row)
		return 0;
	m->held = NULL;
	rc = emit(m, m->held_id, row, err);
	jdoc_free(row);
	return rc;
}

static int
push_row(struct turn_merge *m, const char *id, struct jdoc *row,
    bool *kept, struct err *err)
{
	*kept = false;
	if (m->held && belong_together(m->held, row)) {
		put_together(m, row);
		return emit(m, id, row, err);
	}
	if (turn_merge_flush(m, err) != 0)
		return -1;
	if (!is_only_reasoning(row))
		return emit(m, id, row, err);
	if (strlen(id) >= sizeof(m->held_id))
		return err_set(err, ERR_DATA, "id of %zu bytes", strlen(id));
	memcpy(m->held_id, id, strlen(id) + 1);
	m->held = row;
	*kept = true;
	return 0;
}

int
turn_merge_push(struct turn_merge *m, const char *id, const char *body,
    size_t len, struct err *err)
{
	static const char word[] = "reasoning";
	struct jdoc *row;
	bool kept;
	int rc;

	/* Most rows can neither begin nor end a pair: not even parsed. */
	if (!m->held && !memmem(body, len, word, strlen(word)))
		return m->each(m->ctx, id, body, len, err);
	row = jdoc_parse(body, len, err);
	if (!row)
		return err_ctx(err, "staged row");
	rc = push_row(m, id, row, &kept, err);
	if (!kept)
		jdoc_free(row);
	return rc;
}

void
turn_merge_clear(struct turn_merge *m)
{
	if (!m)
		return;
	jdoc_free(m->held);
	m->held = NULL;
}
