#include "base/base.h"

#include <assert.h>

#include "core/jdoc_node.h"

/* Room in a tree that begins with one value, for what will come to it. */
#define ROOM_OBJECT 512
#define ROOM_ARRAY 64

void
jdoc_free(struct jdoc *take)
{
	if (take)
		jdoc_node_free(take);
}

/* Null is told by NULL, in an array as in an object. */
static struct jdoc *
lend(struct jdoc *node)
{
	return node && node->type != JDOC_NULL ? node : NULL;
}

enum jdoc_type
jdoc_type(const struct jdoc *value)
{
	return value ? (enum jdoc_type)value->type : JDOC_NULL;
}

/* Where a key is among the members; their number when it is not there. */
static uint32_t
find(const struct jdoc *object, const char *key)
{
	size_t len = strlen(key);
	const struct jdoc *member;
	uint32_t i;

	for (i = 0; i < object->len; i++) {
		member = object->items[i];
		if (member->key_len == len &&
		    memcmp(member->key, key, len) == 0)
			break;
	}
	return i;
}

struct jdoc *
jdoc_edit(struct jdoc *object, const char *key)
{
	uint32_t i;

	if (jdoc_type(object) != JDOC_OBJECT)
		return NULL;
	i = find(object, key);
	return i < object->len ? lend(object->items[i]) : NULL;
}

struct jdoc *
jdoc_edit_at(struct jdoc *array, size_t index)
{
	if (jdoc_type(array) != JDOC_ARRAY || index >= array->len)
		return NULL;
	return lend(array->items[index]);
}

const struct jdoc *
jdoc_get(const struct jdoc *object, const char *key)
{
	return jdoc_edit((struct jdoc *)(uintptr_t)object, key);
}

const struct jdoc *
jdoc_at(const struct jdoc *array, size_t index)
{
	return jdoc_edit_at((struct jdoc *)(uintptr_t)array, index);
}

bool
jdoc_has(const struct jdoc *object, const char *key)
{
	return jdoc_type(object) == JDOC_OBJECT &&
	    find(object, key) < object->len;
}

size_t
jdoc_len(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_ARRAY ||
	    jdoc_type(value) == JDOC_OBJECT ? value->len : 0;
}

const char *
jdoc_str(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_STRING ? value->text : NULL;
}

size_t
jdoc_str_len(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_STRING ? value->len : 0;
}

/* A number with a fraction or exponent is cut; both clamp. */
int64_t
jdoc_int(const struct jdoc *value)
{
	char text[64];
	double number;

	if (jdoc_type(value) != JDOC_NUMBER)
		return 0;
	(void)snprintf(text, sizeof(text), "%.*s", (int)value->len,
	    value->text);
	if (strpbrk(text, ".eE") == NULL)
		return strtoll(text, NULL, 10);
	number = strtod(text, NULL);
	if (number >= 0x1p63)
		return INT64_MAX;
	return number <= -0x1p63 ? INT64_MIN : (int64_t)number;
}

bool
jdoc_bool(const struct jdoc *value)
{
	return jdoc_type(value) == JDOC_BOOL && value->text[0] == 't';
}

const char *
jdoc_get_str(const struct jdoc *object, const char *key)
{
	return jdoc_str(jdoc_get(object, key));
}

bool
jdoc_next(const struct jdoc *object, struct jdoc_member *m)
{
	struct jdoc *const *at = m->state;

	if (jdoc_type(object) != JDOC_OBJECT || object->len == 0)
		return false;
	at = at ? at + 1 : object->items;
	if (at == object->items + object->len)
		return false;
	m->state = at;
	m->key = (*at)->key;
	m->value = lend(*at);
	return true;
}

/* The texts of the words of JSON; a static one is as good as a tree's. */
static void
set_bool(struct jdoc *node, bool value)
{
	node->text = value ? "true" : "false";
	node->len = value ? 4 : 5;
}

static void
set_text(struct jdoc *node, const char *text, size_t len)
{
	assert(len <= INT_MAX);
	node->text = jdoc_node_keep(node, text, len);
	node->len = (uint32_t)len;
}

struct jdoc *
jdoc_new_object(void)
{
	return jdoc_node_root(JDOC_OBJECT, ROOM_OBJECT);
}

struct jdoc *
jdoc_new_array(void)
{
	return jdoc_node_root(JDOC_ARRAY, ROOM_ARRAY);
}

