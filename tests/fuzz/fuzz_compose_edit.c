#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/compose_edit.h"

/*
 * Input: a compose file.  Where its image is found it is replaced by another
 * and back again; what stands before and behind it is the same bytes then, and
 * the end is what came in.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX (COMPOSE_EDIT_MAX + 4096)

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
there_and_back(const char *text, size_t len, const struct compose_edit *at)
{
	struct buf out = BUF_INIT(MAX), back = BUF_INIT(MAX);
	struct err err = ERR_INIT;
	char *raw = compose_edit_raw(at, "letta/letta:0.16.2");
	size_t tail = len - at->end;

	must(at->from < at->end && at->end <= len && at->line > 0);
	must(compose_edit_replace("f", text, len, "letta", raw, &out, &err)
	    == 0);
	must(out.len == at->from + strlen(raw) + tail);
	must(memcmp(out.data, text, at->from) == 0);
	must(memcmp(out.data + out.len - tail, text + at->end, tail) == 0);
	must(compose_edit_replace("f", out.data, out.len, "letta", at->raw,
	    &back, &err) == 0);
	must(back.len == len && memcmp(back.data, text, len) == 0);
	free(raw);
	buf_clear(&out);
	buf_clear(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct compose_edit at;
	struct err err = ERR_INIT;
	char *text, *tagged;

	if (size > 4096)
		return 0;
	text = mem_alloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	if (compose_edit_find("f", text, size, "letta", &at, &err) == 0) {
		there_and_back(text, size, &at);
		tagged = compose_edit_tagged(at.image, "0.16.2");
		must(str_ends(tagged, ":0.16.2"));
		free(tagged);
	}
	compose_edit_clear(&at);
	free(text);
	return 0;
}
