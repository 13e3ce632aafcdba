#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

/*
 * A token, a password, a key.  There is no function that prints one, and no
 * conversion that err_set or log_info would take.  Its bytes lie in memory of
 * its own pages, kept from swap (mlock(2)) and from core dumps
 * (MADV_DONTDUMP) where the system allows, and are wiped when freed.
 *
 * secret_bytes is for the one place that puts it on the wire or into its
 * 0600 file.  Each call of it is a place to review.
 */
struct secret;

/* Copy len bytes; the caller wipes its own copy (secret_wipe). */
struct secret *secret_new(const void *data, size_t len);
void secret_free(struct secret *);

/* The bytes, NUL-terminated, valid until secret_free. */
const char *secret_bytes(const struct secret *);
size_t secret_len(const struct secret *);

/*
 * Stars for every occurrence of it in text, which a peer may have said back to
 * us; after it was decoded (JSON has more than one way to write a token), and
 * before it is cut.  NULL, and an empty one, hide nothing.
 */
void secret_hide(const struct secret *, char *text, size_t len);

/* Overwrite bytes in a way that the compiler keeps. */
void secret_wipe(void *data, size_t len);

/* No core dump of this process, no ptrace by its own user.  Once, early. */
void secret_guard_process(void);

#endif /* !BASE_SECRET_H */
