#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "core/stamp.h"
#include "core/turn.h"
#include "core/turn_item.h"

#define AGENT_TYPE_V1 "letta_v1_agent"

struct page {
	const struct jdoc *items;
	size_t at;		/* first item of the row at hand */
	bool v1;
	struct buf body;
	int (*each)(void *ctx, const char *id, const char *body,
	    size_t body_len, struct err *);
	void *ctx;
	struct turn_page *info;
};

static int
row_id(struct page *p, struct err *err)
{
	const char *id = jdoc_get_str(jdoc_at(p->items, p->at), "id");

	if (!id || !*id)
		return err_set(err, ERR_DATA, "/%zu: no id", p->at);
	if (strlen(id) >= LETTA_ID_SIZE)
		return err_set(err, ERR_DATA, "/%zu: id of %zu bytes", p->at,
		    strlen(id));
	memcpy(p->info->last_id, id, strlen(id) + 1);
	return 0;
}

static int
begin_row(struct page *p, struct turn_row *row, struct err *err)
{
	const char *date = jdoc_get_str(jdoc_at(p->items, p->at), "date");
	struct stamp stamp;

	if (!date || !stamp_parse(date, &stamp))
		return err_set(err, ERR_DATA, "date is not one");
	row->content = jdoc_new_array();
	jdoc_set_str(row->body, "type", "message");
	jdoc_set_null(row->body, "role");
	jdoc_set(row->body, "content", row->content);
	jdoc_set_str(row->body, "created_at", date);
	return 0;
}

/* Every item that shares the id of the one at hand. */
static int
fill_row(struct page *p, struct turn_row *row, struct err *err)
{
	const struct jdoc *item = jdoc_at(p->items, p->at);
	const char *id = p->info->last_id, *next;

	if (begin_row(p, row, err) != 0)
		return -1;
	do {
		if (turn_item_add(row, item, err) != 0)
			return -1;
		p->info->items++;
		p->at++;
		item = jdoc_at(p->items, p->at);
		next = jdoc_get_str(item, "id");
	} while (next && str_eq(next, id) && turn_item_fits(row, item));
	turn_item_end(row);
	p->info->errors += jdoc_bool(jdoc_get(row->body, "is_err"));
	return 0;
}

/* Say of which row a failure is. */
static int
row_ctx(const struct page *p, size_t at, struct err *err)
{
	struct buf id = BUF_INIT(512);

	shown_text(&id, p->info->last_id, strlen(p->info->last_id), 64);
	(void)err_ctx(err, "/%zu (%s)", at, buf_cstr(&id));
	buf_clear(&id);
	return -1;
}

static int
next_row(struct page *p, struct err *err)
{
	struct turn_row row = { .v1 = p->v1 };
	size_t at = p->at;
	int rc = -1;

	if (row_id(p, err) != 0)
		return -1;
	row.body = jdoc_new_object();
	if (fill_row(p, &row, err) == 0) {
		buf_truncate(&p->body, 0);
		jdoc_write(row.body, &p->body);
		rc = buf_check(&p->body, "its body", err);
	}
	jdoc_free(row.body);
	if (rc != 0)
		return row_ctx(p, at, err);
	if (p->each(p->ctx, p->info->last_id, p->body.data, p->body.len,
	    err) != 0)
		return -1;
	p->info->rows++;
	return 0;
}

int
turn_page(const char *agent_type, const char *text, size_t len,
    int (*each)(void *ctx, const char *id, const char *body,
    size_t body_len, struct err *), void *ctx, struct turn_page *info,
    struct err *err)
{
	struct jdoc *doc = jdoc_parse_set(text, len, "otid", err);
	struct page p = {
		.items = doc,
		.v1 = str_eq(agent_type, AGENT_TYPE_V1),
		.body = BUF_INIT(LETTA_ANSWER_MAX),
		.each = each,
		.ctx = ctx,
		.info = info,
	};
	int rc = 0;

	memset(info, 0, sizeof(*info));
	if (!doc)
		return err_ctx(err, "page of messages");
	if (jdoc_type(doc) != JDOC_ARRAY)
		rc = err_set(err, ERR_DATA, "not a list");
	while (rc == 0 && p.at < jdoc_len(doc))
		rc = next_row(&p, err);
	buf_clear(&p.body);
	jdoc_free(doc);
	return rc == 0 ? 0 : err_ctx(err, "page of messages");
}
