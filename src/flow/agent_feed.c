#include "base/base.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/turn.h"
#include "flow/agent_feed.h"
#include "io/journal.h"

/*
 * A push gives two rows at most: the one that was held back, when the next
 * does not belong to it, and that next one.
 */
#define READY_MAX 2

struct ready {
	char id[LETTA_ID_SIZE];
	struct af_row row;
};

struct agent_feed {
	struct agent_feed_source source;
	struct journal_rows *rows;
	struct journal_row staged;	/* the last one of them */
	struct turn_merge merge;
	struct af_convert convert;
	bool converting;
	bool ended;		/* rows has given its last */
	size_t n_ready;		/* rows that wait to be pulled */
	size_t n_pulled;	/* of them */
	struct ready ready[READY_MAX];
};

/* What is done to a row is told before the row is handed on. */
static int
tell(struct agent_feed *feed, const char *id, const struct jdoc *doc,
    unsigned int changes, struct err *err)
{
	if (changes == 0 || !feed->source.changed)
		return 0;
	return feed->source.changed(feed->source.ctx, id,
	    jdoc_get_str(doc, "merged_id"), changes, err);
}

/* The end of the pipeline: a row that is ready to be pulled. */
static int
take(void *ctx, const char *id, struct jdoc *doc, unsigned int changes,
    struct err *err)
{
	struct agent_feed *feed = ctx;
	struct ready *ready;

	assert(feed->n_ready < READY_MAX);
	ready = &feed->ready[feed->n_ready++];
	(void)snprintf(ready->id, sizeof(ready->id), "%s", id);
	ready->row = (struct af_row){
		.id = ready->id, .doc = doc, .changes = changes,
		.listed = true,
	};
	/* A row that was held back is not the staged one of now. */
	if (id == feed->staged.id) {
		ready->row.text = feed->staged.body;
		ready->row.text_len = feed->staged.body_len;
	}
	if (!feed->converting)
		return 0;
	if (af_row_convert(&feed->convert, &ready->row, err) != 0)
		return err_ctx(err, "row %s", id);
	if (ready->row.changes != 0)
		ready->row.text = NULL;
	return tell(feed, id, doc, ready->row.changes, err);
}

int
agent_feed_open(const struct agent_feed_source *source,
    struct agent_feed **out, struct err *err)
{
	struct agent_feed *feed = mem_zero(1, sizeof(*feed));

	feed->source = *source;
	feed->merge.each = take;
	feed->merge.ctx = feed;
	if (source->rules) {
		feed->converting = true;
		feed->convert.rules = *source->rules;
		feed->source.rules = NULL;
	}
	if (journal_rows_open(source->journal, source->scope, false,
	    &feed->rows, err) != 0) {
		agent_feed_close(feed);
		return -1;
	}
	feed->source.scope = NULL;
	*out = feed;
	return 0;
}

static void
drop_ready(struct agent_feed *feed)
{
	for (size_t i = 0; i < feed->n_ready; i++)
		jdoc_free(feed->ready[i].row.doc);
	feed->n_pulled = feed->n_ready = 0;
}

void
agent_feed_close(struct agent_feed *feed)
{
	if (!feed)
		return;
	journal_rows_close(feed->rows);
	turn_merge_clear(&feed->merge);
	af_convert_clear(&feed->convert);
	drop_ready(feed);
	free(feed);
}

/* A staged row into the pipeline, which owns doc. */
static int
push(struct agent_feed *feed, const char *id, struct jdoc *doc,
    unsigned int changes, struct err *err)
{
	if (!feed->converting)
		return take(feed, id, doc, changes, err);
	if (!af_row_is_dropped(doc))
		return turn_merge_push(&feed->merge, id, doc, changes, err);
	jdoc_free(doc);
	feed->convert.counts[AF_CHANGE_DROPPED]++;
	return tell(feed, id, NULL, AF_CHANGE_BIT(AF_CHANGE_DROPPED), err);
}

static int
pull_staged(struct agent_feed *feed, struct err *err)
{
	struct journal_row *row = &feed->staged;
	struct jdoc *doc;
	int more;

	more = journal_rows_next(feed->rows, row, err);
	if (more < 0)
		return -1;
	feed->ended = more == 0;
	if (more == 0) {
		feed->staged = (struct journal_row){ 0 };
		return turn_merge_flush(&feed->merge, err);
	}
	if (feed->source.unparsed)
		return take(feed, row->id, NULL, 0, err);
	doc = jdoc_parse(row->body, row->body_len, err);
	if (!doc)
		return err_ctx(err, "staged row %s", row->id);
	return push(feed, row->id, doc, feed->converting ?
	    af_row_look(row->body, row->body_len) : 0, err);
}

int
agent_feed_next(void *ctx, struct af_row *row, struct err *err)
{
	struct agent_feed *feed = ctx;

	if (feed->n_pulled == feed->n_ready)
		drop_ready(feed);
	while (feed->n_ready == 0 && !feed->ended) {
		if (pull_staged(feed, err) != 0)
			return -1;
	}
	if (feed->n_ready == 0)
		return 0;
	*row = feed->ready[feed->n_pulled++].row;
	return 1;
}

const uint64_t *
agent_feed_changes(const struct agent_feed *feed)
{
	return feed->convert.counts;
}

int
agent_feed_count(const struct agent_feed_source *source, uint64_t *rows,
    uint64_t *listed, struct err *err)
{
	struct agent_feed *feed = NULL;
	struct af_row row;
	int more;

	*rows = 0;
	if (listed)
		*listed = 0;
	if (agent_feed_open(source, &feed, err) != 0)
		return -1;
	do {
		more = agent_feed_next(feed, &row, err);
		*rows += more > 0;
		if (listed)
			*listed += more > 0 && row.listed;
	} while (more > 0);
	agent_feed_close(feed);
	return more;
}
