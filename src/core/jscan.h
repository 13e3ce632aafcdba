#ifndef CORE_JSCAN_H
#define CORE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * Is this text one JSON document (RFC 8259), and one that json-c will keep as
 * it is?  Reads the text once, without recursion and without memory of its
 * own; jdoc_parse asks it before it lets json-c build the tree.
 */

/* Levels of arrays and objects. */
#define JSCAN_DEPTH 64

/*
 * What a tree costs: json-c 0.16 takes about 0.9 kB for `{}` and 0.4 kB for
 * `[]`, so two bytes from outside must not be allowed to ask for that
 * without an end.
 */
#define JSCAN_CONTAINERS 1000000
#define JSCAN_VALUES 8000000

struct jscan_count {
	size_t members;		/* "key": value pairs */
	size_t containers;	/* arrays and objects */
	size_t values;		/* all */
	unsigned int depth;	/* most levels that were open at once */
};

/* What is left out of a document on its way into a tree. */
struct jscan_less {
	const char *key;	/* members of this name; NULL: none */
	bool nulls;		/* members that are null, too */
	struct buf *out;	/* the text that is left; room for len + 4 */
};

/*
 * Fails with ERR_DATA, the byte offset and what is wrong there: not JSON, cut
 * short, bytes behind the document, deeper than JSCAN_DEPTH, not UTF-8, an
 * integer that neither int64_t nor uint64_t holds, a key with U+0000 (json-c
 * would cut it there), more containers or values than the limits above.
 *
 * less   NULL, or what is left out: not counted, and checked but for what
 *        stands behind the first number of an array of them.  Without nulls
 *        the value of such a member becomes null, with it the member goes
 * count  of what is left
 */
int jscan_check(const char *text, size_t len, const struct jscan_less *less,
    struct jscan_count *count, struct err *) MUST_CHECK;

/*
 * How many bytes at the beginning of data are ASCII and may stand in a JSON
 * string as they are.
 */
size_t jscan_plain(const char *data, size_t len);

#endif /* !CORE_JSCAN_H */
