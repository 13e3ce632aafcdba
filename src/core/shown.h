#ifndef CORE_SHOWN_H
#define CORE_SHOWN_H

#include <stddef.h>

struct buf;

/*
 * Append text from outside for one line of a message: printable
 * (str_printable, line breaks as blanks), at most max_bytes of it, cut
 * between characters with "..." behind.  out should hold 4 * max_bytes + 4.
 */
void shown_text(struct buf *out, const char *data, size_t len,
    size_t max_bytes);

#endif /* !CORE_SHOWN_H */
