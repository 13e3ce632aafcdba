#ifndef CORE_REQUIREMENTS_H
#define CORE_REQUIREMENTS_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/*
 * A list that pip installs with --require-hashes, as `uv pip compile
 * --generate-hashes' writes one:
 *
 *     letta==0.16.2 \
 *         --hash=sha256:...
 *
 * pip itself compares the hashes; what is asked here is said before anything
 * is downloaded, with the line.
 */
#define REQUIREMENTS_MAX (4 * 1024 * 1024)	/* bytes of a list */
#define REQUIREMENTS_VERSION_SIZE 64

/*
 * Every entry is NAME==VERSION, maybe with [extras] and a marker, and has a
 * SHA-256.  Fails with ERR_USAGE, "PATH:LINE: ...": an entry without either,
 * an option (-r, -e, --index-url), a URL, too large, NUL bytes.
 */
int requirements_check(const char *path, const char *text, size_t len,
    struct err *) MUST_CHECK;

/*
 * The version that a list which was checked pins for name; "" when it does
 * not name it.  Names are compared as pip does: case, "-", "_" and "." alike.
 */
void requirements_version(const char *text, const char *name,
    char out[static REQUIREMENTS_VERSION_SIZE]);

/* Append its whole entry, hashes and all; nothing when there is none. */
void requirements_entry(const char *text, const char *name, struct buf *out);

#endif /* !CORE_REQUIREMENTS_H */
