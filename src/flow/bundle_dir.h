#ifndef FLOW_BUNDLE_DIR_H
#define FLOW_BUNDLE_DIR_H

#include <stddef.h>

#include "base/attr.h"
#include "core/bundle_manifest.h"
#include "io/sumfile.h"

struct buf;
struct err;

/*
 * A bundle that lies in a directory, opened for reading.  Nothing in it is
 * believed: each file is opened below the directory without following a
 * symlink, is a regular file, and is what the manifest says by size, SHA-256
 * and number of rows, or reading it fails with ERR_DATA and its name.
 */
struct bundle_dir {
	int fd;
	char *path;
	struct bundle_manifest manifest;
	char digest[SUMFILE_SHA256_SIZE];	/* of the manifest: of all */
};

/* Open the directory and read its manifest.  Nothing else is looked at. */
int bundle_dir_open(const char *path, struct bundle_dir *, struct err *)
    MUST_CHECK;
void bundle_dir_close(struct bundle_dir *);

/*
 * Call each for everything that lies there and is in no manifest, and for
 * every directory that is not one of a bundle; what it returns but 0 ends
 * the walk with -1.
 */
int bundle_dir_strays(const struct bundle_dir *,
    int (*each)(void *ctx, const char *name, struct err *), void *ctx,
    struct err *) MUST_CHECK;

/* A whole file that is no list of rows, appended to out, which bounds it. */
int bundle_dir_read(const struct bundle_dir *, const struct bundle_file *,
    struct buf *out, struct err *) MUST_CHECK;

/*
 * The rows of a file, one by one; what each returns but 0 ends it with -1.
 * The sum can only be told at the end: whoever keeps rows before it drops
 * them when this fails.
 *
 * skip  so many rows from the start are counted and summed up, not parsed
 */
int bundle_dir_rows(const struct bundle_dir *, const struct bundle_file *,
    uint64_t skip, int (*each)(void *ctx, const char *id, const char *body,
    size_t len, struct err *), void *ctx, struct err *) MUST_CHECK;

/* Any file: its bytes are summed up and compared with the manifest. */
int bundle_dir_sum(const struct bundle_dir *, const struct bundle_file *,
    struct err *) MUST_CHECK;

#endif /* !FLOW_BUNDLE_DIR_H */
