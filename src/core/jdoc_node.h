#ifndef CORE_JDOC_NODE_H
#define CORE_JDOC_NODE_H

#include <stdint.h>

#include "core/jdoc.h"

/*
 * The values of core/jdoc.h as they lie in memory; for its own files alone.
 *
 * A tree lives in one arena: memory that is handed out piece by piece and
 * given back at once, when the tree is freed.  What is removed or replaced
 * before that stays until then, so a tree is not for values that change for
 * ever.  When a tree takes a value, the value's arena becomes part of the
 * tree's.  No value moves, so a pointer to one holds as long as its tree.
 */
struct jdoc_arena;

struct jdoc {
	struct jdoc_arena *arena;	/* maybe a part of another by now */
	const char *key;		/* of a member, with a NUL behind */
	union {
		const char *text;	/* of a string: its bytes and a NUL; of
					 * a number, bool, null: its JSON */
		struct jdoc **items;	/* of an array or object */
	};
	uint32_t key_len;
	uint32_t len;			/* bytes of text, or items */
	uint32_t room;			/* for items */
	uint8_t type;			/* enum jdoc_type */
};

/* A value with an arena of its own, and room in it for what comes to it. */
struct jdoc *jdoc_node_root(enum jdoc_type, size_t room_bytes);
/* Free the tree of this root. */
void jdoc_node_free(struct jdoc *root);

/* These live as long as the tree of node: memory, a value, a copied text. */
void *jdoc_node_alloc(struct jdoc *node, size_t size);
struct jdoc *jdoc_node_new(struct jdoc *node, enum jdoc_type);
char *jdoc_node_keep(struct jdoc *node, const char *text, size_t len);

/* Make the tree of take, which is its root, a part of that of node. */
void jdoc_node_join(struct jdoc *node, struct jdoc *take);
/* Put item behind the others of an array or object of the same tree. */
void jdoc_node_append(struct jdoc *parent, struct jdoc *item);

#endif /* !CORE_JDOC_NODE_H */
