#include "base/base.h"

#include <assert.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/jscan.h"

/*
 * A document of 64 levels may be put a few levels down into one of ours.
 * More than this is a loop of our own making.
 */
#define WRITE_DEPTH 128

/*
 * json-c says null with a null pointer, and so does a failed jdoc_parse.
 * The document `null` is told apart by this address, which is never read.
 */
static const char null_document = 0;

static struct json_object *
node(const struct jdoc *doc)
{
	if ((const void *)doc == (const void *)&null_document)
		return NULL;
	return (struct json_object *)(uintptr_t)doc;
}

static struct jdoc *
doc(struct json_object *object)
{
	return (struct jdoc *)object;
}

/* The same, for a value that its caller owns: never NULL. */
static struct jdoc *
owned(struct json_object *object)
{
	if (!object)
		return (struct jdoc *)(uintptr_t)&null_document;
	return doc(object);
}

/* json-c tells of no memory with NULL; mem.h says what we do then. */
static struct json_object *
must(struct json_object *object)
{
	if (!object)
		abort();
	return object;
}

static size_t
count_members(struct json_object *object, unsigned int depth)
{
	struct lh_entry *e;
	size_t n = 0, i;

	assert(depth < WRITE_DEPTH);
	if (json_object_is_type(object, json_type_array)) {
		for (i = 0; i < json_object_array_length(object); i++)
			n += count_members(json_object_array_get_idx(object,
			    i), depth + 1);
	} else if (json_object_is_type(object, json_type_object)) {
		lh_foreach(json_object_get_object(object), e)
			n += 1 + count_members(
			    (struct json_object *)(uintptr_t)lh_entry_v(e),
			    depth + 1);
	}
	return n;
}

/* text has passed jscan_check: what fails here is a limit of json-c. */
static struct json_object *
build(const char *text, size_t len, unsigned int depth,
    enum json_tokener_error *code)
{
	struct json_tokener *tokener;
	struct json_object *object;

	/* Its count of levels includes the leaves'. */
	tokener = json_tokener_new_ex((int)depth + 2);
	if (!tokener)
		abort();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)len);
	*code = json_tokener_get_error(tokener);
	if (*code == json_tokener_continue) {
		/* A bare number ends where the text ends. */
		object = json_tokener_parse_ex(tokener, "", 1);
		*code = json_tokener_get_error(tokener);
	}
	json_tokener_free(tokener);
	return object;
}

static struct jdoc *
parse(const char *text, size_t len, const struct jscan_less *less,
    struct err *err)
{
	enum json_tokener_error code;
	struct jscan_count count;
	struct json_object *object;

	if (jscan_check(text, len, less, &count, err) != 0)
		return NULL;
	if (less) {
		if (buf_check(less->out, "JSON", err) != 0)
			return NULL;
		text = less->out->data;
		len = less->out->len;
	}
	object = build(text, len, count.depth, &code);
	if (code != json_tokener_success) {
		json_object_put(object);
		err_set(err, ERR_DATA, "JSON: %s",
		    json_tokener_error_desc(code));
		return NULL;
	}
	if (count_members(object, 0) != count.members) {
		json_object_put(object);
		err_set(err, ERR_DATA,
		    "JSON: an object has the same key twice");
		return NULL;
	}
	return owned(object);
}

static struct jdoc *
parse_less(const char *text, size_t len, const char *key, bool nulls,
    struct err *err)
{
	struct buf left;
	struct jscan_less less = { .key = key, .nulls = nulls, .out = &left };
	struct jdoc *result;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if (len > INT_MAX / 2) {
		err_set(err, ERR_DATA, "JSON: more than 1 GiB of text");
		return NULL;
	}
	buf_init(&left, len + 4);
	result = parse(text, len, key || nulls ? &less : NULL, err);
	buf_clear(&left);
	return result;
}

struct jdoc *
jdoc_parse_without(const char *text, size_t len, const char *key,
    struct err *err)
{
	return parse_less(text, len, key, false, err);
}

struct jdoc *
jdoc_parse_set(const char *text, size_t len, const char *key,
    struct err *err)
{
	return parse_less(text, len, key, true, err);
}

