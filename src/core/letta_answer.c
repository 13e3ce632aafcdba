#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta_answer.h"
#include "core/shown.h"
#include "core/stamp.h"

#define DETAIL_MAX 300
/* Of one passage: 8192 tokens, and tags. */
#define PASSAGE_MAX (16 * 1024 * 1024)
#define TAGS_MAX 10000

static int
copy_id(char out[static LETTA_ID_SIZE], const char *id, const char *where,
    struct err *err)
{
	if (!id || !*id)
		return err_set(err, ERR_DATA, "%s: no id", where);
	if (strlen(id) >= LETTA_ID_SIZE)
		return err_set(err, ERR_DATA, "%s: id of %zu bytes", where,
		    strlen(id));
	memcpy(out, id, strlen(id) + 1);
	return 0;
}

/* Text of a server's complaint, without what we had sent it. */
static void
show(struct buf *out, const char *text, size_t len, size_t max_bytes,
    const struct secret *hidden)
{
	char *own = mem_strndup(text, len);
	size_t n = strlen(own);

	secret_hide(hidden, own, n);
	shown_text(out, own, n, max_bytes);
	free(own);
}

/* ["body","created_at"] as "body.created_at: " */
static void
write_location(const struct jdoc *loc, const struct secret *hidden,
    struct buf *out)
{
	const char *word;
	size_t i;

	for (i = 0; i < jdoc_len(loc) && i < 16; i++) {
		if (i > 0)
			buf_char(out, '.');
		word = jdoc_str(jdoc_at(loc, i));
		if (word)
			show(out, word, strlen(word), 40, hidden);
		else
			buf_printf(out, "%" PRId64,
			    jdoc_int(jdoc_at(loc, i)));
	}
	if (i > 0)
		buf_str(out, ": ");
}

/* One entry of a 422's list. */
static void
write_complaint(const struct jdoc *item, const struct secret *hidden,
    struct buf *out)
{
	const struct jdoc *msg = jdoc_get(item, "msg");

	if (jdoc_str(msg)) {
		write_location(jdoc_get(item, "loc"), hidden, out);
		show(out, jdoc_str(msg), jdoc_str_len(msg), DETAIL_MAX,
		    hidden);
	} else if (jdoc_str(item)) {
		show(out, jdoc_str(item), jdoc_str_len(item), DETAIL_MAX,
		    hidden);
	}
}

static void
write_detail(const struct jdoc *detail, const struct secret *hidden,
    struct buf *out)
{
	size_t i;

	if (jdoc_type(detail) != JDOC_ARRAY) {
		write_complaint(detail, hidden, out);
		return;
	}
	for (i = 0; i < jdoc_len(detail) && out->len < DETAIL_MAX; i++) {
		if (i > 0)
			buf_str(out, "; ");
		write_complaint(jdoc_at(detail, i), hidden, out);
	}
}

void
letta_answer_detail(const char *body, size_t len, const struct secret *hidden,
    struct buf *out)
{
	struct err ignored = ERR_INIT;
	struct jdoc *doc = jdoc_parse(body, len, &ignored);
	struct buf line = BUF_INIT(8 * 1024);
	const struct jdoc *detail = jdoc_get(doc, "detail");

	/* Some handlers answer {"error": {"detail"|"message": "..."}}. */
	if (!detail)
		detail = jdoc_get(jdoc_get(doc, "error"), "detail");
	if (!detail)
		detail = jdoc_get(jdoc_get(doc, "error"), "message");
	write_detail(detail, hidden, &line);
	/* Undecoded, what is hidden could be written in many ways. */
	if (line.len == 0 && hidden && memchr(body, '\\', len))
		buf_str(&line, "(an answer with escapes, not shown)");
	if (line.len == 0)
		show(&line, body, len, DETAIL_MAX, hidden);
	if (line.len == 0)
		buf_str(&line, "(empty answer)");
	shown_text(out, buf_cstr(&line), line.len, DETAIL_MAX);
	buf_clear(&line);
	jdoc_free(doc);
}

