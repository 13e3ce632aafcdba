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

/*
 * Give KEY the value (core/dotenv.h), in a file that is replaced whole and
 * keeps its mode and owner; when there is none, one of 0600 is made.  A file
 * that says so already is not touched: *changed is false then.
 *
 * disagree  as dotenv_set
 *
 * Fails with ERR_DATA, and leaves the file, for a symlink (its place would be
 * replaced, not what it leads to) and for what cannot be edited safely.
 */
int env_file_set(const struct host_word *, const char *key,
    const char *value, unsigned int *disagree, bool *changed, struct err *)
    MUST_CHECK;

#endif /* !FLOW_ENV_FILE_H */
