#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jscan.h"

/* What may come next. */
enum want {
	WANT_VALUE,
	WANT_VALUE_OR_END,	/* after '[' */
	WANT_KEY_OR_END,	/* after '{' */
	WANT_KEY,		/* after ',' in an object */
	WANT_COLON,
	WANT_COMMA_OR_END,
	WANT_NOTHING		/* the document is whole */
};

struct scan {
	const unsigned char *p;
	size_t len, at;
	enum want want;
	unsigned int depth;
	unsigned char open[JSCAN_DEPTH];	/* '{' or '[' of each level */
	struct jscan_count count;

	const struct jscan_less *less;	/* NULL: all is kept */
	size_t key_at;		/* the key just read, if its value is next */
	bool key_matches;	/* it is less->key */
	bool cutting;		/* inside a value that is left out */
	bool dropped;		/* a whole member was, and no mark since */
	unsigned int cut_depth;
	size_t copied;		/* bytes that are in less->out, or left out */
	struct err *err;
};

/* A byte in each byte of a word. */
#define EACH(byte) ((uint64_t)0x0101010101010101 * (byte))
#define HIGH_BITS EACH(0x80)

static int
fail(const struct scan *s, const char *what)
{
	return err_set(s->err, ERR_DATA, "JSON: %s at byte %zu", what, s->at);
}

static int
fail_here(const struct scan *s)
{
	return fail(s, s->at < s->len ? "unexpected character" : "cut short");
}

/*
 * Nonzero if one of eight bytes is zero.  What a borrow adds stands behind
 * such a byte, so the question "any?" is answered right.
 */
static uint64_t
zero_byte(uint64_t word)
{
	return (word - EACH(1)) & ~word & HIGH_BITS;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Eight bytes at a time: most of a page is such text. */
size_t
jscan_plain(const char *data, size_t len)
{
	size_t at = 0;
	uint64_t word;

	while (len - at >= sizeof(word)) {
		memcpy(&word, data + at, sizeof(word));
		if ((word & HIGH_BITS) != 0 ||
		    ((word - EACH(0x20)) & HIGH_BITS) != 0 ||
		    zero_byte(word ^ EACH('"')) != 0 ||
		    zero_byte(word ^ EACH('\\')) != 0)
			break;
		at += sizeof(word);
	}
	while (at < len && is_plain((unsigned char)data[at]))
		at++;
	return at;
}

static bool
is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

/* at is behind a backslash.  *nul: it was \u0000. */
static int
scan_escape(struct scan *s, bool *nul)
{
	size_t i;

	if (s->at >= s->len)
		return fail_here(s);
	if (s->p[s->at] != 'u') {
		if (s->p[s->at] == 0 || !strchr("\"\\/bfnrt", s->p[s->at]))
			return fail(s, "unknown escape");
		s->at++;
		return 0;
	}
	if (s->len - s->at < 5)
		return fail(s, "cut short");
	for (i = 1; i <= 4; i++) {
		if (!is_hex(s->p[s->at + i]))
			return fail(s, "unknown escape");
	}
	if (memcmp(s->p + s->at + 1, "0000", 4) == 0)
		*nul = true;
	s->at += 5;
	return 0;
}

/* at is on the opening quote.  *nul: U+0000 is in it. */
static int
scan_string(struct scan *s, bool *nul)
{
	const char *text = (const char *)s->p;
	size_t n;

	*nul = false;
	for (s->at++;;) {
		s->at += jscan_plain(text + s->at, s->len - s->at);
		if (s->at >= s->len)
			return fail(s, "string without end");
		if (s->p[s->at] == '"')
			break;
		if (s->p[s->at] == '\\') {
			s->at++;
			if (scan_escape(s, nul) != 0)
				return -1;
			continue;
		}
		if (s->p[s->at] < 0x20)
			return fail(s, "control character in a string");
		n = str_utf8_char(text + s->at, s->len - s->at);
		if (n == 0)
			return fail(s, "not UTF-8");
		s->at += n;
	}
	s->at++;
	return 0;
}

static bool
is_digit(const struct scan *s)
{
	return s->at < s->len && s->p[s->at] >= '0' && s->p[s->at] <= '9';
}

static void
skip_digits(struct scan *s)
{
	size_t at = s->at;

	while (at < s->len && s->p[at] >= '0' && s->p[at] <= '9')
		at++;
	s->at = at;
}

static bool
on(const struct scan *s, char a, char b)
{
	return s->at < s->len && (s->p[s->at] == a || s->p[s->at] == b);
}

/* Digits without sign or leading zero: do 64 bits hold them? */
static bool
fits(const unsigned char *digits, size_t n, bool negative)
{
	static const char most[] = "18446744073709551615";
	static const char least[] = "9223372036854775808";
	const char *limit = negative ? least : most;
	size_t limit_len = strlen(limit);

	return n < limit_len ||
	    (n == limit_len && memcmp(digits, limit, n) <= 0);
}

static int
scan_number(struct scan *s)
{
	bool negative = s->p[s->at] == '-';
	size_t first;

	if (negative)
		s->at++;
	first = s->at;
	if (!is_digit(s))
		return fail_here(s);
	if (s->p[s->at] == '0')
		s->at++;
	else
		skip_digits(s);
	if (is_digit(s))
		return fail(s, "number with a leading zero");
	if (!on(s, '.', '.') && !on(s, 'e', 'E')) {
		if (!fits(s->p + first, s->at - first, negative))
			return fail(s, "integer beyond 64 bits that ends");
		return 0;
	}
	if (on(s, '.', '.')) {
		s->at++;
		if (!is_digit(s))
			return fail_here(s);
		skip_digits(s);
	}
	if (on(s, 'e', 'E')) {
		s->at++;
		if (on(s, '+', '-'))
			s->at++;
		if (!is_digit(s))
			return fail_here(s);
		skip_digits(s);
	}
	return 0;
}

static int
scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = strlen(words[i]);
		if (s->len - s->at >= n &&
		    memcmp(s->p + s->at, words[i], n) == 0) {
			s->at += n;
			return 0;
		}
	}
	return fail_here(s);
}

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whether the value at hand is left out. */
static bool
is_cut(const struct scan *s, bool in_object)
{
	return s->less && in_object && (s->key_matches ||
	    (s->less->nulls && s->p[s->at] == 'n'));
}

