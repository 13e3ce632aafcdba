#ifndef FLOW_ENV_FILE_H
#define FLOW_ENV_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct host_word;

/*
 * One .env file by hand: `worker env get`, `set`.  The file is named by
 * flow/host_word.h.  Buffers hold secrets; the caller wipes them.
 */
#define ENV_FILE_MAX (1024 * 1024)

/* The whole text.  ERR_MISSING when there is no file. */
int env_file_read(const struct host_word *, struct buf *text, struct err *)
    MUST_CHECK;

/*
 * The value of KEY as python-dotenv reads it, appended.  *set is false when
 * the file does not assign KEY, or only names it: that is a success.
 */
int env_file_get(const struct host_word *, const char *key,
    struct buf *value, bool *set, struct err *) MUST_CHECK;

#endif /* !FLOW_ENV_FILE_H */
