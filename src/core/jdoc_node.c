#include "base/base.h"

#include "base/mem.h"
#include "core/jdoc_node.h"

/* A piece of memory; the first of an arena holds the arena itself, too. */
struct chunk {
	struct chunk *next;
};

struct jdoc_arena {
	struct jdoc_arena *into;	/* which it is a part of, or NULL */
	struct chunk *first, *last;
	char *at, *end;			/* what is free in one of them */
	size_t next_size;
};

#define ALIGN sizeof(void *)
#define CHUNK_FIRST 512
#define CHUNK_MOST 65536

static size_t
rounded(size_t size)
{
	return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static struct jdoc_arena *
arena_new(size_t room)
{
	size_t head = rounded(sizeof(struct chunk)) +
	    rounded(sizeof(struct jdoc_arena));
	struct chunk *chunk = mem_alloc(head + room);
	struct jdoc_arena *arena = (struct jdoc_arena *)(void *)
	    ((char *)chunk + rounded(sizeof(*chunk)));

	chunk->next = NULL;
	*arena = (struct jdoc_arena){
		.first = chunk,
		.last = chunk,
		.at = (char *)chunk + head,
		.end = (char *)chunk + head + room,
		.next_size = CHUNK_FIRST,
	};
	return arena;
}

/* The whole that an arena is a part of; the way there gets shorter. */
static struct jdoc_arena *
whole(struct jdoc_arena *arena)
{
	while (arena->into) {
		if (arena->into->into)
			arena->into = arena->into->into;
		arena = arena->into;
	}
	return arena;
}

static void *
arena_alloc(struct jdoc_arena *arena, size_t size)
{
	struct chunk *chunk;
	size_t room;
	void *found;

	size = rounded(size);
	if (size > (size_t)(arena->end - arena->at)) {
		room = size > arena->next_size ? size : arena->next_size;
		chunk = mem_alloc(rounded(sizeof(*chunk)) + room);
		chunk->next = NULL;
		arena->last->next = chunk;
		arena->last = chunk;
		arena->at = (char *)chunk + rounded(sizeof(*chunk));
		arena->end = arena->at + room;
		if (arena->next_size < CHUNK_MOST)
			arena->next_size *= 2;
	}
	found = arena->at;
	arena->at += size;
	return found;
}

static struct jdoc *
new_node(struct jdoc_arena *arena, enum jdoc_type type)
{
	struct jdoc *node = arena_alloc(arena, sizeof(*node));

	*node = (struct jdoc){ .arena = arena, .type = (uint8_t)type };
	return node;
}

struct jdoc *
jdoc_node_root(enum jdoc_type type, size_t room_bytes)
{
	return new_node(arena_new(room_bytes + rounded(sizeof(struct jdoc))),
	    type);
}

void *
jdoc_node_alloc(struct jdoc *node, size_t size)
{
	return arena_alloc(whole(node->arena), size);
}

struct jdoc *
jdoc_node_new(struct jdoc *node, enum jdoc_type type)
{
	return new_node(whole(node->arena), type);
}

char *
jdoc_node_keep(struct jdoc *node, const char *text, size_t len)
{
	char *copy = jdoc_node_alloc(node, len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void
jdoc_node_append(struct jdoc *parent, struct jdoc *item)
{
	struct jdoc **items;
	uint32_t room;

	if (parent->len == parent->room) {
		room = parent->room ? parent->room * 2 : 4;
		items = jdoc_node_alloc(parent, room * sizeof(struct jdoc *));
		if (parent->len > 0)
			memcpy(items, parent->items,
			    parent->len * sizeof(struct jdoc *));
		parent->items = items;
		parent->room = room;
	}
	parent->items[parent->len++] = item;
}

void
jdoc_node_join(struct jdoc *node, struct jdoc *take)
{
	struct jdoc_arena *to = whole(node->arena);
	struct jdoc_arena *from = whole(take->arena);

	if (to == from)
		return;
	to->last->next = from->first;
	to->last = from->last;
	from->into = to;
}

void
jdoc_node_free(struct jdoc *root)
{
	struct chunk *chunk = whole(root->arena)->first, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
}
