#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/shown.h"

#define FILE_SHOWN 400	/* bytes of a finding */
#define WHAT_SHOWN 4096

/* Bytes of the character at p; 1 for a byte that begins none. */
static size_t
step(const char *p, size_t len)
{
	size_t n = str_utf8_char(p, len);

	return n > 0 ? n : 1;
}

void
shown_text(struct buf *out, const char *data, size_t len, size_t max_bytes)
{
	size_t at = 0, n;

	while (at < len) {
		n = step(data + at, len - at);
		if (at + n > max_bytes) {
			buf_str(out, "...");
			return;
		}
		if (data[at] == '\n' || data[at] == '\r' || data[at] == '\t')
			buf_char(out, ' ');
		else
			str_printable(out, data + at, n);
		at += n;
	}
}

static bool
ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void
shown_mask(struct buf *out, const char *data, size_t len)
{
	size_t at = 0, end, last;

	while (at < len) {
		buf_char(out, data[at++]);
		if (at < 3 || memcmp(data + at - 3, "://", 3) != 0)
			continue;
		last = at;
		for (end = at; end < len && !ends_word(data[end]); end++) {
			if (data[end] == '@')
				last = end;
		}
		if (last > at)
			buf_str(out, "***");
		at = last;
	}
}

int
shown_finding(int (*found)(void *ctx, const char *file, const char *what,
    struct err *), void *ctx, const char *file, const char *what,
    struct err *err)
{
	struct buf shown_file = BUF_INIT(4 * FILE_SHOWN + 4),
	    shown_what = BUF_INIT(4 * WHAT_SHOWN + 4);
	int rc;

	shown_text(&shown_file, file, strlen(file), FILE_SHOWN);
	shown_text(&shown_what, what, strlen(what), WHAT_SHOWN);
	rc = found(ctx, buf_cstr(&shown_file), buf_cstr(&shown_what), err);
	buf_clear(&shown_file);
	buf_clear(&shown_what);
	return rc;
}
