#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/af.h"
#include "core/af_row.h"
#include "core/af_rule.h"
#include "core/jdoc.h"
#include "core/turn.h"
#include "core/verdict_row.h"

/*
 * Input: one byte for the agent's type, then a page of a listing.  Every row
 * that comes of it, collapsed, has a canonical text; an agent file is made of
 * them that breaks no rule, or none is made.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MAX 64

struct rows {
	struct turn_merge merge;
	struct af_convert convert;
	char ids[ROWS_MAX][LETTA_ID_SIZE];
	struct jdoc *docs[ROWS_MAX];
	size_t n, at;
};

static const char shell[] =
    "{\"agents\":[{\"name\":\"n\",\"id\":\"agent-0\",\"llm_config\":"
    "{\"model\":\"m\",\"model_endpoint_type\":\"openai\","
    "\"context_window\":1}}],"
    "\"groups\":[],\"blocks\":[],\"files\":[],\"sources\":[],\"tools\":[],"
    "\"mcp_servers\":[]}";
static const char first[] =
    "{\"role\":\"system\",\"content\":\"s\"}";

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static int
keep(void *ctx, const char *id, struct jdoc *take, unsigned int changes,
    struct err *err)
{
	struct rows *rows = ctx;
	struct buf out;

	(void)changes;
	buf_init(&out, SIZE_MAX / 4);
	must(verdict_row_canonical(take, &out, err) == 0);
	buf_clear(&out);
	if (rows->n == ROWS_MAX) {
		jdoc_free(take);
		return 0;
	}
	memcpy(rows->ids[rows->n], id, strlen(id) + 1);
	rows->docs[rows->n++] = take;
	return 0;
}

static int
push(void *ctx, const char *id, const char *body, size_t len,
    struct err *err)
{
	struct rows *rows = ctx;
	struct jdoc *doc = jdoc_parse(body, len, err);

	must(doc);
	return turn_merge_push(&rows->merge, id, doc, af_row_look(body, len),
	    err);
}

static int
next(void *ctx, struct af_row *row, struct err *err)
{
	struct rows *rows = ctx;
	size_t i = rows->at++;

	if (i >= rows->n)
		return 0;
	*row = (struct af_row){ .id = rows->ids[i], .doc = rows->docs[i] };
	return af_row_convert(&rows->convert, row, err) == 0 ? 1 : -1;
}

static int
found(void *ctx, const struct af_rule_finding *finding, struct err *err)
{
	(void)ctx;
	(void)err;
	must(finding->effect < AF_RULE_LISTING);
	return 0;
}

static void
make_file(struct rows *rows)
{
	struct jdoc *ids = jdoc_new_array();
	struct af_source source = {
		.shell = shell, .shell_len = strlen(shell), .name = "n",
		.in_context = ids, .next = next, .ctx = rows,
	};
	struct af_rule_report report = { .found = found };
	struct err err = ERR_INIT;
	struct af_writer *w;
	struct buf out;
	char data[97];
	ptrdiff_t n;

	for (size_t i = 0; i < rows->n; i += 2)
		jdoc_push(ids, jdoc_new_str(rows->ids[i]));
	buf_init(&out, SIZE_MAX / 4);
	must(af_open(&source, &w, &err) == 0);
	while ((n = af_read(w, data, sizeof(data), &err)) > 0)
		buf_add(&out, data, (size_t)n);
	must(n == 0 || err.kind == ERR_DATA);
	if (n == 0)
		must(af_rule_file(out.data, out.len, &report, &err) == 0);
	af_close(w);
	buf_clear(&out);
	jdoc_free(ids);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rows *rows = calloc(1, sizeof(*rows));
	struct err err = ERR_INIT;
	struct turn_page page;

	must(rows);
	rows->merge.each = keep;
	rows->merge.ctx = rows;
	rows->docs[0] = jdoc_parse(first, strlen(first), &err);
	memcpy(rows->ids[0], "first", 6);
	rows->n = 1;
	if (size > 0 && turn_page(data[0] % 2 ? "letta_v1_agent" :
	    "memgpt_v2_agent", (const char *)data + 1, size - 1, push, rows,
	    &page, &err) == 0)
		must(turn_merge_flush(&rows->merge, &err) == 0);
	make_file(rows);
	turn_merge_clear(&rows->merge);
	for (size_t i = 0; i < rows->n; i++)
		jdoc_free(rows->docs[i]);
	af_convert_clear(&rows->convert);
	free(rows);
	return 0;
}
