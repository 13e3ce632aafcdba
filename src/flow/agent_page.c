#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "core/turn.h"
#include "core/verdict_row.h"
#include "flow/agent_page.h"
#include "flow/server.h"
#include "io/journal.h"

/* Pages in a row that hold nothing new, and times a listing is begun anew. */
#define REPEATS_MAX 3
#define RESTARTS_MAX 3

/* How much smaller a page is asked for after one that failed. */
#define SHRINK 4

/* Different rows that one id may stand for. */
#define DOUBLES_MAX 9

static const struct kind {
	const char *word;
	/*
	 * Rows of one page: of messages 1000 to 5000 are fastest (0.16.2,
	 * measured); a passage carries 25 kB of embedding.
	 */
	unsigned int limit;
} kinds[] = {
	[AGENT_PAGE_MESSAGES] = { "messages", 1000 },
	[AGENT_PAGE_CONVERSATIONS] = { "conversations", 100 },
	[AGENT_PAGE_PASSAGES] = { "passages", 100 },
};

/* One page that came, as far as its rows go. */
struct page {
	const struct agent_listing *listing;
	struct agent_listing_info *info;
	const char *cursor;
	size_t items;
	size_t rows, added;
	char first_id[LETTA_ID_SIZE], last_id[LETTA_ID_SIZE];
};

static bool
is_backward(const struct agent_listing *listing)
{
	return listing->what == AGENT_PAGE_MESSAGES &&
	    listing->server->caps.backward;
}

static unsigned int
page_limit(const struct agent_listing *listing)
{
	return listing->limit ? listing->limit : kinds[listing->what].limit;
}

/* The canonical text of a body; "" when it has none. */
static void
canonical(const char *body, size_t len, struct buf *out)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc = jdoc_parse(body, len, &ignored);

	if (!doc || verdict_row_canonical(doc, out, &ignored) != 0)
		buf_truncate(out, 0);
	jdoc_free(doc);
}

/*
 * Whether two bodies are of one row: what is staged may have been put in its
 * place from an export since, and then holds more.
 */
static bool
is_same(const char *there, const char *body, size_t len)
{
	struct buf a = BUF_INIT(LETTA_ANSWER_MAX);
	struct buf b = BUF_INIT(LETTA_ANSWER_MAX);
	bool same;

	if (strlen(there) == len && memcmp(there, body, len) == 0)
		return true;
	canonical(there, strlen(there), &a);
	canonical(body, len, &b);
	same = a.len > 0 && str_eq(buf_cstr(&a), buf_cstr(&b));
	buf_clear(&a);
	buf_clear(&b);
	return same;
}

/*
 * A row whose id the scope has: the same row once more, or another one, which
 * is kept under an id of its own.
 */
static int
add_known(struct page *page, const char *id, const char *body, size_t len,
    struct err *err)
{
	const struct agent_listing *listing = page->listing;
	char own[LETTA_ID_SIZE + 16], *there = NULL;
	bool same, added;

	(void)snprintf(own, sizeof(own), "%s", id);
	for (int n = 2;; n++) {
		if (journal_row_get(listing->journal, listing->scope, own,
		    &there, err) != 0)
			return -1;
		if (!there)
			break;
		same = is_same(there, body, len);
		free(there);
		if (same)
			return 0;
		if (n > DOUBLES_MAX)
			return err_set(err, ERR_DATA, "more than %d rows have "
			    "the id %s", DOUBLES_MAX, id);
		(void)snprintf(own, sizeof(own), "%.*s~%d",
		    LETTA_ID_SIZE, id, n);
	}
	if (journal_row_add(listing->journal, listing->scope, own, body, len,
	    &added, err) != 0)
		return -1;
	page->added++;
	page->info->doubled++;
	return 0;
}

static int
add_row(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct page *page = ctx;
	bool added;

	if (page->rows++ == 0)
		(void)snprintf(page->first_id, LETTA_ID_SIZE, "%s", id);
	(void)snprintf(page->last_id, LETTA_ID_SIZE, "%s", id);
	if (journal_row_add(page->listing->journal, page->listing->scope, id,
	    body, len, &added, err) != 0)
		return -1;
	page->added += added;
	return added ? 0 : add_known(page, id, body, len, err);
}

