#include "base/base.h"

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

/* A byte in each byte of a word. */
#define EACH(byte) ((uint64_t)0x0101010101010101 * (byte))
#define HIGH_BITS EACH(0x80)

static int
fail(const struct jscan *s, const char *what, struct err *err)
{
	return err_set(err, ERR_DATA, "JSON: %s at byte %zu", what, s->at);
}

static int
fail_here(const struct jscan *s, struct err *err)
{
	return fail(s, s->at < s->len ? "unexpected character" : "cut short",
	    err);
}

/*
 * Nonzero if one of eight bytes is zero.  A borrow can only mark a byte
 * behind a zero one, so the question "any?" is answered right.
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

/* Eight bytes at a time: most of any page is such text. */
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
scan_escape(struct jscan *s, bool *nul, struct err *err)
{
	size_t i;

	if (s->at >= s->len)
		return fail_here(s, err);
	if (s->text[s->at] != 'u') {
		if (s->text[s->at] == 0 ||
		    !strchr("\"\\/bfnrt", s->text[s->at]))
			return fail(s, "unknown escape", err);
		s->at++;
		return 0;
	}
	if (s->len - s->at < 5)
		return fail(s, "cut short", err);
	for (i = 1; i <= 4; i++) {
		if (!is_hex(s->text[s->at + i]))
			return fail(s, "unknown escape", err);
	}
	if (memcmp(s->text + s->at + 1, "0000", 4) == 0)
		*nul = true;
	s->at += 5;
	return 0;
}

/* at is on the opening quote.  *nul: U+0000 is in it. */
static int
scan_string(struct jscan *s, struct jscan_token *token, bool *nul,
    struct err *err)
{
	const char *text = (const char *)s->text;
	size_t n;

	*nul = token->escaped = false;
	token->at = ++s->at;
	for (;;) {
		s->at += jscan_plain(text + s->at, s->len - s->at);
		if (s->at >= s->len)
			return fail(s, "string without end", err);
		if (text[s->at] == '"')
			break;
		if (text[s->at] == '\\') {
			token->escaped = true;
			s->at++;
			if (scan_escape(s, nul, err) != 0)
				return -1;
			continue;
		}
		if (s->text[s->at] < 0x20)
			return fail(s, "control character in a string", err);
		n = str_utf8_char(text + s->at, s->len - s->at);
		if (n == 0)
			return fail(s, "not UTF-8", err);
		s->at += n;
	}
	token->len = s->at++ - token->at;
	return 0;
}

static bool
is_digit(const struct jscan *s)
{
	return s->at < s->len && s->text[s->at] >= '0' &&
	    s->text[s->at] <= '9';
}

static void
skip_digits(struct jscan *s)
{
	while (is_digit(s))
		s->at++;
}

static bool
on(const struct jscan *s, char a, char b)
{
	return s->at < s->len && (s->text[s->at] == a || s->text[s->at] == b);
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

/* Behind the integer: fraction and exponent. */
static int
scan_rest(struct jscan *s, struct err *err)
{
	if (on(s, '.', '.')) {
		s->at++;
		if (!is_digit(s))
			return fail_here(s, err);
		skip_digits(s);
	}
	if (on(s, 'e', 'E')) {
		s->at++;
		if (on(s, '+', '-'))
			s->at++;
		if (!is_digit(s))
			return fail_here(s, err);
		skip_digits(s);
	}
	return 0;
}

static int
scan_number(struct jscan *s, struct jscan_token *token, struct err *err)
{
	bool negative = s->text[s->at] == '-';
	size_t first;

	token->type = JSCAN_NUMBER;
	if (negative)
		s->at++;
	first = s->at;
	if (!is_digit(s))
		return fail_here(s, err);
	if (s->text[s->at] == '0')
		s->at++;
	else
		skip_digits(s);
	if (is_digit(s))
		return fail(s, "number with a leading zero", err);
	if (!on(s, '.', '.') && !on(s, 'e', 'E')) {
		if (!fits(s->text + first, s->at - first, negative))
			return fail(s, "integer beyond 64 bits that ends",
			    err);
		return 0;
	}
	return scan_rest(s, err);
}

static int
scan_word(struct jscan *s, struct jscan_token *token, struct err *err)
{
	static const struct {
		const char *text;
		enum jscan_type type;
	} words[] = {
		{ "true", JSCAN_TRUE },
		{ "false", JSCAN_FALSE },
		{ "null", JSCAN_NULL },
	};
	size_t i, n;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		n = strlen(words[i].text);
		if (s->len - s->at >= n &&
		    memcmp(s->text + s->at, words[i].text, n) == 0) {
			token->type = words[i].type;
			s->at += n;
			return 0;
		}
	}
	return fail_here(s, err);
}

