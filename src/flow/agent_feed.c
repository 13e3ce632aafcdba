#include "base/base.h"

#include <assert.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/turn.h"
#include "flow/agent_feed.h"
#include "io/journal.h"

/*
 * A push gives two rows at most: the one that was held back, when the next
 * does not belong to it, and that next one.
 */
#define READY_MAX 2

struct agent_feed {
	struct journal_rows *rows;
	struct turn_merge merge;
	bool merging;
	bool ended;		/* rows has given its last */
	size_t n_ready;		/* rows that wait to be pulled */
	size_t n_pulled;	/* of them */
	struct {
		char id[LETTA_ID_SIZE];
		struct buf body;
	} ready[READY_MAX];
};

static int
take(void *ctx, const char *id, const char *body, size_t len, struct err *err)
{
	struct agent_feed *feed = ctx;
	struct buf *into;

	assert(feed->n_ready < READY_MAX);
	into = &feed->ready[feed->n_ready].body;
	(void)snprintf(feed->ready[feed->n_ready].id, LETTA_ID_SIZE, "%s",
	    id);
	buf_truncate(into, 0);
	buf_add(into, body, len);
	feed->n_ready++;
	return buf_check(into, id, err);
}

int
agent_feed_open(struct journal *journal, const char *scope, bool merge,
    struct agent_feed **out, struct err *err)
{
	struct agent_feed *feed = mem_zero(1, sizeof(*feed));

	feed->merging = merge;
	feed->merge.each = take;
	feed->merge.ctx = feed;
	for (size_t i = 0; i < READY_MAX; i++)
		buf_init(&feed->ready[i].body, LETTA_ANSWER_MAX);
	if (journal_rows_open(journal, scope, false, &feed->rows, err) != 0) {
		agent_feed_close(feed);
		return -1;
	}
	*out = feed;
	return 0;
}

void
agent_feed_close(struct agent_feed *feed)
{
	if (!feed)
		return;
	journal_rows_close(feed->rows);
	turn_merge_clear(&feed->merge);
	for (size_t i = 0; i < READY_MAX; i++)
		buf_clear(&feed->ready[i].body);
	free(feed);
}

/* Hand a staged row on, or tell of the end (NULL). */
static int
give(struct agent_feed *feed, const struct journal_row *row, struct err *err)
{
	if (!row)
		return turn_merge_flush(&feed->merge, err);
	if (feed->merging)
		return turn_merge_push(&feed->merge, row->id, row->body,
		    row->body_len, err);
	return take(feed, row->id, row->body, row->body_len, err);
}

int
agent_feed_next(void *ctx, const char **id, const char **body, size_t *len,
    struct err *err)
{
	struct agent_feed *feed = ctx;
	struct journal_row row;
	int more;

	if (feed->n_pulled == feed->n_ready)
		feed->n_pulled = feed->n_ready = 0;
	while (feed->n_ready == 0 && !feed->ended) {
		more = journal_rows_next(feed->rows, &row, err);
		if (more < 0)
			return -1;
		feed->ended = more == 0;
		if (give(feed, more ? &row : NULL, err) != 0)
			return -1;
	}
	if (feed->n_ready == 0)
		return 0;
	*id = feed->ready[feed->n_pulled].id;
	*body = buf_cstr(&feed->ready[feed->n_pulled].body);
	*len = feed->ready[feed->n_pulled].body.len;
	feed->n_pulled++;
	return 1;
}

uint64_t
agent_feed_collapsed(const struct agent_feed *feed)
{
	return feed->merge.collapsed;
}

int
agent_feed_count(struct journal *journal, const char *scope, bool merge,
    uint64_t *rows, struct err *err)
{
	struct agent_feed *feed = NULL;
	const char *id, *body;
	size_t len;
	int more;

	*rows = 0;
	if (agent_feed_open(journal, scope, merge, &feed, err) != 0)
		return -1;
	do {
		more = agent_feed_next(feed, &id, &body, &len, err);
		*rows += more > 0;
	} while (more > 0);
	agent_feed_close(feed);
	return more;
}