static int
add_messages(struct page *page, const struct buf *answer, struct err *err)
{
	struct turn_page turns = { 0 };
	int rc;

	rc = turn_page(page->listing->agent_type, buf_cstr(answer),
	    answer->len, add_row, page, &turns, err);
	page->items = turns.items;
	return rc;
}

static int
add_passages(struct page *page, const struct buf *answer, struct err *err)
{
	struct letta_passage_page passages = { 0 };
	int rc;

	rc = letta_answer_passages(buf_cstr(answer), answer->len, add_row,
	    page, &passages, err);
	page->items = passages.items;
	return rc;
}

static int
add_conversations(struct page *page, const struct buf *answer,
    struct err *err)
{
	return letta_answer_conversations(buf_cstr(answer), answer->len,
	    add_row, page, &page->items, err);
}

/* Ask for one page and put its rows into the open transaction. */
static int
fetch(struct page *page, unsigned int limit, struct err *err)
{
	const struct agent_listing *listing = page->listing;
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int (*add)(struct page *, const struct buf *, struct err *) = NULL;
	int rc;

	switch (listing->what) {
	case AGENT_PAGE_MESSAGES:
		letta_path_messages(&path, listing->id,
		    listing->conversation, is_backward(listing), page->cursor,
		    limit);
		add = add_messages;
		break;
	case AGENT_PAGE_CONVERSATIONS:
		letta_path_conversations(&path, listing->id, page->cursor,
		    limit);
		add = add_conversations;
		break;
	case AGENT_PAGE_PASSAGES:
		letta_path_passages(&path, listing->id, page->cursor, limit);
		add = add_passages;
		break;
	}
	rc = server_get(listing->server, buf_cstr(&path), &answer, err);
	if (rc == 0)
		rc = add(page, &answer, err);
	buf_clear(&answer);
	buf_clear(&path);
	return rc;
}

/* A reading under way. */
struct reading {
	const struct agent_listing *listing;
	struct agent_listing_info *info;
	char *cursor;
	bool ended;
	unsigned int limit;
	unsigned int repeats;
};

/* Whether a smaller page may do better: this one was too much, or failed. */
static bool
shrink(struct reading *reading, struct err *err)
{
	if ((err->kind != ERR_DATA && err->kind != ERR_FAILED) ||
	    reading->limit == 1) {
		if (reading->limit == 1)
			(void)err_ctx(err, "the row %s %s", is_backward(
			    reading->listing) ? "before" : "after",
			    reading->cursor ? reading->cursor :
			    "the beginning");
		return false;
	}
	log_detail("%s; asking for fewer rows", err->text);
	err_clear(err);
	reading->limit = reading->limit / SHRINK > 0 ?
	    reading->limit / SHRINK : 1;
	return true;
}

/* A page without a row that is new: an end, a hiccup, or a circle. */
static int
met_again(struct reading *reading, const struct page *page, struct err *err)
{
	if (page->rows == 1 && reading->cursor &&
	    str_eq(page->last_id, reading->cursor)) {
		reading->ended = true;
		return 0;
	}
	if (++reading->repeats < REPEATS_MAX)
		return 0;
	return err_set(err, ERR_DATA, "the listing goes in a circle: the "
	    "page %s %s came %d times and holds nothing new",
	    is_backward(reading->listing) ? "before" : "after",
	    reading->cursor ? reading->cursor : "the beginning",
	    REPEATS_MAX);
}

static int
begin(const struct agent_listing *listing, struct err *err)
{
	return is_backward(listing) ?
	    journal_page_begin_front(listing->journal, listing->scope, err) :
	    journal_page_begin(listing->journal, err);
}

