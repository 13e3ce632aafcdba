#ifndef FLOW_BUNDLE_OUT_H
#define FLOW_BUNDLE_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/bundle_manifest.h"

struct err;
struct sumfile;

/*
 * Something new at a path, there whole or not at all: it is made under the
 * name ".NAME.partial-PID" beside it and renamed at the end.
 *
 *     bundle_out_begin(&out, path, err)
 *     mkdir or create out.temp, and fill it
 *     bundle_out_place(&out, err)        synced, and under its name
 *     bundle_out_clear(&out);            removes what was not placed
 *
 * For a directory, files go in one by one and into the manifest:
 *
 *     bundle_out_file(&out, "messages.jsonl", &f, err)
 *     sumfile_add(f, ...)
 *     bundle_out_commit(&out, "messages.jsonl", f, rows, err)
 */
struct bundle_out {
	char *path;		/* without a slash at its end */
	char *temp;
	struct bundle_manifest manifest;
	uint64_t bytes;		/* of the files so far */
};

/*
 * Find the place, and remove what killed processes have left there.  Fails
 * with ERR_USAGE when something is at path, or the directory above is not.
 */
int bundle_out_begin(struct bundle_out *, const char *path, struct err *)
    MUST_CHECK;
int bundle_out_place(struct bundle_out *, struct err *) MUST_CHECK;
void bundle_out_clear(struct bundle_out *);

/* A file of the directory out.temp, with the folder it is in. */
int bundle_out_file(struct bundle_out *, const char *path,
    struct sumfile **out, struct err *) MUST_CHECK;
/* f is freed, whatever comes. */
int bundle_out_commit(struct bundle_out *, const char *path,
    struct sumfile *take, uint64_t rows, struct err *) MUST_CHECK;
/* A small file at once. */
int bundle_out_text(struct bundle_out *, const char *path, const char *text,
    size_t len, struct err *) MUST_CHECK;

#endif /* !FLOW_BUNDLE_OUT_H */
