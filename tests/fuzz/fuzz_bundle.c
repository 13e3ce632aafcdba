#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/bundle_line.h"
#include "core/bundle_manifest.h"

/*
 * Input: a line of a bundle, and a manifest.  A line that is taken is what
 * would be written of its id and row; a manifest that is taken can be written
 * and read again, and names nothing but files of a bundle.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_line(const char *line, size_t len)
{
	char id[BUNDLE_ID_SIZE];
	struct err err = ERR_INIT;
	const char *body;
	struct buf again;
	size_t body_len;

	/* A line break ends a line, so none is within. */
	if (len > 0 && (memchr(line, '\n', len) || memchr(line, '\r', len)))
		return;
	if (bundle_line_read(line, len, id, &body, &body_len, &err) != 0) {
		must(err.kind == ERR_DATA);
		return;
	}
	buf_init(&again, SIZE_MAX / 4);
	bundle_line_write(&again, id, body, body_len);
	must(again.len == len + 1 && memcmp(again.data, line, len) == 0);
	buf_clear(&again);
}

static void
check_manifest(const char *text, size_t len)
{
	struct bundle_manifest m, back;
	struct err err = ERR_INIT;
	struct buf one, two;

	if (bundle_manifest_read(text, len, &m, &err) != 0) {
		must(err.kind == ERR_DATA && m.n_files == 0);
		return;
	}
	buf_init(&one, SIZE_MAX / 4);
	buf_init(&two, SIZE_MAX / 4);
	for (size_t i = 0; i < m.n_files; i++)
		must(bundle_path_ok(m.files[i].path));
	bundle_manifest_write(&m, &one);
	must(bundle_manifest_read(one.data, one.len, &back, &err) == 0);
	bundle_manifest_write(&back, &two);
	must(str_eq(buf_cstr(&one), buf_cstr(&two)));
	bundle_manifest_clear(&m);
	bundle_manifest_clear(&back);
	buf_clear(&one);
	buf_clear(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_line((const char *)data, size);
	check_manifest((const char *)data, size);
	return 0;
}