static void
value_begins(struct scan *s)
{
	bool in_object = s->depth > 0 && s->open[s->depth - 1] == '{';
	size_t from;

	if (!s->cutting && is_cut(s, in_object)) {
		from = s->less->nulls ? s->key_at : s->at;
		buf_add(s->less->out, s->p + s->copied, from - s->copied);
		if (!s->less->nulls)
			buf_str(s->less->out, "null");
		s->cutting = true;
		s->cut_depth = s->depth;
	} else if (!s->cutting) {
		s->count.values++;
		s->count.members += in_object;
	}
	s->key_matches = false;
}

/* A value, or a whole array or object, lies behind us. */
static void
value_ended(struct scan *s)
{
	if (s->cutting && s->depth == s->cut_depth) {
		s->cutting = false;
		s->dropped = s->less->nulls;
		s->count.members += !s->dropped;
		s->copied = s->at;
	}
	s->want = s->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

/* The mark behind a member that is gone: its comma goes with it. */
static void
drop_comma(struct scan *s, bool last)
{
	struct buf *out = s->less->out;
	size_t n = out->len;

	s->dropped = false;
	if (!last) {
		s->copied = s->at + 1;
		return;
	}
	while (n > 0 && is_blank((unsigned char)out->data[n - 1]))
		n--;
	if (n > 0 && out->data[n - 1] == ',')
		buf_truncate(out, n - 1);
}

static int
open_level(struct scan *s)
{
	if (s->depth == JSCAN_DEPTH)
		return fail(s, "nested too deeply");
	if (!s->cutting)
		s->count.containers++;
	s->open[s->depth++] = s->p[s->at];
	if (s->depth > s->count.depth)
		s->count.depth = s->depth;
	s->want = s->p[s->at] == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	s->at++;
	return 0;
}

static int
close_level(struct scan *s)
{
	unsigned char open = s->p[s->at] == '}' ? '{' : '[';

	if (s->depth == 0 || s->open[s->depth - 1] != open)
		return fail_here(s);
	if (s->dropped)
		drop_comma(s, true);
	s->depth--;
	s->at++;
	value_ended(s);
	return 0;
}

static bool
begins_number(unsigned char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

/*
 * What is left of an array of numbers that is left out, up to a byte that is
 * of no number, blank or comma: an embedding is thousands of them, and nobody
 * reads them.
 */
static void
skip_numbers(struct scan *s)
{
	size_t at = s->at;

	while (at < s->len && (begins_number(s->p[at]) || s->p[at] == ',' ||
	    s->p[at] == '.' || s->p[at] == 'e' || s->p[at] == 'E' ||
	    s->p[at] == '+' || is_blank(s->p[at])))
		at++;
	/* A value must follow a comma: it is for the next step to see. */
	while (at > s->at && s->p[at - 1] != ',' && is_blank(s->p[at - 1]))
		at--;
	if (at > s->at && s->p[at - 1] == ',')
		at--;
	s->at = at;
}

static int
scan_value(struct scan *s)
{
	unsigned char c = s->p[s->at];
	bool nul;
	int rc;

	if (c == ']' && s->want == WANT_VALUE_OR_END)
		return close_level(s);
	value_begins(s);
	if (c == '{' || c == '[')
		return open_level(s);
	if (c == '"')
		rc = scan_string(s, &nul);
	else if (begins_number(c))
		rc = scan_number(s);
	else
		rc = scan_word(s);
	if (rc == 0 && s->cutting && begins_number(c) &&
	    s->depth > s->cut_depth && s->open[s->depth - 1] == '[')
		skip_numbers(s);
	if (rc == 0)
		value_ended(s);
	return rc;
}

static int
scan_key(struct scan *s)
{
	size_t first = s->at + 1, n;
	bool nul;

	if (s->p[s->at] == '}' && s->want == WANT_KEY_OR_END)
		return close_level(s);
	if (s->p[s->at] != '"')
		return fail_here(s);
	if (scan_string(s, &nul) != 0)
		return -1;
	if (nul)
		return fail(s, "key with U+0000 that ends");
	n = s->at - 1 - first;
	s->key_at = first - 1;
	s->key_matches = s->less && s->less->key &&
	    n == strlen(s->less->key) &&
	    memcmp(s->p + first, s->less->key, n) == 0;
	s->want = WANT_COLON;
	return 0;
}

static int
scan_mark(struct scan *s)
{
	unsigned char c = s->p[s->at];

	if (s->want == WANT_COLON) {
		if (c != ':')
			return fail_here(s);
		s->at++;
		s->want = WANT_VALUE;
		return 0;
	}
	if (c != ',')
		return close_level(s);
	if (s->dropped)
		drop_comma(s, false);
	s->at++;
	s->want = s->open[s->depth - 1] == '{' ? WANT_KEY : WANT_VALUE;
	return 0;
}

static int
scan_step(struct scan *s)
{
	switch (s->want) {
	case WANT_VALUE:
	case WANT_VALUE_OR_END:
		return scan_value(s);
	case WANT_KEY:
	case WANT_KEY_OR_END:
		return scan_key(s);
	case WANT_COLON:
		return scan_mark(s);
	case WANT_COMMA_OR_END:
		if (s->p[s->at] != ',' && s->p[s->at] != '}' &&
		    s->p[s->at] != ']')
			return fail_here(s);
		return scan_mark(s);
	default:
		return fail(s, "more behind the document");
	}
}

int
jscan_check(const char *text, size_t len, const struct jscan_less *less,
    struct jscan_count *count, struct err *err)
{
	struct scan s = {
		.p = (const unsigned char *)text,
		.len = len,
		.less = less,
		.err = err,
	};

	for (;;) {
		while (s.at < len && is_blank(s.p[s.at]))
			s.at++;
		if (s.at == len)
			break;
		if (scan_step(&s) != 0)
			return -1;
		if (s.count.containers > JSCAN_CONTAINERS ||
		    s.count.values > JSCAN_VALUES)
			return fail(&s, "more values than we take");
	}
	if (s.want != WANT_NOTHING)
		return fail(&s, len == 0 ? "empty" : "cut short");
	if (less)
		buf_add(less->out, s.p + s.copied, len - s.copied);
	*count = s.count;
	return 0;
}