/* One page, or one try at it. */
static int
read_page(struct reading *reading, struct err *err)
{
	const struct agent_listing *listing = reading->listing;
	struct page page = {
		.listing = listing, .info = reading->info,
		.cursor = reading->cursor,
	};

	if (stop_check(err) != 0 || begin(listing, err) != 0)
		return -1;
	if (fetch(&page, reading->limit, err) != 0) {
		journal_page_abort(listing->journal);
		return shrink(reading, err) ? 0 : -1;
	}
	if (page.items > 0 && page.added == 0) {
		journal_page_abort(listing->journal);
		if (met_again(reading, &page, err) != 0)
			return -1;
		if (!reading->ended)
			return 0;
		if (journal_page_begin(listing->journal, err) != 0)
			return -1;
	} else {
		reading->repeats = 0;
		reading->ended = page.items == 0;
	}
	if (page.added > 0) {
		free(reading->cursor);
		reading->cursor = mem_strdup(is_backward(listing) ?
		    page.first_id : page.last_id);
	}
	reading->limit = reading->limit * SHRINK < page_limit(listing) ?
	    reading->limit * SHRINK : page_limit(listing);
	return journal_page_commit(listing->journal, listing->scope,
	    reading->cursor ? reading->cursor : "", reading->ended, err);
}

/*
 * None of it can be believed.  The next run is to begin anew: a server may
 * not know the id that this one has ended with.
 */
static int
no_end(const struct agent_listing *listing, struct err *err)
{
	if (journal_scope_drop(listing->journal, listing->scope, err) != 0)
		return -1;
	return err_set(err, ERR_DATA, "more than %d rows: the listing has no "
	    "end", AGENT_PAGE_ROWS_MAX);
}

static int
read_to_end(struct reading *reading, struct err *err)
{
	const struct agent_listing *listing = reading->listing;
	int rc = 0;

	while (rc == 0 && !reading->ended) {
		rc = read_page(reading, err);
		if (rc == 0)
			rc = journal_count(listing->journal, listing->scope,
			    &reading->info->rows, err);
		progress_at(reading->info->rows);
		if (rc == 0 && reading->info->rows > AGENT_PAGE_ROWS_MAX)
			rc = no_end(listing, err);
	}
	return rc;
}

/*
 * The newest row of a listing that was read backwards: what has come since
 * stands before the first page.
 */
static int
is_newest_there(const struct agent_listing *listing, bool *out,
    struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *items = NULL;
	const char *id;
	char *body = NULL;
	int rc;

	letta_path_messages(&path, listing->id, listing->conversation, true,
	    NULL, 1);
	rc = server_get_doc(listing->server, buf_cstr(&path), "newest message",
	    &items, err);
	id = jdoc_get_str(jdoc_at(items, 0), "id");
	if (rc == 0 && id)
		rc = journal_row_get(listing->journal, listing->scope, id,
		    &body, err);
	*out = !id || body;
	free(body);
	jdoc_free(items);
	buf_clear(&path);
	return rc;
}

/* Until the newest row is there as well. */
static int
read_backwards(struct reading *reading, struct err *err)
{
	const struct agent_listing *listing = reading->listing;
	bool whole = false;
	int rc;

	for (int i = 0; i < RESTARTS_MAX; i++) {
		rc = read_to_end(reading, err);
		if (rc == 0)
			rc = is_newest_there(listing, &whole, err);
		if (rc != 0 || whole)
			return rc;
		free(reading->cursor);
		reading->cursor = NULL;
		reading->ended = false;
		if (journal_scope_drop(listing->journal, listing->scope,
		    err) != 0)
			return -1;
	}
	return err_set(err, ERR_AGAIN, "new messages came while it was read, "
	    "%d times; let the agent rest, then run the same command again",
	    RESTARTS_MAX);
}

int
agent_page_all(const struct agent_listing *listing,
    struct agent_listing_info *info, struct err *err)
{
	const char *word = kinds[listing->what].word;
	struct reading reading = {
		.listing = listing, .info = info,
		.limit = page_limit(listing),
	};
	int rc;

	*info = (struct agent_listing_info){ 0 };
	progress_begin(listing->scope, word, 0);
	rc = journal_cursor(listing->journal, listing->scope, &reading.cursor,
	    &reading.ended, err);
	if (rc == 0 && is_backward(listing)) {
		rc = read_backwards(&reading, err);
	} else if (rc == 0) {
		reading.ended = false;
		rc = read_to_end(&reading, err);
	}
	if (rc == 0)
		rc = journal_count(listing->journal, listing->scope,
		    &info->rows, err);
	progress_end();
	free(reading.cursor);
	return rc == 0 ? 0 : err_ctx(err, "%s of %s", word, listing->id);
}
