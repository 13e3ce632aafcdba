#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"

/*
 * Input: a document.  What is taken can be written and read again and is then
 * the same; its canonical text is its own canonical text; a copy is equal;
 * leaving a key out never takes what was refused.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static struct jdoc *
again(const struct buf *text)
{
	struct err err = ERR_INIT;
	struct jdoc *doc = jdoc_parse(buf_cstr(text), text->len, &err);

	must(doc);
	return doc;
}

static void
check_same(struct jdoc *take, bool canonical, const struct buf *expected)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	if (canonical)
		jdoc_write_canonical(take, &out);
	else
		jdoc_write(take, &out);
	must(out.len == expected->len &&
	    memcmp(buf_cstr(&out), buf_cstr(expected), out.len) == 0);
	buf_clear(&out);
	jdoc_free(take);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct jdoc *doc, *less;
	struct buf plain, canonical;

	doc = jdoc_parse((const char *)data, size, &err);
	less = jdoc_parse_without((const char *)data, size, "a", &err);
	must(!doc || less);
	jdoc_free(less);
	less = jdoc_parse_set((const char *)data, size, "a", &err);
	must(!doc || less);
	jdoc_free(less);
	if (!doc) {
		must(err.kind == ERR_DATA);
		return 0;
	}
	buf_init(&plain, SIZE_MAX / 4);
	buf_init(&canonical, SIZE_MAX / 4);
	jdoc_write(doc, &plain);
	jdoc_write_canonical(doc, &canonical);
	check_same(jdoc_copy(doc), false, &plain);
	check_same(again(&plain), false, &plain);
	check_same(again(&canonical), true, &canonical);
	buf_clear(&plain);
	buf_clear(&canonical);
	jdoc_free(doc);
	return 0;
}
