#ifndef CORE_JSCAN_H
#define CORE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;

/*
 * One JSON document (RFC 8259) token by token, read once, without recursion
 * and without memory of its own.
 *
 *     struct jscan scan;
 *     struct jscan_token token;
 *
 *     jscan_init(&scan, text, len);
 *     do {
 *             if (jscan_next(&scan, &token, err) != 0)
 *                     return -1;
 *             ...
 *     } while (token.type != JSCAN_END);
 *
 * Tokens come in the order of a valid document: a caller needs no grammar of
 * its own.  A key is followed by its value, a value by what may follow it.
 * What has been given out is not looked at again, so a caller that owns the
 * text may change it up to the end of the last token.
 */

/* Levels of arrays and objects. */
#define JSCAN_DEPTH 64

enum jscan_type {
	JSCAN_END,		/* the document is whole; nothing behind it */
	JSCAN_OBJECT,		/* begins */
	JSCAN_ARRAY,		/* begins */
	JSCAN_CLOSE,		/* of the array or object last begun */
	JSCAN_KEY,
	JSCAN_STRING,
	JSCAN_NUMBER,
	JSCAN_TRUE,
	JSCAN_FALSE,
	JSCAN_NULL
};

struct jscan_token {
	enum jscan_type type;
	size_t at;		/* first byte; of a string inside its quotes */
	size_t len;
	bool escaped;		/* a string with a backslash in it */
};

struct jscan {
	const unsigned char *text;
	size_t len, at;
	int want;		/* of jscan.c */
	unsigned int depth;	/* arrays and objects that are open */
	unsigned char open[JSCAN_DEPTH];
};

void jscan_init(struct jscan *, const char *text, size_t len);

/*
 * Fails with ERR_DATA, the byte offset and what is wrong there: not JSON, cut
 * short, bytes behind the document, deeper than JSCAN_DEPTH, not UTF-8, an
 * integer that neither int64_t nor uint64_t holds, a key with U+0000 (a
 * C string of it would end there).
 */
int jscan_next(struct jscan *, struct jscan_token *, struct err *) MUST_CHECK;

/*
 * How many bytes at the beginning of data may stand in a JSON string as they
 * are and are ASCII.
 */
size_t jscan_plain(const char *data, size_t len);

#endif /* !CORE_JSCAN_H */
