#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/jdoc_node.h"
#include "core/jscan.h"

/* Members of an object that are looked through for a key, not sorted. */
#define FEW 64

/* An array or object that is not closed yet. */
struct level {
	struct jdoc *node;
	size_t first;		/* of its items, in pending */
};

struct parser {
	struct jscan scan;
	struct jscan_token token;
	char *text;		/* in the tree; strings end up in place */
	struct jdoc *root;
	struct level levels[JSCAN_DEPTH];
	unsigned int depth;
	struct jdoc **pending;	/* items of the levels that are open */
	size_t n_pending, room;
	size_t values;
	const char *key;	/* of the value that comes next */
	size_t key_len;
	const char *without;
};

static unsigned int
hex(const char *p)
{
	unsigned int value = 0;

	for (int i = 0; i < 4; i++) {
		value <<= 4;
		if (p[i] <= '9')
			value += (unsigned int)(p[i] - '0');
		else
			value += (unsigned int)((p[i] | 0x20) - 'a' + 10);
	}
	return value;
}

/* The code point of the \uXXXX at p, and how many bytes of text it took. */
static uint32_t
code_point(const char *p, const char *end, size_t *n)
{
	uint32_t high = hex(p + 2), low = 0;

	*n = 6;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u')
		low = hex(p + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*n = 12;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *
put_utf8(char *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (char)(0xe0 | code >> 12);
		} else {
			*out++ = (char)(0xf0 | code >> 18);
			*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (code & 0x3f));
	return out;
}

/* One escape at p, as jscan took it; returns how many bytes it was. */
static size_t
put_escape(const char *p, const char *end, char **out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *found;
	size_t n = 2;

	if (p[1] == 'u') {
		*out = put_utf8(*out, code_point(p, end, &n));
		return n;
	}
	found = strchr(from, p[1]);
	*(*out)++ = found ? to[found - from] : p[1];
	return n;
}

/* Make the text of the string at hand what it means; it never grows. */
static size_t
unescape(char *text, size_t len)
{
	char *end = text + len, *out = memchr(text, '\\', len);
	const char *p = out, *next;

	while (p < end) {
		p += put_escape(p, end, &out);
		next = memchr(p, '\\', (size_t)(end - p));
		if (!next)
			next = end;
		memmove(out, p, (size_t)(next - p));
		out += next - p;
		p = next;
	}
	return (size_t)(out - text);
}

/* The token's text, with a NUL in the place of the closing quote. */
static char *
string(struct parser *p, size_t *len)
{
	char *text = p->text + p->token.at;

	*len = p->token.len;
	if (p->token.escaped)
		*len = unescape(text, *len);
	text[*len] = '\0';
	return text;
}

static int
by_key(const void *a, const void *b)
{
	const struct jdoc *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static bool
same_key(const struct jdoc *a, const struct jdoc *b)
{
	return a->key_len == b->key_len &&
	    memcmp(a->key, b->key, a->key_len) == 0;
}

static bool
has_twice_of_many(struct jdoc *const *members, size_t n)
{
	struct jdoc **sorted = mem_dup(members, n * sizeof(struct jdoc *));
	bool found = false;
	size_t i;

	qsort(sorted, n, sizeof(struct jdoc *), by_key);
	for (i = 1; i < n && !found; i++)
		found = same_key(sorted[i - 1], sorted[i]);
	free(sorted);
	return found;
}

/* A small number that is the same for the same key. */
static unsigned int
mix(const struct jdoc *member)
{
	const unsigned char *key = (const unsigned char *)member->key;
	unsigned int len = member->key_len;

	return len == 0 ? 0 :
	    (len * 5 + key[0] * 7u + key[len / 2] * 11u + key[len - 1]) % 64;
}

/* Only keys that share a bit of `seen' can be the same. */
static bool
has_twice(struct jdoc *const *members, size_t n)
{
	uint64_t seen = 0, bit;
	size_t i, k;

	if (n > FEW)
		return has_twice_of_many(members, n);
	for (i = 0; i < n; i++) {
		bit = (uint64_t)1 << mix(members[i]);
		for (k = 0; (seen & bit) != 0 && k < i; k++) {
			if (same_key(members[k], members[i]))
				return true;
		}
		seen |= bit;
	}
	return false;
}

static void
add_pending(struct parser *p, struct jdoc *node)
{
	if (p->n_pending == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->pending = mem_grow(p->pending, p->room,
		    sizeof(struct jdoc *));
	}
	p->pending[p->n_pending++] = node;
}

/* The next value, of the key before it, in its place. */
static struct jdoc *
add_value(struct parser *p, enum jdoc_type type)
{
	struct jdoc *node;

	p->values++;
	if (p->depth == 0) {
		p->root->type = (uint8_t)type;
		return p->root;
	}
	node = jdoc_node_new(p->root, type);
	node->key = p->key;
	node->key_len = (uint32_t)p->key_len;
	p->key = NULL;
	p->key_len = 0;
	add_pending(p, node);
	return node;
}

static void
open_level(struct parser *p, enum jdoc_type type)
{
	struct jdoc *node = add_value(p, type);

	p->levels[p->depth].node = node;
	p->levels[p->depth].first = p->n_pending;
	p->depth++;
}

static int
close_level(struct parser *p, struct err *err)
{
	struct level *level = &p->levels[--p->depth];
	struct jdoc **items = p->pending + level->first;
	size_t n = p->n_pending - level->first;

	p->n_pending = level->first;
	if (n == 0)
		return 0;
	if (level->node->type == JDOC_OBJECT && has_twice(items, n))
		return err_set(err, ERR_DATA,
		    "JSON: an object has the same key twice");
	level->node->items = jdoc_node_alloc(p->root,
	    n * sizeof(struct jdoc *));
	memcpy(level->node->items, items, n * sizeof(struct jdoc *));
	level->node->len = level->node->room = (uint32_t)n;
	return 0;
}

/* Read the value of a key that is left out: checked, and null. */
static int
skip_value(struct parser *p, struct err *err)
{
	unsigned int depth = p->scan.depth;

	do {
		if (jscan_next(&p->scan, &p->token, err) != 0)
			return -1;
	} while (p->scan.depth > depth);
	(void)add_value(p, JDOC_NULL);
	return 0;
}

static int
take_key(struct parser *p, struct err *err)
{
	p->key = string(p, &p->key_len);
	if (p->without && strcmp(p->key, p->without) == 0)
		return skip_value(p, err);
	return 0;
}

static void
take_string(struct parser *p)
{
	struct jdoc *node = add_value(p, JDOC_STRING);
	size_t len;

	node->text = string(p, &len);
	node->len = (uint32_t)len;
}

/* A number, true, false or null. */
static void
take_word(struct parser *p, enum jdoc_type type)
{
	struct jdoc *node = add_value(p, type);

	node->text = p->text + p->token.at;
	node->len = (uint32_t)p->token.len;
}

static int
take_token(struct parser *p, struct err *err)
{
	switch (p->token.type) {
	case JSCAN_OBJECT:
		open_level(p, JDOC_OBJECT);
		return 0;
	case JSCAN_ARRAY:
		open_level(p, JDOC_ARRAY);
		return 0;
	case JSCAN_CLOSE:
		return close_level(p, err);
	case JSCAN_KEY:
		return take_key(p, err);
	case JSCAN_STRING:
		take_string(p);
		return 0;
	case JSCAN_NUMBER:
		take_word(p, JDOC_NUMBER);
		return 0;
	case JSCAN_TRUE:
	case JSCAN_FALSE:
		take_word(p, JDOC_BOOL);
		return 0;
	case JSCAN_NULL:
		take_word(p, JDOC_NULL);
		return 0;
	default:
		return 0;
	}
}

static int
parse(struct parser *p, struct err *err)
{
	do {
		if (jscan_next(&p->scan, &p->token, err) != 0 ||
		    take_token(p, err) != 0)
			return -1;
		if (p->values > JDOC_VALUES)
			return err_set(err, ERR_DATA, "JSON: more values "
			    "than we take at byte %zu", p->scan.at);
	} while (p->token.type != JSCAN_END);
	return 0;
}

struct jdoc *
jdoc_parse_without(const char *text, size_t len, const char *key,
    struct err *err)
{
	struct parser p = { .without = key };
	int rc;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if (len > INT_MAX / 2) {
		err_set(err, ERR_DATA, "JSON: more than 1 GiB of text");
		return NULL;
	}

	/* Values cost about as much as their text. */
	p.root = jdoc_node_root(JDOC_NULL, 2 * len + 64);
	p.text = jdoc_node_keep(p.root, text, len);
	jscan_init(&p.scan, p.text, len);
	rc = parse(&p, err);
	free(p.pending);
	if (rc != 0) {
		jdoc_free(p.root);
		return NULL;
	}
	return p.root;
}

struct jdoc *
jdoc_parse(const char *text, size_t len, struct err *err)
{
	return jdoc_parse_without(text, len, NULL, err);
}
