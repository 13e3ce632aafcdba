#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

bool
str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

const char *
str_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && memcmp(s + len - tail, suffix, tail) == 0;
}

bool
str_has_word(const char *words, const char *word)
{
	size_t len = strlen(word), n;

	for (; *words; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		if (n == len && memcmp(words, word, n) == 0)
			return true;
	}
	return false;
}

bool
str_u64(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0, digit;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		digit = (uint64_t)(*s - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance with one row of the table. */
static size_t
edits(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b), i, j, diagonal, above;
	size_t *row = mem_zero(b_len + 1, sizeof(*row));
	size_t result;

	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1,
			    diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	result = row[b_len];
	free(row);
	return result;
}

const char *
str_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t distance, best_distance = strlen(word) / 3 + 1;

	for (; *names; names++) {
		distance = edits(word, *names);
		if (distance < best_distance + (best == NULL)) {
			best = *names;
			best_distance = distance;
		}
	}
	return best;
}

void
str_hex(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (; len > 0; len--, p++) {
		*out++ = digits[*p >> 4];
		*out++ = digits[*p & 15];
	}
	*out = '\0';
}

/*
 * Length of the UTF-8 sequence at p (1-4) and its code point, or 0 when it is
 * cut, overlong, a surrogate, or beyond U+10FFFF.
 */
static size_t
utf8_next(const unsigned char *p, size_t len, uint32_t *code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n, i;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if ((p[0] & 0xe0) == 0xc0)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if ((p[0] & 0xf8) == 0xf0)
		n = 4;
	else
		return 0;
	if (n > len)
		return 0;
	*code = p[0] & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3fu);
	}
	if (*code < smallest[n] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

size_t
str_utf8_char(const char *data, size_t len)
{
	uint32_t code;

	return utf8_next((const unsigned char *)data, len, &code);
}

size_t
str_utf8_span(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	uint32_t code = 0;
	size_t at = 0, n;

	while (at < len) {
		n = utf8_next(p + at, len - at, &code);
		if (n == 0)
			break;
		at += n;
	}
	return at;
}

void
str_printable(struct buf *out, const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	uint32_t code = 0;
	size_t n;

	while (len > 0) {
		n = utf8_next(p, len, &code);
		if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			n = 1;
			buf_printf(out, "\\x%02x", *p);
		} else if ((code >= 0x202a && code <= 0x202e) ||
		    (code >= 0x2066 && code <= 0x2069))
			buf_printf(out, "\\u%04x", (unsigned int)code);
		else
			buf_add(out, p, n);
		p += n;
		len -= n;
	}
}

void
str_url(struct buf *out, const char *s)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_~";

	for (; *s; s++) {
		if (strchr(unreserved, *s))
			buf_char(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
}
