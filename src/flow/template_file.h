#ifndef FLOW_TEMPLATE_FILE_H
#define FLOW_TEMPLATE_FILE_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct conf;
struct err;
struct template_value;

/*
 * The text of a template by its name below templates/, such as
 * "nginx/tls.conf.in".  It is looked for in the directory that the job file
 * names (templates), then in $SANCTUMCTL_TEMPLATES (a tree that is not
 * installed) or the package's data directory.  *path is the file found; the
 * caller frees it.
 */
int template_file_read(const struct conf *, const char *name, char **path,
    struct buf *text, struct err *) MUST_CHECK;

/*
 * Append that template filled (core/template.h) to out.  Of the values, at
 * most TEMPLATE_MAX_VALUES, it takes those that it names: so one list does
 * for templates of one thing in several shapes.
 */
int template_file_fill(const struct conf *, const char *name,
    const struct template_value *values, size_t n, struct buf *out,
    struct err *) MUST_CHECK;

#endif /* !FLOW_TEMPLATE_FILE_H */
