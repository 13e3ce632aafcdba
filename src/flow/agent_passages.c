#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/letta_memory.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_page.h"
#include "flow/agent_passages.h"
#include "flow/agent_rejects.h"
#include "flow/server.h"
#include "io/journal.h"

#define CHECK "archival passages"

/*
 * Whether the newest passage of an agent is staged, or there is none; newest,
 * when not NULL, gets its id.
 */
static int
has_newest(const struct agent_listing *listing, bool *out, char **newest,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *list = NULL;
	char *body = NULL;
	const char *one;
	int rc;

	letta_path_passage_newest(&path, listing->id);
	rc = server_get_doc(listing->server, buf_cstr(&path),
	    "newest passage", &list, err);
	one = jdoc_get_str(jdoc_at(list, 0), "id");
	if (rc == 0 && one)
		rc = journal_row_get(listing->journal, listing->scope, one,
		    &body, err);
	*out = !one || body;
	if (rc == 0 && newest && *out)
		*newest = mem_strdup(one ? one : "");
	free(body);
	jdoc_free(list);
	buf_clear(&path);
	return rc;
}

/*
 * What to do about a newest passage that was not listed: it may have come
 * after the last page, or the listing's cursor has gone.
 */
static const bool begin_anew[] = { false, false, true, false, true };

static int
read_whole(const struct agent_listing *listing, char **newest,
    struct err *err)
{
	const char *server = listing->server->name;
	struct agent_listing_info info;
	bool whole = false;
	int rc = 0;

	for (size_t i = 0; i < sizeof(begin_anew) && rc == 0 && !whole; i++) {
		if (begin_anew[i])
			rc = journal_scope_drop(listing->journal,
			    listing->scope, err);
		if (rc == 0)
			rc = agent_page_all(listing, &info, err);
		if (rc == 0)
			rc = has_newest(listing, &whole, newest, err);
		if (rc == 0 && !whole)
			log_detail("%s: the newest passage of %s was not "
			    "listed", server, listing->id);
	}
	if (rc == 0 && !whole)
		rc = err_set(err, ERR_AGAIN, "%s: the passages of %s change "
		    "while they are listed; run the same command again when "
		    "the agent is idle", server, listing->id);
	return rc;
}

int
agent_passages_read(struct server *server, const char *id,
    const struct conf_agent *agent, const char *side, bool fresh,
    struct journal *journal, struct err *err)
{
	char *scope = agent_scope(side, agent, "passages");
	const struct agent_listing listing = {
		.what = AGENT_PAGE_PASSAGES,
		.server = server,
		.journal = journal,
		.id = id,
		.scope = scope,
	};
	int rc = 0;

	if (fresh)
		rc = journal_scope_drop(journal, scope, err);
	if (rc == 0)
		rc = read_whole(&listing, NULL, err);
	free(scope);
	return rc;
}

int
agent_passages_stage(struct server *server, const char *id,
    const struct conf_agent *agent, unsigned int limit,
    struct journal *journal, char **newest, struct err *err)
{
	char *scope = agent_scope("source", agent, "passages");
	const struct agent_listing listing = {
		.what = AGENT_PAGE_PASSAGES,
		.server = server,
		.journal = journal,
		.id = id,
		.scope = scope,
		.limit = limit,
	};
	int rc = read_whole(&listing, newest, err);

	free(scope);
	return rc;
}

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

/* Of the source's passages that the target lacks: which it refused. */
struct judging {
	const struct conf_agent *agent;
	struct journal *journal;
	uint64_t rejected;
};

static int
count_rejected(void *ctx, const struct journal_row *row, bool at_source,
    struct err *err)
{
	struct judging *judging = ctx;
	bool is_reject = false;

	if (at_source && agent_rejects_has(judging->agent, judging->journal,
	    row->id, &is_reject, err) != 0)
		return -1;
	judging->rejected += is_reject;
	return 0;
}

/* Rejects alone keep the sides apart. */
static void
add_rejected(struct verdict *verdict, const struct judging *judging,
    const struct agent_passages_diff *diff)
{
	char *path = agent_rejects_path(judging->agent, judging->journal);

	if (judging->agent->rejects == CONF_REJECTS_ACCEPT) {
		verdict_add(verdict, CHECK, VERDICT_SAME,
		    diff->source - judging->rejected, diff->target, NULL);
		verdict_add(verdict, "rejected passages",
		    VERDICT_NOT_COMPARED, judging->rejected, 0,
		    "refused by the target and left out, as the job file "
		    "accepts: see %s", path);
	} else {
		verdict_add(verdict, CHECK, VERDICT_DIFFERENT, diff->source,
		    diff->target, "%" PRIu64 " rejected by the target, see "
		    "%s; `rejects = accept' in the job file goes on without "
		    "them", judging->rejected, path);
	}
	free(path);
}

static void
add_others(struct verdict *verdict, const struct judging *judging,
    const struct agent_passages_diff *diff, enum agent_since since)
{
	const uint64_t more = since == AGENT_SINCE_TARGET ?
	    diff->only_target : since == AGENT_SINCE_SOURCE ?
	    diff->only_source : 0;

	if (diff->twice > 0)
		verdict_add(verdict, CHECK, VERDICT_DIFFERENT, diff->source,
		    diff->target, "%" PRIu64 " of the source's are on the "
		    "target once too often", diff->twice);
	else if (diff->only_source + diff->only_target > more)
		verdict_add(verdict, CHECK, VERDICT_DIFFERENT, diff->source,
		    diff->target, "%" PRIu64 " only at the source (%" PRIu64
		    " rejected), %" PRIu64 " only on the target",
		    diff->only_source, judging->rejected, diff->only_target);
	else if (more > 0)
		verdict_add(verdict, CHECK, VERDICT_SAME, diff->source,
		    diff->target, "%" PRIu64 " %s", more,
		    since == AGENT_SINCE_TARGET ? "on the target are of "
		    "after the move" : "of the source were written since");
	else
		verdict_add(verdict, CHECK, VERDICT_SAME, diff->source,
		    diff->target, NULL);
}

int
agent_passages_judge(const struct conf_agent *agent, struct journal *journal,
    enum agent_since since, struct verdict *verdict, struct err *err)
{
	struct judging judging = { .agent = agent, .journal = journal };
	struct agent_passages_diff diff;

	if (agent_passages_compare(journal, agent, count_rejected, &judging,
	    &diff, err) != 0)
		return -1;
	if (diff.twice == 0 && diff.only_source > 0 &&
	    diff.only_source == judging.rejected &&
	    (since == AGENT_SINCE_TARGET || diff.only_target == 0))
		add_rejected(verdict, &judging, &diff);
	else
		add_others(verdict, &judging, &diff, since);
	return 0;
}
