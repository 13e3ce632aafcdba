#ifndef IO_HASH_H
#define IO_HASH_H

#include <stddef.h>

#include "base/attr.h"

struct err;

/*
 * SHA-256 of bytes that arrive in pieces.  hash.c, cert.c and known_hosts.c
 * alone see OpenSSL.  The digest is of a library context of our own with the
 * default provider: what openssl.cnf says is for the default context
 * (OpenSSL 3.0 reads the file all the same, seen).
 *
 *     h = hash_new(err);
 *     hash_add(h, data, len);                     (as often as needed)
 *     if (hash_end(h, digest, err) != 0) ...      (h is as new again)
 *     hash_free(h);
 *
 * Making one costs more than a small file's digest: keep it for a whole walk.
 */
#define HASH_SIZE 32

struct hash;

/* NULL, with ERR_FAILED, when the library has no SHA-256. */
struct hash *hash_new(struct err *) MUST_CHECK;
void hash_free(struct hash *);

/* Never fails at the call; hash_end tells. */
void hash_add(struct hash *, const void *data, size_t len);

/* Digest of what was added since hash_new or the last hash_end. */
int hash_end(struct hash *, unsigned char digest[static HASH_SIZE],
    struct err *) MUST_CHECK;

/* The same as lower-case hexadecimal digits, NUL-ended. */
int hash_end_hex(struct hash *, char hex[static 2 * HASH_SIZE + 1],
    struct err *) MUST_CHECK;

/* That of len bytes at once. */
int hash_hex(const void *data, size_t len,
    char hex[static 2 * HASH_SIZE + 1], struct err *) MUST_CHECK;

/*
 * Digest of a regular file's bytes; a symlink is followed.  Fails as fs_read
 * does, and with ERR_INTERRUPTED.
 */
int hash_file(const char *path, unsigned char digest[static HASH_SIZE],
    struct err *) MUST_CHECK;

#endif /* !IO_HASH_H */
