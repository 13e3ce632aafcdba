#include "base/base.h"

#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc_node.h"
#include "core/jscan.h"

/*
 * A document of 64 levels may be put a few levels down into one of ours.
 * More than this is a loop of our own making.
 */
#define WRITE_DEPTH 128

/* Members of an object that are sorted without asking for memory. */
#define FEW 32

/* Bytes of s that can stand in a JSON string as they are. */
static size_t
plain_run(const char *s, size_t len)
{
	size_t at = 0, n;

	for (;;) {
		at += jscan_plain(s + at, len - at);
		if (at == len || (unsigned char)s[at] < 0x80)
			return at;
		n = str_utf8_char(s + at, len - at);
		if (n == 0)
			return at;
		at += n;
	}
}

static void
write_escape(unsigned char c, struct buf *out)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c ? strchr(from, c) : NULL;

	if (c >= 0x80) {
		buf_str(out, "\xef\xbf\xbd");
	} else if (found) {
		buf_char(out, '\\');
		buf_char(out, to[found - from]);
	} else {
		buf_printf(out, "\\u%04x", (unsigned int)c);
	}
}

void
jdoc_write_str(const char *s, size_t len, struct buf *out)
{
	size_t n;

	buf_char(out, '"');
	while (len > 0) {
		n = plain_run(s, len);
		buf_add(out, s, n);
		s += n;
		len -= n;
		if (len > 0) {
			write_escape((unsigned char)*s, out);
			s++;
			len--;
		}
	}
	buf_char(out, '"');
}

static void write_value(const struct jdoc *, struct buf *, bool canonical,
    unsigned int depth);

static int
by_key(const void *a, const void *b)
{
	const struct jdoc *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static void
write_members(struct jdoc *const *members, size_t n, struct buf *out,
    bool canonical, unsigned int depth)
{
	size_t i;

	buf_char(out, '{');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_char(out, ',');
		jdoc_write_str(members[i]->key, members[i]->key_len, out);
		buf_char(out, ':');
		write_value(members[i], out, canonical, depth + 1);
	}
	buf_char(out, '}');
}

/* In the order of their keys, and without those that are null. */
static void
write_sorted(const struct jdoc *object, struct buf *out, unsigned int depth)
{
	struct jdoc *few[FEW], **order = few;
	size_t n = 0, i;

	if (object->len > FEW)
		order = mem_grow(NULL, object->len, sizeof(struct jdoc *));
	for (i = 0; i < object->len; i++) {
		if (object->items[i]->type != JDOC_NULL)
			order[n++] = object->items[i];
	}
	qsort(order, n, sizeof(struct jdoc *), by_key);
	write_members(order, n, out, true, depth);
	if (order != few)
		free(order);
}

static void
write_array(const struct jdoc *array, struct buf *out, bool canonical,
    unsigned int depth)
{
	size_t i;

	buf_char(out, '[');
	for (i = 0; i < array->len; i++) {
		if (i > 0)
			buf_char(out, ',');
		write_value(array->items[i], out, canonical, depth + 1);
	}
	buf_char(out, ']');
}

static void
write_value(const struct jdoc *value, struct buf *out, bool canonical,
    unsigned int depth)
{
	assert(depth < WRITE_DEPTH);
	switch (jdoc_type(value)) {
	case JDOC_OBJECT:
		if (canonical)
			write_sorted(value, out, depth);
		else
			write_members(value->items, value->len, out, false,
			    depth);
		break;
	case JDOC_ARRAY:
		write_array(value, out, canonical, depth);
		break;
	case JDOC_STRING:
		jdoc_write_str(value->text, value->len, out);
		break;
	case JDOC_NULL:
		buf_str(out, "null");
		break;
	default:
		buf_add(out, value->text, value->len);
		break;
	}
}

void
jdoc_write(const struct jdoc *value, struct buf *out)
{
	write_value(value, out, false, 0);
}

void
jdoc_write_canonical(const struct jdoc *value, struct buf *out)
{
	write_value(value, out, true, 0);
}
