#ifndef IO_FS_LINK_H
#define IO_FS_LINK_H

#include "base/attr.h"

struct err;

/*
 * Make a second name for a regular file that nobody writes to any more, or,
 * where there can be no link (another filesystem, too many links), a copy of
 * it, 0600 and synced.  Nothing may be at `to'; the caller syncs its directory.
 */
int fs_link(const char *from, const char *to, struct err *) MUST_CHECK;

#endif /* !IO_FS_LINK_H */
