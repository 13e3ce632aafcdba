#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_row.h"
#include "core/conf.h"
#include "core/export.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "core/raw.h"
#include "flow/agent.h"
#include "flow/agent_raw.h"
#include "io/journal.h"

/* An export on its way into the journal. */
struct placing {
	struct journal *journal;
	char *scope;
	bool write;			/* a source's rows are replaced */
	const struct jdoc *file_ids;	/* in context, as the file has them */
	const struct jdoc *real_ids;	/* the same at the source, or NULL */
	size_t next;			/* of file_ids, looked at first */
	struct raw_align *align;
	struct journal_rows *rows;	/* for align */
	struct agent_raw_counts *counts;
};

/* The real id of a row in context, or NULL. */
static const char *
real_id(struct placing *p, const char *file_id)
{
	size_t n = jdoc_len(p->file_ids), at;
	const char *id;

	/* Rows in context mostly come in their order. */
	for (size_t i = 0; p->real_ids && i < n; i++) {
		at = (p->next + i) % n;
		id = jdoc_str(jdoc_at(p->file_ids, at));
		if (id && str_eq(id, file_id)) {
			p->next = at + 1;
			return jdoc_str(jdoc_at(p->real_ids, at));
		}
	}
	return NULL;
}

static int
set_row(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct placing *p = ctx;

	p->counts->placed++;
	return !p->write ? 0 : journal_row_set(p->journal, p->scope, id, body,
	    len, err);
}

/* A row whose id is known; one that is not listed shows nothing. */
static int
place_known(struct placing *p, const char *id, const struct jdoc *raw,
    struct err *err)
{
	struct buf body = BUF_INIT(LETTA_ANSWER_MAX);
	char *listed = NULL;
	bool same = false;
	int rc;

	rc = journal_row_get(p->journal, p->scope, id, &listed, err);
	if (rc == 0 && listed) {
		rc = raw_place(raw, listed, strlen(listed), &body, &same,
		    err);
		p->counts->left += rc == 0 && !same;
	} else if (rc == 0 && af_row_is_listed(raw)) {
		p->counts->left++;
	}
	if (rc == 0 && same)
		rc = buf_check(&body, id, err);
	if (rc == 0 && same)
		rc = set_row(p, id, buf_cstr(&body), body.len, err);
	free(listed);
	buf_clear(&body);
	return rc;
}

static bool
is_pair(const struct jdoc *row)
{
	const struct jdoc *content = jdoc_get(row, "content");
	bool reasoning = false, reply = false;
	const char *type;

	for (size_t i = 0; i < jdoc_len(content); i++) {
		type = jdoc_get_str(jdoc_at(content, i), "type");
		reasoning |= type && str_ends(type, "reasoning");
		reply |= type && str_eq(type, "text");
	}
	return reasoning &&
	    (reply || jdoc_len(jdoc_get(row, "tool_calls")) > 0);
}

static uint64_t
count_left(const struct placing *p)
{
	return p->counts->left + raw_align_counts(p->align)->unplaced;
}

static int
place_row(void *ctx, const struct export_row *row, struct err *err)
{
	struct placing *p = ctx;
	const char *id = real_id(p, row->id);
	uint64_t left = count_left(p);
	int rc;

	p->counts->pairs += is_pair(row->doc);
	rc = id ? place_known(p, id, row->doc, err) :
	    raw_align_push(p->align, row->doc, err);
	if (rc == 0 && count_left(p) > left)
		log_detail("%s of the export (%s) is like no listed row of "
		    "%s", row->id, id ? id : "not in context", p->scope);
	return rc;
}

static int
next_listed(void *ctx, const char **id, const char **body, size_t *len,
    struct err *err)
{
	struct placing *p = ctx;
	struct journal_row row;
	int more = journal_rows_next(p->rows, &row, err);

	if (more > 0) {
		*id = row.id;
		*body = row.body;
		*len = row.body_len;
	}
	return more;
}

/* Read the export once more, for its rows. */
static int
read_rows(struct placing *p, const struct buf *answer, struct err *err)
{
	struct export_each each = { .row = place_row, .ctx = p };
	struct buf shell = BUF_INIT(LETTA_ANSWER_MAX);
	struct export *export = export_new(&each);
	bool legacy;
	int rc;

	rc = export_feed(export, buf_cstr(answer), answer->len, err);
	if (rc == 0)
		rc = export_end(export, &shell, &legacy, err);
	export_free(export);
	buf_wipe(&shell);
	return rc;
}

/* All rows of one export are one transaction. */
static int
place_all(struct placing *p, const struct buf *answer, struct err *err)
{
	char *cursor = NULL;
	bool ended;
	int rc;

	if (!p->write)
		return read_rows(p, answer, err);
	rc = journal_cursor(p->journal, p->scope, &cursor, &ended, err);
	if (rc == 0)
		rc = journal_page_begin(p->journal, err);
	if (rc == 0) {
		rc = read_rows(p, answer, err);
		if (rc != 0)
			journal_page_abort(p->journal);
		else
			rc = journal_page_commit(p->journal, p->scope,
			    cursor, ended, err);
	}
	free(cursor);
	return rc;
}

int
agent_raw_place(const struct conf_agent *agent, const char *side,
    struct journal *journal, const struct buf *answer,
    const struct jdoc *shell, const struct jdoc *ids, bool legacy,
    struct agent_raw_counts *counts, struct err *err)
{
	struct placing p = {
		.journal = journal, .counts = counts,
		.write = str_eq(side, "source"),
		.scope = agent_scope(side, agent, "messages"),
		.file_ids = jdoc_get(jdoc_at(jdoc_get(shell, "agents"), 0),
		    "in_context_message_ids"),
	};
	struct raw_source source = {
		.listed = next_listed, .placed = set_row, .ctx = &p,
		.legacy = legacy,
	};
	int rc;

	/* A turn between the two answers: then their order has to do. */
	if (jdoc_len(ids) == jdoc_len(p.file_ids))
		p.real_ids = ids;
	rc = journal_rows_open(journal, p.scope, false, &p.rows, err);
	if (rc == 0) {
		p.align = raw_align_new(&source);
		rc = place_all(&p, answer, err);
		counts->left += raw_align_counts(p.align)->unplaced;
	}
	raw_align_free(p.align);
	journal_rows_close(p.rows);
	free(p.scope);
	return rc == 0 ? 0 : err_ctx(err, "raw rows of %s", agent->name);
}
