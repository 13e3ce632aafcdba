#ifndef CORE_SHOWN_H
#define CORE_SHOWN_H

#include <stddef.h>

struct buf;
struct err;

/*
 * Append text from outside for one line of a message: printable
 * (str_printable, line breaks as blanks), at most max_bytes of it, cut
 * between characters with "..." behind.  out should hold 4 * max_bytes + 4.
 */
void shown_text(struct buf *out, const char *data, size_t len,
    size_t max_bytes);

/*
 * Append text from outside with "***" in the place of what stands between
 * "://" and the last "@" before a blank or line break: user and password of
 * any URI in it, whatever bytes the password has.  Mask before cutting.
 */
void shown_mask(struct buf *out, const char *data, size_t len);

/*
 * Tell found of a finding in a file, both from outside and made printable as
 * by shown_text: at most 400 bytes of file, 4096 of what.  Returns what found
 * returns.
 */
int shown_finding(int (*found)(void *ctx, const char *file, const char *what,
    struct err *), void *ctx, const char *file, const char *what,
    struct err *err);

#endif /* !CORE_SHOWN_H */
