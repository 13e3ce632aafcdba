#ifndef FLOW_LINT_PATH_H
#define FLOW_LINT_PATH_H

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct lint_result;
struct lint_watch;

/* Whether it is a directory, which may be a bundle (flow/bundle.h). */
bool lint_path_is_dir(const char *path) MUST_CHECK;

/*
 * Judge what stands at a path by core/lint.h: an agent file, which may be a
 * pipe.  A directory is refused with ERR_USAGE.
 *
 * *out is also filled when it fails: with what was found until then.
 */
int lint_path(const char *path, const struct lint_watch *,
    struct lint_result *out, struct err *) MUST_CHECK;

#endif /* !FLOW_LINT_PATH_H */
