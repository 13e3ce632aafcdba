#include "base/base.h"

#include "base/buf.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_passages.h"
#include "io/journal.h"

/* The source's passage before, to know a surplus of the same text. */
static void
keep_last(struct buf *last, const struct journal_row *row)
{
	buf_truncate(last, 0);
	buf_add(last, row->body, row->body_len);
}

static bool
is_last(const struct buf *last, const struct journal_row *row)
{
	return last->len == row->body_len && last->len > 0 &&
	    memcmp(last->data, row->body, last->len) == 0;
}

static int
walk(struct journal_rows *source, struct journal_rows *target,
    struct buf *last,
    int (*each)(void *ctx, const struct journal_row *, bool at_source,
    struct err *), void *ctx, struct agent_passages_diff *diff,
    struct err *err)
{
	struct journal_row a, b;
	int has_a, has_b, order;

	has_a = journal_rows_next(source, &a, err);
	has_b = journal_rows_next(target, &b, err);
	while (has_a > 0 || has_b > 0) {
		if (has_a < 0 || has_b < 0)
			return -1;
		order = !has_a ? 1 : !has_b ? -1 : journal_row_order(&a, &b);
		diff->only_source += order < 0;
		diff->only_target += order > 0;
		diff->twice += order > 0 && is_last(last, &b);
		if (order <= 0)
			keep_last(last, &a);
		diff->source += order <= 0;
		diff->target += order >= 0;
		if (order != 0 && each && each(ctx, order < 0 ? &a : &b,
		    order < 0, err) != 0)
			return -1;
		if (order <= 0)
			has_a = journal_rows_next(source, &a, err);
		if (order >= 0)
			has_b = journal_rows_next(target, &b, err);
	}
	return has_a < 0 || has_b < 0 ? -1 : 0;
}

int
agent_passages_compare(struct journal *journal,
    const struct conf_agent *agent,
    int (*each)(void *ctx, const struct journal_row *, bool at_source,
    struct err *), void *ctx, struct agent_passages_diff *diff,
    struct err *err)
{
	char *from = agent_scope("source", agent, "passages");
	char *to = agent_scope("target", agent, "passages");
	struct journal_rows *source = NULL, *target = NULL;
	struct buf last = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	*diff = (struct agent_passages_diff){ 0 };
	rc = journal_rows_open(journal, from, true, &source, err);
	if (rc == 0)
		rc = journal_rows_open(journal, to, true, &target, err);
	if (rc == 0)
		rc = walk(source, target, &last, each, ctx, diff, err);
	journal_rows_close(source);
	journal_rows_close(target);
	buf_clear(&last);
	free(from);
	free(to);
	return rc;
}