int
letta_answer_import(const char *text, size_t len,
    char id[static LETTA_ID_SIZE], struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	const struct jdoc *ids = jdoc_get(doc, "agent_ids");
	int rc = -1;

	if (!doc)
		return err_ctx(err, "import answer");
	if (jdoc_type(ids) != JDOC_ARRAY || jdoc_len(ids) != 1)
		err_set(err, ERR_DATA, "import answer: /agent_ids should "
		    "name one agent, not %zu", jdoc_len(ids));
	else
		rc = copy_id(id, jdoc_str(jdoc_at(ids, 0)),
		    "import answer: /agent_ids/0", err);
	/* It goes into the journal and from there into .env files. */
	if (rc == 0 && !letta_id_ok(id, "agent-"))
		rc = err_set(err, ERR_DATA, "import answer: /agent_ids/0 is "
		    "not agent-UUID");
	jdoc_free(doc);
	return rc;
}

static int
agent_from(const struct jdoc *state, const char *where,
    struct letta_agent *agent, struct err *err)
{
	char id[LETTA_ID_SIZE];

	memset(agent, 0, sizeof(*agent));
	agent->id = jdoc_get_str(state, "id");
	agent->name = jdoc_get_str(state, "name");
	agent->agent_type = jdoc_get_str(state, "agent_type");
	agent->metadata = jdoc_get(state, "metadata");
	agent->message_ids = jdoc_get(state, "message_ids");
	agent->state = state;
	if (copy_id(id, agent->id, where, err) != 0)
		return -1;
	if (!agent->name)
		return err_set(err, ERR_DATA, "%s: no name", where);
	if (jdoc_type(agent->metadata) != JDOC_OBJECT)
		agent->metadata = NULL;
	if (jdoc_type(agent->message_ids) != JDOC_ARRAY)
		agent->message_ids = NULL;
	return 0;
}

int
letta_answer_agent(const char *text, size_t len, struct letta_agent *agent,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);

	memset(agent, 0, sizeof(*agent));
	if (!doc)
		return err_ctx(err, "agent");
	if (agent_from(doc, "agent", agent, err) != 0) {
		memset(agent, 0, sizeof(*agent));
		jdoc_free(doc);
		return -1;
	}
	agent->owned = doc;
	return 0;
}

void
letta_answer_agent_clear(struct letta_agent *agent)
{
	if (!agent)
		return;
	jdoc_free(agent->owned);
	memset(agent, 0, sizeof(*agent));
}

int
letta_answer_agents(const char *text, size_t len,
    int (*each)(void *ctx, const struct letta_agent *, struct err *),
    void *ctx, struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err);
	struct letta_agent agent;
	char where[48];
	int rc = 0;
	size_t i;

	if (!doc)
		return err_ctx(err, "list of agents");
	if (jdoc_type(doc) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "list of agents: not a list");
	for (i = 0; rc == 0 && i < jdoc_len(doc); i++) {
		(void)snprintf(where, sizeof(where), "list of agents: /%zu",
		    i);
		rc = agent_from(jdoc_at(doc, i), where, &agent, err);
		if (rc == 0 && each(ctx, &agent, err) != 0)
			rc = -1;
	}
	jdoc_free(doc);
	return rc;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int
letta_answer_tags(const struct jdoc *tags, const char *where, struct jdoc *out,
    struct err *err)
{
	size_t n = jdoc_len(tags), i;
	const char **sorted;
	int rc = 0;

	if (n > TAGS_MAX)
		return err_set(err, ERR_DATA, "%s: %zu tags", where, n);
	sorted = mem_zero(n + 1, sizeof(*sorted));
	for (i = 0; i < n && rc == 0; i++) {
		sorted[i] = jdoc_str(jdoc_at(tags, i));
		if (!sorted[i])
			rc = err_set(err, ERR_DATA, "%s/tags/%zu: not text",
			    where, i);
	}
	if (rc == 0)
		qsort(sorted, n, sizeof(*sorted), by_text);
	for (i = 0; i < n && rc == 0; i++) {
		if (i == 0 || strcmp(sorted[i - 1], sorted[i]) != 0)
			jdoc_push(out, jdoc_new_str(sorted[i]));
	}
	free(sorted);
	return rc;
}