/* A value, or a whole array or object, lies behind us. */
static void
value_ended(struct jscan *s)
{
	s->want = s->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static int
open_level(struct jscan *s, struct jscan_token *token, struct err *err)
{
	bool object = s->text[s->at] == '{';

	if (s->depth == JSCAN_DEPTH)
		return fail(s, "nested too deeply", err);
	s->open[s->depth++] = s->text[s->at];
	s->want = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	token->type = object ? JSCAN_OBJECT : JSCAN_ARRAY;
	s->at++;
	return 0;
}

static int
close_level(struct jscan *s, struct jscan_token *token, struct err *err)
{
	unsigned char open;

	if (s->text[s->at] != '}' && s->text[s->at] != ']')
		return fail_here(s, err);
	open = s->text[s->at] == '}' ? '{' : '[';
	if (s->depth == 0 || s->open[s->depth - 1] != open)
		return fail_here(s, err);
	s->depth--;
	s->at++;
	token->type = JSCAN_CLOSE;
	value_ended(s);
	return 0;
}

static int
scan_value(struct jscan *s, struct jscan_token *token, struct err *err)
{
	unsigned char c = s->text[s->at];
	bool nul;
	int rc;

	if (c == '{' || c == '[')
		return open_level(s, token, err);
	if (c == ']' && s->want == WANT_VALUE_OR_END)
		return close_level(s, token, err);
	if (c == '"') {
		token->type = JSCAN_STRING;
		rc = scan_string(s, token, &nul, err);
	} else {
		rc = c == '-' || (c >= '0' && c <= '9') ?
		    scan_number(s, token, err) : scan_word(s, token, err);
		token->len = s->at - token->at;
	}
	if (rc == 0)
		value_ended(s);
	return rc;
}

static int
scan_key(struct jscan *s, struct jscan_token *token, struct err *err)
{
	bool nul;

	if (s->text[s->at] == '}' && s->want == WANT_KEY_OR_END)
		return close_level(s, token, err);
	if (s->text[s->at] != '"')
		return fail_here(s, err);
	if (scan_string(s, token, &nul, err) != 0)
		return -1;
	if (nul)
		return fail(s, "key with U+0000 that ends", err);
	token->type = JSCAN_KEY;
	s->want = WANT_COLON;
	return 0;
}

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int
end(const struct jscan *s, struct jscan_token *token, struct err *err)
{
	if (s->want != WANT_NOTHING)
		return fail(s, s->len == 0 ? "empty" : "cut short", err);
	token->type = JSCAN_END;
	return 0;
}

void
jscan_init(struct jscan *s, const char *text, size_t len)
{
	s->text = (const unsigned char *)text;
	s->len = len;
	s->at = 0;
	s->want = WANT_VALUE;
	s->depth = 0;
}

int
jscan_next(struct jscan *s, struct jscan_token *token, struct err *err)
{
	for (;;) {
		while (s->at < s->len && is_blank(s->text[s->at]))
			s->at++;
		token->at = s->at;
		if (s->at == s->len)
			return end(s, token, err);
		switch ((enum want)s->want) {
		case WANT_VALUE:
		case WANT_VALUE_OR_END:
			return scan_value(s, token, err);
		case WANT_KEY:
		case WANT_KEY_OR_END:
			return scan_key(s, token, err);
		case WANT_COLON:
			if (s->text[s->at] != ':')
				return fail_here(s, err);
			s->want = WANT_VALUE;
			break;
		case WANT_COMMA_OR_END:
			if (s->text[s->at] != ',')
				return close_level(s, token, err);
			s->want = s->open[s->depth - 1] == '{' ? WANT_KEY :
			    WANT_VALUE;
			break;
		default:
			return fail(s, "more behind the document", err);
		}
		s->at++;
	}
}
