#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "core/af_reader.h"
#include "core/af_rule.h"
#include "core/jdoc.h"

/*
 * Input: an agent file.  Read at once and byte by byte it gives the same
 * parts and the same outcome; and the rules find the same in both.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

struct reading {
	struct af_rule *rule;
	struct buf seen;
	int rc;
	struct err err;
};

static int
found(void *ctx, const struct af_rule_finding *finding, struct err *err)
{
	struct buf *seen = ctx;

	(void)err;
	buf_printf(seen, "%s %s\n", finding->at, finding->rule);
	return 0;
}

static int
see(void *ctx, const struct af_part *part, struct err *err)
{
	struct reading *r = ctx;

	buf_printf(&r->seen, "%d %s %zu %" PRIu64 "\n", (int)part->event,
	    part->at, part->len, part->offset);
	if (part->event == AF_PART_VALUE)
		must(part->text[part->len] == '\0');
	return af_rule_part(r->rule, part, err);
}

static void
read_in(struct reading *r, const char *data, size_t size, size_t piece)
{
	struct af_rule_report report = { .found = found, .ctx = &r->seen };
	struct af_reader_each each = { .part = see, .ctx = r };
	struct af_reader *reader = af_reader_new(&each);
	size_t n;

	memset(r, 0, sizeof(*r));
	buf_init(&r->seen, SIZE_MAX / 4);
	r->rule = af_rule_new(&report);
	for (size_t at = 0; r->rc == 0 && at < size; at += n) {
		n = size - at < piece ? size - at : piece;
		r->rc = af_reader_feed(reader, data + at, n, &r->err);
	}
	if (r->rc == 0)
		r->rc = af_reader_end(reader, &r->err);
	if (r->rc == 0)
		r->rc = af_rule_end(r->rule, &r->err);
	must(r->rc == 0 || r->err.kind == ERR_DATA);
	must(af_reader_offset(reader) <= size);
	af_rule_free(r->rule);
	af_reader_free(reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading one, many;

	read_in(&one, (const char *)data, size, size + 1);
	read_in(&many, (const char *)data, size, 1);
	must(one.rc == many.rc);
	must(strcmp(one.err.text, many.err.text) == 0);
	must(strcmp(buf_cstr(&one.seen), buf_cstr(&many.seen)) == 0);
	buf_clear(&one.seen);
	buf_clear(&many.seen);
	return 0;
}
