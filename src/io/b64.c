#include "base/base.h"

#include "base/buf.h"
#include "io/b64.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
b64_encode(struct buf *out, const void *data, size_t len, int bare)
{
	const unsigned char *p = data;
	uint32_t bits;
	size_t i, k, n;

	for (i = 0; i < len; i += 3) {
		n = len - i < 3 ? len - i : 3;
		bits = (uint32_t)p[i] << 16;
		if (n > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			bits |= p[i + 2];
		for (k = 0; k < 4; k++) {
			if (k <= n)
				buf_char(out, digits[bits >> (18 - 6 * k) &
				    63]);
			else if (!bare)
				buf_char(out, '=');
		}
	}
}

int
b64_decode(struct buf *out, const char *text, size_t len)
{
	const char *digit;
	uint32_t bits = 0;
	unsigned int have = 0;
	size_t i;

	for (i = 0; i < len && text[i] != '='; i++) {
		if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' ||
		    text[i] == '\n')
			continue;
		digit = text[i] ? strchr(digits, text[i]) : NULL;
		if (!digit)
			return -1;
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_char(out, (char)(bits >> have & 0xff));
		}
	}

	/* At most one "=" per byte that the last group lacks. */
	for (; i < len; i++)
		if (!strchr("=\r\n\t ", text[i]) || !text[i])
			return -1;
	return have >= 6 || out->full ? -1 : 0;
}
