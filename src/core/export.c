#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_reader.h"
#include "core/export.h"
#include "core/jdoc.h"
#include "core/legacy.h"

struct export {
	struct export_each each;
	struct af_reader *reader;
	struct jdoc *top;	/* the file without agents and messages */
	struct jdoc *agent;	/* of version 2: without messages */
	uint64_t rows;
};

static int
hand_row(struct export *x, const struct af_part *part, struct err *err)
{
	struct export_row row = { .number = x->rows };
	int rc = 0;

	row.doc = af_part_parse(part, err);
	if (!row.doc)
		return -1;
	if (part->place == AF_PLACE_ITEM)
		rc = legacy_row(row.doc, x->rows, err);
	else {
		row.text = part->text;
		row.len = part->len;
	}
	row.id = jdoc_get_str(row.doc, "id");
	if (rc == 0 && !row.id)
		rc = err_set(err, ERR_DATA, "%s: no id", part->at);
	if (rc == 0)
		rc = x->each.row(x->each.ctx, &row, err);
	x->rows++;
	jdoc_free(row.doc);
	return rc;
}

/* object[key] = what the part holds, a list that begins is empty yet. */
static int
set(struct jdoc *object, const struct af_part *part, struct err *err)
{
	struct jdoc *value;

	if (part->event == AF_PART_BEGIN) {
		jdoc_set(object, part->key, jdoc_new_array());
		return 0;
	}
	value = af_part_parse(part, err);
	if (!value)
		return -1;
	jdoc_set(object, part->key, value);
	return 0;
}

static int
add_item(struct export *x, const struct af_part *part, struct err *err)
{
	struct jdoc *value;

	if (part->event == AF_PART_BEGIN) {	/* an agent */
		if (x->agent)
			return err_set(err, ERR_DATA, "%s: exactly one agent "
			    "is moved at a time", part->at);
		x->agent = jdoc_new_object();
		return 0;
	}
	value = af_part_parse(part, err);
	if (!value)
		return -1;
	jdoc_push(jdoc_edit(x->top, part->key), value);
	return 0;
}

static int
take_part(void *ctx, const struct af_part *part, struct err *err)
{
	struct export *x = ctx;
	bool messages = str_eq(part->key, "messages");

	if (part->event == AF_PART_END)
		return 0;
	switch (part->place) {
	case AF_PLACE_ROW:
		return hand_row(x, part, err);
	case AF_PLACE_ITEM:
		return messages ? hand_row(x, part, err) :
		    add_item(x, part, err);
	case AF_PLACE_AGENT:
		return messages ? 0 : set(x->agent, part, err);
	default:
		return messages ? 0 : set(x->top, part, err);
	}
}

struct export *
export_new(const struct export_each *each)
{
	struct export *x = mem_zero(1, sizeof(*x));

	x->each = *each;
	x->top = jdoc_new_object();
	x->reader = af_reader_new(&(struct af_reader_each){
	    .part = take_part, .ctx = x, .legacy = true });
	return x;
}

void
export_free(struct export *x)
{
	if (!x)
		return;
	af_reader_free(x->reader);
	jdoc_free(x->agent);
	jdoc_free(x->top);
	free(x);
}

int
export_feed(struct export *x, const char *data, size_t len, struct err *err)
{
	return af_reader_feed(x->reader, data, len, err);
}

/* The two halves of a file of version 2 put together again. */
static int
join_shell(struct export *x, struct err *err)
{
	struct jdoc *agents;

	if (!x->agent)
		return err_set(err, ERR_DATA, "agent file: holds no agent");
	jdoc_set(x->agent, "messages", jdoc_new_array());
	agents = jdoc_new_array();
	jdoc_push(agents, x->agent);
	x->agent = NULL;
	jdoc_set(x->top, "agents", agents);
	return 0;
}

int
export_end(struct export *x, struct buf *shell, bool *legacy,
    struct err *err)
{
	struct jdoc *made = NULL;
	int rc;

	rc = af_reader_end(x->reader, err);
	*legacy = af_reader_form(x->reader) == AF_FORM_LEGACY;
	if (rc == 0)
		rc = *legacy ? legacy_shell(x->top, &made, err) :
		    join_shell(x, err);
	if (rc == 0) {
		jdoc_write(*legacy ? made : x->top, shell);
		rc = buf_check(shell, "shell of the export", err);
	}
	jdoc_free(made);
	return rc;
}
