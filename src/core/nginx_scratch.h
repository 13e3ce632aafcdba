#ifndef CORE_NGINX_SCRATCH_H
#define CORE_NGINX_SCRATCH_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * A main file for nginx, made of what `nginx -T' printed, in which one file
 * stands in the place of another: so a new vhost is tested beside the live
 * ones, which stay as they are.
 *
 * The `include' of the main file whose pattern takes in `live' is replaced by
 * the files that it took in, one by one, without `live' and with `scratch' at
 * the end.  All else stays byte for byte, so the result must lie in the main
 * file's directory, from where relative names count.
 *
 * *main_path, the main file's, is the caller's to free.  Fails with ERR_DATA
 * when no include of the main file takes in `live': nginx would never read
 * it.
 */
int nginx_scratch(const char *dump, size_t len, const char *live,
    const char *scratch, struct buf *out, char **main_path, struct err *)
    MUST_CHECK;

#endif /* !CORE_NGINX_SCRATCH_H */