struct jdoc *
jdoc_new_str(const char *s)
{
	return jdoc_new_strn(s, strlen(s));
}

struct jdoc *
jdoc_new_strn(const char *s, size_t len)
{
	struct jdoc *node = jdoc_node_root(JDOC_STRING, len + 8);

	set_text(node, s, len);
	return node;
}

struct jdoc *
jdoc_new_int(int64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, value);
	struct jdoc *node = jdoc_node_root(JDOC_NUMBER, sizeof(text));

	set_text(node, text, (size_t)len);
	return node;
}

struct jdoc *
jdoc_new_bool(bool value)
{
	struct jdoc *node = jdoc_node_root(JDOC_BOOL, 0);

	set_bool(node, value);
	return node;
}

/* What a copy takes besides its root. */
static size_t
copy_room(const struct jdoc *from)
{
	size_t room = sizeof(*from) + sizeof(void *) + from->key_len + 16;
	uint32_t i;

	switch (jdoc_type(from)) {
	case JDOC_ARRAY:
	case JDOC_OBJECT:
		for (i = 0; i < from->len; i++)
			room += copy_room(from->items[i]);
		return room;
	default:
		return room + from->len;
	}
}

/* Fill node, which is in the tree it is meant for. */
static void
copy_into(struct jdoc *node, const struct jdoc *from)
{
	struct jdoc *item;
	uint32_t i;

	switch (jdoc_type(from)) {
	case JDOC_NULL:
		return;
	case JDOC_BOOL:
		set_bool(node, jdoc_bool(from));
		return;
	case JDOC_ARRAY:
	case JDOC_OBJECT:
		if (from->len == 0)
			return;
		node->items = jdoc_node_alloc(node,
		    from->len * sizeof(struct jdoc *));
		node->room = from->len;
		break;
	default:
		set_text(node, from->text, from->len);
		return;
	}
	for (i = 0; i < from->len; i++) {
		item = jdoc_node_new(node, jdoc_type(from->items[i]));
		if (from->type == JDOC_OBJECT) {
			item->key_len = from->items[i]->key_len;
			item->key = jdoc_node_keep(node, from->items[i]->key,
			    item->key_len);
		}
		copy_into(item, from->items[i]);
		node->items[node->len++] = item;
	}
}

struct jdoc *
jdoc_copy(const struct jdoc *from)
{
	struct jdoc *copy = jdoc_node_root(jdoc_type(from),
	    from ? copy_room(from) : 0);

	if (from)
		copy_into(copy, from);
	return copy;
}

/* Put a value that is in the tree already at a key. */
static void
put(struct jdoc *object, const char *key, struct jdoc *node)
{
	uint32_t i;

	assert(jdoc_type(object) == JDOC_OBJECT);
	i = find(object, key);
	if (i < object->len) {
		node->key = object->items[i]->key;
		node->key_len = object->items[i]->key_len;
		object->items[i] = node;
		return;
	}
	node->key_len = (uint32_t)strlen(key);
	node->key = jdoc_node_keep(object, key, node->key_len);
	jdoc_node_append(object, node);
}

void
jdoc_set(struct jdoc *object, const char *key, struct jdoc *take)
{
	if (take)
		jdoc_node_join(object, take);
	else
		take = jdoc_node_new(object, JDOC_NULL);
	put(object, key, take);
}

void
jdoc_set_str(struct jdoc *object, const char *key, const char *s)
{
	struct jdoc *node = jdoc_node_new(object, JDOC_STRING);

	set_text(node, s, strlen(s));
	put(object, key, node);
}

void
jdoc_set_null(struct jdoc *object, const char *key)
{
	jdoc_set(object, key, NULL);
}

void
jdoc_remove(struct jdoc *object, const char *key)
{
	uint32_t i;

	if (jdoc_type(object) != JDOC_OBJECT)
		return;
	i = find(object, key);
	if (i == object->len)
		return;
	object->len--;
	memmove(object->items + i, object->items + i + 1,
	    (object->len - i) * sizeof(struct jdoc *));
}

void
jdoc_push(struct jdoc *array, struct jdoc *take)
{
	assert(jdoc_type(array) == JDOC_ARRAY);
	if (take)
		jdoc_node_join(array, take);
	else
		take = jdoc_node_new(array, JDOC_NULL);
	jdoc_node_append(array, take);
}