struct jdoc *
jdoc_parse(const char *text, size_t len, struct err *err)
{
	return parse_less(text, len, NULL, false, err);
}

void
jdoc_free(struct jdoc *take)
{
	json_object_put(node(take));
}

struct jdoc *
jdoc_copy(const struct jdoc *from)
{
	struct json_object *copy = NULL;

	/* Nothing here changes a string or number: two trees may have it. */
	if (jdoc_type(from) != JDOC_ARRAY && jdoc_type(from) != JDOC_OBJECT)
		return owned(json_object_get(node(from)));
	if (json_object_deep_copy(node(from), &copy, NULL) != 0)
		abort();
	return owned(copy);
}

enum jdoc_type
jdoc_type(const struct jdoc *value)
{
	switch (json_object_get_type(node(value))) {
	case json_type_boolean:
		return JDOC_BOOL;
	case json_type_double:
	case json_type_int:
		return JDOC_NUMBER;
	case json_type_string:
		return JDOC_STRING;
	case json_type_array:
		return JDOC_ARRAY;
	case json_type_object:
		return JDOC_OBJECT;
	default:
		return JDOC_NULL;
	}
}

const struct jdoc *
jdoc_get(const struct jdoc *object, const char *key)
{
	return jdoc_edit((struct jdoc *)(uintptr_t)object, key);
}

bool
jdoc_has(const struct jdoc *object, const char *key)
{
	return jdoc_type(object) == JDOC_OBJECT &&
	    json_object_object_get_ex(node(object), key, NULL);
}

size_t
jdoc_len(const struct jdoc *value)
{
	switch (jdoc_type(value)) {
	case JDOC_ARRAY:
		return json_object_array_length(node(value));
	case JDOC_OBJECT:
		return (size_t)json_object_object_length(node(value));
	default:
		return 0;
	}
}

const struct jdoc *
jdoc_at(const struct jdoc *array, size_t index)
{
	return jdoc_edit_at((struct jdoc *)(uintptr_t)array, index);
}

const char *
jdoc_str(const struct jdoc *value)
{
	if (jdoc_type(value) != JDOC_STRING)
		return NULL;
	return json_object_get_string(node(value));
}

size_t
jdoc_str_len(const struct jdoc *value)
{
	if (jdoc_type(value) != JDOC_STRING)
		return 0;
	return (size_t)json_object_get_string_len(node(value));
}

int64_t
jdoc_int(const struct jdoc *value)
{
	if (jdoc_type(value) != JDOC_NUMBER)
		return 0;
	return json_object_get_int64(node(value));
}

bool
jdoc_bool(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_BOOL &&
	    json_object_get_boolean(node(value));
}

const char *
jdoc_get_str(const struct jdoc *object, const char *key)
{
	return jdoc_str(jdoc_get(object, key));
}

bool
jdoc_is(const struct jdoc *object, const char *key, const char *text)
{
	const char *s = jdoc_get_str(object, key);

	return s && str_eq(s, text);
}

bool
jdoc_next(const struct jdoc *object, struct jdoc_member *m)
{
	const struct lh_entry *e;

	if (jdoc_type(object) != JDOC_OBJECT)
		return false;
	if (m->state)
		e = ((const struct lh_entry *)m->state)->next;
	else
		e = json_object_get_object(node(object))->head;
	m->state = e;
	if (!e)
		return false;
	m->key = lh_entry_k(e);
	m->value = lh_entry_v(e);
	return true;
}

struct jdoc *
jdoc_new_object(void)
{
	return doc(must(json_object_new_object()));
}

struct jdoc *
jdoc_new_array(void)
{
	return doc(must(json_object_new_array()));
}

struct jdoc *
jdoc_new_str(const char *s)
{
	return jdoc_new_strn(s, strlen(s));
}

struct jdoc *
jdoc_new_strn(const char *s, size_t len)
{
	assert(len <= INT_MAX);
	return doc(must(json_object_new_string_len(s, (int)len)));
}

struct jdoc *
jdoc_new_int(int64_t value)
{
	return doc(must(json_object_new_int64(value)));
}

struct jdoc *
jdoc_new_bool(bool value)
{
	return doc(must(json_object_new_boolean(value)));
}

