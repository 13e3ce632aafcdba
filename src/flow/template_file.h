#ifndef FLOW_TEMPLATE_FILE_H
#define FLOW_TEMPLATE_FILE_H

#include "base/attr.h"

struct buf;
struct err;

/*
 * The text of an installed template: of nginx "tls.conf.in", of others with
 * their directory, "systemd/letta.service.in".  It is
 * looked for in $SANCTUMCTL_TEMPLATES (a tree that is not installed), then in
 * the package's data directory.  *path is the file found; the caller frees
 * it.
 */
int template_file_read(const char *name, char **path, struct buf *text,
    struct err *) MUST_CHECK;

#endif /* !FLOW_TEMPLATE_FILE_H */
