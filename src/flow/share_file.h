#ifndef FLOW_SHARE_FILE_H
#define FLOW_SHARE_FILE_H

#include "base/attr.h"

struct buf;
struct err;

/*
 * The text of an installed file of ours that goes to a host as it is, such as
 * "letta/database.py": in the package's data directory, or, in a tree that is
 * not installed, in share/ beside the directory of templates that
 * $SANCTUMCTL_TEMPLATES names.  *path is where it was looked for, also on
 * failure; the caller frees it.  ERR_MISSING: there is none.
 */
int share_file_read(const char *name, char **path, struct buf *text,
    struct err *) MUST_CHECK;

#endif /* !FLOW_SHARE_FILE_H */
