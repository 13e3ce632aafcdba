#ifndef CORE_JDOC_H
#define CORE_JDOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * One bounded JSON document as a tree: a listing page, a row, a request body.
 * jdoc.c alone sees json-c.  Numbers are written back with the text they were
 * read with (`0.7`, `1e400`); object keys keep their order; strings may hold
 * U+0000 and carry a length.  What json-c 0.16 changes, as seen: an escaped
 * surrogate without its pair becomes U+FFFD, the integer `-0` becomes `0`.
 *
 * A struct jdoc is one value.  Who owns it:
 *   - jdoc_parse, jdoc_copy and the jdoc_new_* functions give a value that
 *     the caller owns and either frees or hands on;
 *   - functions with `take` in a comment own their value argument from then on;
 *   - jdoc_get, jdoc_at and jdoc_next lend a value that its parent owns.
 */
struct jdoc;

enum jdoc_type {
	JDOC_NULL,
	JDOC_BOOL,
	JDOC_NUMBER,
	JDOC_STRING,
	JDOC_ARRAY,
	JDOC_OBJECT
};

/*
 * Parse exactly one document; a UTF-8 byte order mark before it is skipped,
 * only blanks may follow it.
 *
 * Fails with ERR_DATA and the byte offset: not JSON, cut short, not UTF-8,
 * nested deeper than 64 levels, an integer that 64 bits do not hold (json-c
 * 0.16 would silently clamp it), a key with U+0000, more values than
 * core/jscan.h allows.  An object key given twice fails too, without offset
 * (json-c would let the last one win).
 */
struct jdoc *jdoc_parse(const char *text, size_t len, struct err *)
    MUST_CHECK;
/*
 * The same, with the value of every member called `key`, at any level, taken
 * for null before memory is spent on it: the `embedding` of a passage is 4096
 * numbers that nobody here reads.
 */
struct jdoc *jdoc_parse_without(const char *text, size_t len,
    const char *key, struct err *) MUST_CHECK;
/*
 * The same, with every member that is null, or called `key' (NULL: none), left
 * out before memory is spent on it: more than half of an item of a listing.
 * A key that is given twice, once as null, is not noticed.
 */
struct jdoc *jdoc_parse_set(const char *text, size_t len, const char *key,
    struct err *) MUST_CHECK;
void jdoc_free(struct jdoc *);
struct jdoc *jdoc_copy(const struct jdoc *);		/* deep */

/* The type; JDOC_NULL for C's NULL too. */
enum jdoc_type jdoc_type(const struct jdoc *);

/*
 * Look into a value.  Asking a value of another type is not an error: it
 * gives NULL, 0 or false, so a chain of questions needs one check at its end.
 */
const struct jdoc *jdoc_get(const struct jdoc *object, const char *key);
bool jdoc_has(const struct jdoc *object, const char *key);
size_t jdoc_len(const struct jdoc *array_or_object);
const struct jdoc *jdoc_at(const struct jdoc *array, size_t index);
const char *jdoc_str(const struct jdoc *);		/* NUL-terminated */
size_t jdoc_str_len(const struct jdoc *);		/* bytes */
int64_t jdoc_int(const struct jdoc *);	/* cut or clamped to fit */
bool jdoc_bool(const struct jdoc *);
/* jdoc_str(jdoc_get(object, key)): NULL when absent or not a string. */
const char *jdoc_get_str(const struct jdoc *object, const char *key);
/* Whether that is this text. */
bool jdoc_is(const struct jdoc *object, const char *key, const char *text);

/*
 * Walk an object in the order of its text.
 *
 *     struct jdoc_member m = { 0 };
 *
 *     while (jdoc_next(object, &m))
 *             ... m.key, m.value ...
 */
struct jdoc_member {
	const char *key;
	const struct jdoc *value;
	const void *state;	/* of jdoc_next */
};
bool jdoc_next(const struct jdoc *object, struct jdoc_member *);

/* Build. */
struct jdoc *jdoc_new_object(void);
struct jdoc *jdoc_new_array(void);
struct jdoc *jdoc_new_str(const char *);
struct jdoc *jdoc_new_strn(const char *, size_t len);
struct jdoc *jdoc_new_int(int64_t);
struct jdoc *jdoc_new_bool(bool);
void jdoc_set(struct jdoc *object, const char *key, struct jdoc *take);
void jdoc_set_str(struct jdoc *object, const char *key, const char *);
void jdoc_set_null(struct jdoc *object, const char *key);
void jdoc_remove(struct jdoc *object, const char *key);
void jdoc_push(struct jdoc *array, struct jdoc *take);
/* In place of the value that is at index. */
void jdoc_put(struct jdoc *array, size_t index, struct jdoc *take);
/* The value at key of a tree that the caller owns, to change it in place. */
struct jdoc *jdoc_edit(struct jdoc *object, const char *key);
struct jdoc *jdoc_edit_at(struct jdoc *array, size_t index);

/*
 * Append the value's JSON text, without blanks, "/" not escaped.  Bytes of a
 * string that are not UTF-8 (only jdoc_new_str can bring some) come out as
 * U+FFFD, so the text is always JSON.
 */
void jdoc_write(const struct jdoc *, struct buf *out);
/*
 * The same with the keys of every object sorted by bytes, so that equal
 * values give equal text.  Members whose value is null are left out: the
 * servers write and omit them at will (facts: see core/verdict.h).
 */
void jdoc_write_canonical(const struct jdoc *, struct buf *out);
/* Append s as a JSON string with its quotes; bytes that are not UTF-8 as
 * above. */
void jdoc_write_str(const char *s, size_t len, struct buf *out);

#endif /* !CORE_JDOC_H */
