#ifndef CORE_DIFF_H
#define CORE_DIFF_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * What would change in a file, for a person at a terminal: the format of
 * `diff -u` (three lines of context), but control bytes, bytes that are not
 * UTF-8 and bidirectional overrides come out escaped as str_printable writes
 * them (a tab stays), so a text from outside cannot move the cursor and a
 * changed CRLF is seen as "\x0d".
 *
 * Secrets are the caller's matter: mask both texts before (dotenv_mask).
 */

#define DIFF_MAX_BYTES (1024 * 1024)	/* of one text */

/*
 * Append the difference of two texts; nothing when they are equal.  The
 * names are for the two head lines; "/dev/null" for a file that is not there.
 *
 * It is the shortest one while fewer than a thousand lines differ; texts
 * further apart (or too much work) are shown as one block taken out and one
 * put in, between their common start and end.
 *
 * Fails with ERR_DATA if a text is larger than DIFF_MAX_BYTES or out is full.
 */
int diff_unified(const char *old_name, const char *old, size_t old_len,
    const char *new_name, const char *new, size_t new_len, struct buf *out,
    struct err *) MUST_CHECK;

#endif /* !CORE_DIFF_H */
