#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stop.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/census.h"
#include "flow/server.h"
#include "io/hash.h"
#include "io/journal.h"

/* A digest in hexadecimal digits, and NUL. */
#define DIGEST_TEXT (2 * HASH_SIZE + 1)

#define KEYS_MAX 10

/* What of a thing is the operator's, and not changed by mere use. */
static const struct kind {
	const char *word;
	/*
	 * Things of one page.  An agent comes with the source of all its tools,
	 * so few of them.  Of the others as many as fit: behind a page 0.16.2
	 * leaves out what was made in the same instant as its last one (seen
	 * in its source).
	 */
	unsigned int page;
	const char *keys[KEYS_MAX + 1];
} kinds[] = {
	{ "agents", 25, { "name", "agent_type", "description" } },
	{ "blocks", 10000, { "label", "value", "limit", "read_only",
	    "description" } },
	{ "tools", 1000, { "name", "source_code", "description",
	    "tool_type", "json_schema", "return_char_limit",
	    "pip_requirements", "npm_requirements",
	    "default_requires_approval" } },
	{ "archives", 10000, { "name", "description" } },
	{ "identities", 10000, { "identifier_key", "name", "identity_type" } },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static char *
scope_of(const struct server *server, const char *when, const char *kind)
{
	return mem_printf("census/%s/%s/%s", server->name, when, kind);
}

/* Null, an empty list and false mean the same here. */
static bool
is_nothing(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_NULL ||
	    (jdoc_type(value) == JDOC_ARRAY && jdoc_len(value) == 0) ||
	    (jdoc_type(value) == JDOC_BOOL && !jdoc_bool(value));
}

static int
digest_of(const struct kind *kind, const struct jdoc *thing,
    struct hash *hash, char text[static DIGEST_TEXT], struct err *err)
{
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	for (size_t i = 0; kind->keys[i]; i++) {
		if (!is_nothing(jdoc_get(thing, kind->keys[i])))
			jdoc_write_canonical(jdoc_get(thing, kind->keys[i]),
			    &body);
		buf_char(&body, '\n');
	}
	rc = buf_check(&body, kind->word, err);
	if (rc == 0) {
		hash_add(hash, body.data, body.len);
		rc = hash_end_hex(hash, text, err);
	}
	buf_clear(&body);
	return rc;
}

/* A page under way into the journal. */
struct page {
	const struct kind *kind;
	const char *scope;
	struct journal *journal;
	struct hash *hash;
	char last_id[LETTA_ID_SIZE];
	size_t added;
};

static int
add(struct page *page, const struct jdoc *thing, struct err *err)
{
	const char *id = jdoc_get_str(thing, "id");
	char text[DIGEST_TEXT];
	bool added;

	if (!id || strlen(id) >= LETTA_ID_SIZE)
		return err_set(err, ERR_DATA, "list of %s: one without a "
		    "proper id", page->kind->word);
	(void)snprintf(page->last_id, LETTA_ID_SIZE, "%s", id);
	if (digest_of(page->kind, thing, page->hash, text, err) != 0 ||
	    journal_row_add(page->journal, page->scope, id, text,
	    strlen(text), &added, err) != 0)
		return -1;
	page->added += added;
	return 0;
}

static int
read_page(struct server *server, struct page *page, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *list = NULL;
	int rc;

	letta_path_list(&path, page->kind->word, page->last_id,
	    page->kind->page);
	page->added = 0;
	rc = server_get_doc(server, buf_cstr(&path), page->kind->word, &list,
	    err);
	for (size_t i = 0; rc == 0 && i < jdoc_len(list); i++)
		rc = add(page, jdoc_at(list, i), err);
	jdoc_free(list);
	buf_clear(&path);
	return rc;
}

/* Until a page brings nothing new. */
static int
take_kind(struct server *server, const struct kind *kind, const char *scope,
    struct journal *journal, struct hash *hash, struct err *err)
{
	struct page page = {
		.kind = kind, .scope = scope, .journal = journal,
		.hash = hash,
	};
	int rc;

	rc = journal_scope_drop(journal, scope, err);
	do {
		if (rc == 0)
			rc = stop_check(err);
		if (rc == 0)
			rc = journal_page_begin(journal, err);
		if (rc != 0)
			break;
		rc = read_page(server, &page, err);
		if (rc != 0)
			journal_page_abort(journal);
		else
			rc = journal_page_commit(journal, scope,
			    page.last_id, page.added == 0, err);
	} while (rc == 0 && page.added > 0);
	return rc;
}

int
census_take(struct server *server, const char *when, struct journal *journal,
    struct err *err)
{
	struct hash *hash = hash_new(err);
	char *scope;
	int rc = hash ? 0 : -1;

	for (size_t i = 0; i < N_KINDS && rc == 0; i++) {
		scope = scope_of(server, when, kinds[i].word);
		rc = take_kind(server, &kinds[i], scope, journal, hash, err);
		free(scope);
	}
	hash_free(hash);
	return rc == 0 ? 0 : err_ctx(err, "%s: list what it holds",
	    server->name);
}

/* Two listings of one kind, and who hears of what differs. */
struct pair {
	const char *word;
	int (*each)(void *ctx, const char *kind, const char *id,
	    enum census_change, struct err *);
	void *ctx;
};

/* Whatever has no like, or another one, in the other scope. */
static int
look_up(const struct pair *pair, struct journal *journal, const char *scope,
    const char *other, bool is_first, struct err *err)
{
	struct journal_rows *rows = NULL;
	struct journal_row row;
	char *body;
	int more = 0, rc;

	rc = journal_rows_open(journal, scope, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		rc = journal_row_get(journal, other, row.id, &body, err);
		if (rc == 0 && !body)
			rc = pair->each(pair->ctx, pair->word, row.id,
			    is_first ? CENSUS_GONE : CENSUS_NEW, err);
		else if (rc == 0 && is_first && !str_eq(body, row.body))
			rc = pair->each(pair->ctx, pair->word, row.id,
			    CENSUS_CHANGED, err);
		free(body);
	}
	journal_rows_close(rows);
	return rc == 0 && more == 0 ? 0 : -1;
}

int
census_compare(const struct server *server, struct journal *journal,
    const char *first, const char *second,
    int (*each)(void *ctx, const char *kind, const char *id,
    enum census_change, struct err *), void *ctx, uint64_t *counted,
    struct err *err)
{
	struct pair pair = { .each = each, .ctx = ctx };
	uint64_t rows, all = 0;
	char *a, *b;
	int rc = 0;

	for (size_t i = 0; i < N_KINDS && rc == 0; i++) {
		pair.word = kinds[i].word;
		a = scope_of(server, first, pair.word);
		b = scope_of(server, second, pair.word);
		rc = journal_count(journal, a, &rows, err);
		all += rows;
		if (rc == 0)
			rc = look_up(&pair, journal, a, b, true, err);
		if (rc == 0)
			rc = look_up(&pair, journal, b, a, false, err);
		free(a);
		free(b);
	}
	if (counted)
		*counted = all;
	return rc;
}

int
census_drop(const struct server *server, const char *when,
    struct journal *journal, struct err *err)
{
	char *scope;
	int rc = 0;

	for (size_t i = 0; i < N_KINDS && rc == 0; i++) {
		scope = scope_of(server, when, kinds[i].word);
		rc = journal_scope_drop(journal, scope, err);
		free(scope);
	}
	return rc;
}
