#ifndef FLOW_TEMPLATE_FILE_H
#define FLOW_TEMPLATE_FILE_H

#include "base/attr.h"

struct buf;
struct conf;
struct err;

/*
 * The text of a template: of nginx "tls.conf.in", of others with the directory
 * beside nginx's, "systemd/letta.service.in".  It is looked for in the
 * directory that the job file names (templates), then in
 * $SANCTUMCTL_TEMPLATES (nginx's of a tree that is not installed) or the
 * package's data directory.  *path is the file found; the caller frees it.
 */
int template_file_read(const struct conf *, const char *name, char **path,
    struct buf *text, struct err *) MUST_CHECK;

#endif /* !FLOW_TEMPLATE_FILE_H */
