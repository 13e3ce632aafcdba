#ifndef CORE_BUNDLE_LINE_H
#define CORE_BUNDLE_LINE_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * One row in a file of a bundle is one line:
 *
 *     {"id":"message-...","row":{"role":"user",...}}
 *
 * Behind "row" stands the body as it was staged, byte for byte, but that a
 * line break between two of its values is a blank: so nothing that a parser
 * would replace (an escaped surrogate without its pair) is lost, and a bundle
 * that is read and written again has the same bytes.
 */

/* The longest line: a row of the journal, with its id. */
#define BUNDLE_LINE_MAX ((size_t)33 * 1024 * 1024)
/* Bytes of an id, as text and a NUL. */
#define BUNDLE_ID_SIZE 256

/* Append the line and its newline. */
void bundle_line_write(struct buf *, const char *id, const char *body,
    size_t len);

/*
 * Take a line apart.  *body points into line.  Fails with ERR_DATA: no JSON,
 * not UTF-8, a key given twice, a row that is no object, an id that is empty
 * or too long, any other form than the one above.
 */
int bundle_line_read(const char *line, size_t len,
    char id[static BUNDLE_ID_SIZE], const char **body, size_t *body_len,
    struct err *) MUST_CHECK;

#endif /* !CORE_BUNDLE_LINE_H */
