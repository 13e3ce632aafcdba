#ifndef CORE_BUNDLE_MANIFEST_H
#define CORE_BUNDLE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * manifest.json of a bundle: what it is of, and each of its other files with
 * size, SHA-256 and number of rows.  sanctumctl-bundle(5) shows one.
 *
 *     struct bundle_manifest m = { 0 };
 *
 *     bundle_manifest_read(text, len, &m, err)
 *     for (size_t i = 0; i < m.n_files; i++) ... m.files[i].path ...
 *     bundle_manifest_clear(&m);
 */
#define BUNDLE_FORMAT 1
#define BUNDLE_MANIFEST "manifest.json"
#define BUNDLE_MANIFEST_MAX ((size_t)16 * 1024 * 1024)
/* Files of a bundle, the conversations among them. */
#define BUNDLE_FILES_MAX 20000
#define BUNDLE_PATH_MAX 160

struct bundle_file {
	char path[BUNDLE_PATH_MAX];
	char sha256[65];
	uint64_t size_bytes;
	uint64_t rows;		/* lines of a .jsonl, else 0 */
};

/* The texts are owned; NULL where nothing is known. */
struct bundle_manifest {
	char *program;		/* "sanctumctl 0.1" */
	char *made_at;		/* "2026-01-02T03:04:05Z" */
	char *server;		/* where it was read: a name for people */
	char *url;		/* without user and password */
	char *letta;		/* version */
	char *agent_id;		/* at that server */
	char *agent_name;
	char *agent_type;
	struct bundle_file *files;
	size_t n_files;
};

/* A file more; path is one of bundle_path_ok. */
struct bundle_file *bundle_manifest_add(struct bundle_manifest *,
    const char *path);
/* NULL when it is not in there. */
const struct bundle_file *bundle_manifest_find(
    const struct bundle_manifest *, const char *path);

void bundle_manifest_write(const struct bundle_manifest *, struct buf *);

/*
 * Fails with ERR_DATA: no JSON, another format (the message says which
 * program would know it), a path that is none, or given twice, a sum that is
 * none, more than BUNDLE_FILES_MAX files.
 */
int bundle_manifest_read(const char *text, size_t len,
    struct bundle_manifest *, struct err *) MUST_CHECK;
void bundle_manifest_clear(struct bundle_manifest *);

/*
 * Whether it may be the path of a file in a bundle: one name, or two with a
 * slash, each of A-Z a-z 0-9 . _ - and not beginning with a dot, below
 * BUNDLE_PATH_MAX bytes; and not the manifest itself.
 */
bool bundle_path_ok(const char *path) MUST_CHECK;

#endif /* !CORE_BUNDLE_MANIFEST_H */