static int
stage_passage(const struct jdoc *item, const char *where, struct buf *out,
    struct err *err)
{
	const struct jdoc *text = jdoc_get(item, "text");
	const char *date = jdoc_get_str(item, "created_at");
	struct jdoc *body, *tags;
	struct buf stamp_text = BUF_INIT(64);
	struct stamp stamp;
	int rc = -1;

	if (!jdoc_str(text))
		return err_set(err, ERR_DATA, "%s: no text", where);
	if (!date || !stamp_parse(date, &stamp))
		return err_set(err, ERR_DATA, "%s/created_at: not a date",
		    where);
	body = jdoc_new_object();
	tags = jdoc_new_array();
	stamp_write(&stamp, &stamp_text);
	jdoc_set_str(body, "created_at", buf_cstr(&stamp_text));
	jdoc_set(body, "tags", tags);
	jdoc_set(body, "text", jdoc_copy(text));
	if (letta_answer_tags(jdoc_get(item, "tags"), where, tags, err) == 0) {
		jdoc_write_canonical(body, out);
		rc = buf_check(out, where, err);
	}
	buf_clear(&stamp_text);
	jdoc_free(body);
	return rc;
}

int
letta_answer_passages(const char *text, size_t len,
    int (*each)(void *ctx, const char *id, const char *body,
    size_t body_len, struct err *), void *ctx,
    struct letta_passage_page *page, struct err *err)
{
	struct jdoc *doc = jdoc_parse_without(text, len, "embedding", err);
	struct buf body = BUF_INIT(PASSAGE_MAX);
	const struct jdoc *item;
	char where[48];
	int rc = 0;
	size_t i;

	memset(page, 0, sizeof(*page));
	if (!doc)
		return err_ctx(err, "page of passages");
	if (jdoc_type(doc) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "page of passages: not a list");
	for (i = 0; rc == 0 && i < jdoc_len(doc); i++) {
		item = jdoc_at(doc, i);
		(void)snprintf(where, sizeof(where), "page of passages: /%zu",
		    i);
		buf_truncate(&body, 0);
		if (copy_id(page->last_id, jdoc_get_str(item, "id"), where,
		    err) != 0 ||
		    stage_passage(item, where, &body, err) != 0 ||
		    each(ctx, page->last_id, body.data, body.len, err) != 0)
			rc = -1;
		else
			page->items++;
	}
	buf_clear(&body);
	jdoc_free(doc);
	return rc;
}

static void
carry_text(struct jdoc *to, const struct jdoc *from, const char *key)
{
	if (jdoc_get_str(from, key))
		jdoc_set(to, key, jdoc_copy(jdoc_get(from, key)));
}

int
letta_answer_conversations(const char *text, size_t len,
    int (*each)(void *ctx, const char *id, const char *body,
    size_t body_len, struct err *), void *ctx, size_t *items,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse(text, len, err), *kept;
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	const struct jdoc *item;
	char id[LETTA_ID_SIZE];
	int rc = 0;

	*items = 0;
	if (!doc)
		return err_ctx(err, "conversations");
	if (jdoc_type(doc) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "conversations: not a list");
	for (size_t i = 0; rc == 0 && i < jdoc_len(doc); i++) {
		item = jdoc_at(doc, i);
		rc = copy_id(id, jdoc_get_str(item, "id"), "conversations",
		    err);
		if (rc != 0)
			break;
		kept = jdoc_new_object();
		carry_text(kept, item, "id");
		carry_text(kept, item, "summary");
		carry_text(kept, item, "created_at");
		buf_truncate(&body, 0);
		jdoc_write(kept, &body);
		jdoc_free(kept);
		rc = each(ctx, id, body.data, body.len, err);
		*items += 1;
	}
	buf_clear(&body);
	jdoc_free(doc);
	return rc;
}
