#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;

/* Small questions about C strings.  NULL is allowed nowhere. */

bool str_eq(const char *, const char *);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* "sh" of "/bin/sh": what is behind the last slash. */
const char *str_base(const char *path);

/* Whether word is one of words, which have one blank between them. */
bool str_has_word(const char *words, const char *word);

/*
 * A decimal number and nothing else: no sign, no blank, no more than max.
 * False, and *out as it was, for anything else.
 */
bool str_u64(const char *s, uint64_t max, uint64_t *out) MUST_CHECK;

/*
 * The entry of names (ended by NULL) that is the fewest edits away from
 * word, for "did you mean"; NULL when none is near (more than a third of
 * its letters wrong).
 */
const char *str_nearest(const char *word, const char *const *names);

/* len bytes as 2 * len lower-case hexadecimal digits; out gets a NUL. */
void str_hex(const void *data, size_t len, char *out);

/*
 * Bytes of the UTF-8 character that data (len > 0 bytes) begins with; 0 when
 * it begins with none: cut short, overlong, a surrogate, above U+10FFFF.
 */
size_t str_utf8_char(const char *data, size_t len);

/* How many bytes from the start are whole, valid UTF-8; len when all are. */
size_t str_utf8_span(const char *data, size_t len);

/*
 * Append text from outside so that a terminal only shows it: control bytes,
 * ESC, DEL and bytes that are not UTF-8 come out as \xNN, bidirectional
 * overrides (U+202A-202E, U+2066-2069) as \uNNNN.
 */
void str_printable(struct buf *out, const char *data, size_t len);

/*
 * Append s for one segment or query value of a URL: every byte but the
 * unreserved ones of RFC 3986 as %XX, so no text from outside adds a "/",
 * a "?" or a "..".
 */
void str_url(struct buf *out, const char *s);

#endif /* !BASE_STR_H */
