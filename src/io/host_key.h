#ifndef IO_HOST_KEY_H
#define IO_HOST_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct known_hosts;

/*
 * Whether the key that a host shows is the one that it must have: by a
 * pinned fingerprint, or by known_hosts files.  Never trust on first use.
 */

/*
 * Read the file, which must be there, or when it is NULL ~/.ssh/known_hosts
 * and /etc/ssh/ssh_known_hosts as far as they are there.  known has been
 * initialised with the host's name.
 */
int host_key_load(struct known_hosts *known, const char *file, struct err *)
    MUST_CHECK;

/*
 * Append the key types to ask the host for, comma-separated: those known for
 * it, so that a host known by one key is not shown with another, or else all
 * that we can use.  True when the list was narrowed by what is known.
 */
bool host_key_types(const struct known_hosts *known, struct buf *list);

/*
 * Judge a public key.  pinned is "SHA256:..." or NULL for known.  Fails with
 * ERR_HOSTKEY; the message has the fingerprint seen, the line that disagrees
 * with its fingerprint, and what to do.
 */
int host_key_judge(const struct known_hosts *known, const char *pinned,
    const void *blob, size_t len, struct err *) MUST_CHECK;

#endif /* !IO_HOST_KEY_H */
