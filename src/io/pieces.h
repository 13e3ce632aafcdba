#ifndef IO_PIECES_H
#define IO_PIECES_H

#include <stddef.h>

#include "base/attr.h"

struct err;

/*
 * Read a file or a pipe of any length in pieces of at most PIECE_BYTES: for
 * what is read once and never held whole, such as an agent file.  A symlink
 * is followed.
 *
 * Fails with ERR_MISSING, ERR_FAILED (a directory, no permission, read
 * errors, with the path), ERR_INTERRUPTED, and with what piece failed with,
 * the path in front.
 */
#define PIECE_BYTES 65536

int pieces_read(const char *path, int (*piece)(void *ctx, const char *data,
    size_t len, struct err *), void *ctx, struct err *) MUST_CHECK;

#endif /* !IO_PIECES_H */
