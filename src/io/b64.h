#ifndef IO_B64_H
#define IO_B64_H

#include <stddef.h>

struct buf;

/*
 * Base64 as OpenSSH writes it: the alphabet of RFC 4648 section 4.  Keys,
 * salts and fingerprints are all that goes through here.
 */

/* Append the text of len bytes, without "=" at the end when bare. */
void b64_encode(struct buf *out, const void *data, size_t len, int bare);

/*
 * Append the bytes of len characters; blanks and line ends are passed over
 * and "=" ends the text.  Returns 0, or -1 for anything that is not base64.
 */
int b64_decode(struct buf *out, const char *text, size_t len);

#endif /* !IO_B64_H */