void
jdoc_set(struct jdoc *object, const char *key, struct jdoc *take)
{
	assert(jdoc_type(object) == JDOC_OBJECT);
	if (json_object_object_add(node(object), key, node(take)) != 0)
		abort();
}

void
jdoc_set_str(struct jdoc *object, const char *key, const char *s)
{
	jdoc_set(object, key, jdoc_new_str(s));
}

void
jdoc_set_null(struct jdoc *object, const char *key)
{
	jdoc_set(object, key, NULL);
}

void
jdoc_remove(struct jdoc *object, const char *key)
{
	if (jdoc_type(object) == JDOC_OBJECT)
		json_object_object_del(node(object), key);
}

void
jdoc_push(struct jdoc *array, struct jdoc *take)
{
	assert(jdoc_type(array) == JDOC_ARRAY);
	if (json_object_array_add(node(array), node(take)) != 0)
		abort();
}

void
jdoc_put(struct jdoc *array, size_t index, struct jdoc *take)
{
	assert(index < jdoc_len(array));
	if (json_object_array_put_idx(node(array), index, node(take)) != 0)
		abort();
}

struct jdoc *
jdoc_edit(struct jdoc *object, const char *key)
{
	if (jdoc_type(object) != JDOC_OBJECT)
		return NULL;
	return doc(json_object_object_get(node(object), key));
}

struct jdoc *
jdoc_edit_at(struct jdoc *array, size_t index)
{
	if (jdoc_type(array) != JDOC_ARRAY)
		return NULL;
	return doc(json_object_array_get_idx(node(array), index));
}

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

static void write_value(struct json_object *, struct buf *, bool canonical,
    unsigned int depth);

static int
by_key(const void *a, const void *b)
{
	const struct lh_entry *const *x = a, *const *y = b;

	return strcmp(lh_entry_k(*x), lh_entry_k(*y));
}

static void
write_object(struct json_object *object, struct buf *out, bool canonical,
    unsigned int depth)
{
	struct lh_table *table = json_object_get_object(object);
	struct lh_entry *e, **order;
	size_t n = 0, i;

	order = mem_grow(NULL, (size_t)lh_table_length(table) + 1,
	    sizeof(struct lh_entry *));
	lh_foreach(table, e) {
		if (lh_entry_v(e) || !canonical)
			order[n++] = e;
	}
	if (canonical)
		qsort(order, n, sizeof(struct lh_entry *), by_key);
	buf_char(out, '{');
	for (i = 0; i < n; i++) {
		const char *key = lh_entry_k(order[i]);

		if (i > 0)
			buf_char(out, ',');
		jdoc_write_str(key, strlen(key), out);
		buf_char(out, ':');
		write_value((struct json_object *)(uintptr_t)
		    lh_entry_v(order[i]), out, canonical, depth + 1);
	}
	buf_char(out, '}');
	free(order);
}

static void
write_array(struct json_object *array, struct buf *out, bool canonical,
    unsigned int depth)
{
	size_t i, n = json_object_array_length(array);

	buf_char(out, '[');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_char(out, ',');
		write_value(json_object_array_get_idx(array, i), out,
		    canonical, depth + 1);
	}
	buf_char(out, ']');
}

static void
write_value(struct json_object *value, struct buf *out, bool canonical,
    unsigned int depth)
{
	assert(depth < WRITE_DEPTH);
	switch (json_object_get_type(value)) {
	case json_type_object:
		write_object(value, out, canonical, depth);
		break;
	case json_type_array:
		write_array(value, out, canonical, depth);
		break;
	case json_type_string:
		jdoc_write_str(json_object_get_string(value),
		    (size_t)json_object_get_string_len(value), out);
		break;
	case json_type_null:
		buf_str(out, "null");
		break;
	default:
		buf_str(out, json_object_to_json_string_ext(value,
		    JSON_C_TO_STRING_PLAIN));
		break;
	}
}

void
jdoc_write(const struct jdoc *value, struct buf *out)
{
	write_value(node(value), out, false, 0);
}

void
jdoc_write_canonical(const struct jdoc *value, struct buf *out)
{
	write_value(node(value), out, true, 0);
}
