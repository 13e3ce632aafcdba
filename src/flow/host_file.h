#ifndef FLOW_HOST_FILE_H
#define FLOW_HOST_FILE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "io/fs.h"

struct conf_host;
struct err;
struct host;
struct plan_note;
struct run;

/*
 * One file that a job puts on a host, and what the journal keeps of it, so
 * that `cancel' and `uninstall' bring back what was there.
 *
 *     before    what it held before this job
 *     former    what it held before a change that is not proven yet
 *
 *     struct host_file file;
 *
 *     if (host_file_read(&file, run, edge->host, "edge.node1", path, err)
 *         == 0 && host_file_set(&file, run, text, len, &meta, err) == 0) ...
 *     host_file_clear(&file);
 *
 * A file that is not there is kept as such, apart from an empty one.  A
 * symbolic link is not replaced: ERR_DATA.  The journal keeps bytes: never
 * use it for a file with a secret in it.
 */
struct host_file {
	const struct conf_host *on;
	const char *key;	/* "edge.node1": facts are KEY.before, ... */
	struct host *host;	/* belongs to the run */
	const char *path;	/* the caller's, as key is */
	bool present;
	struct fs_meta meta;	/* of what is there */
	struct buf now;
};

#define HOST_FILE_MAX (256 * 1024)

/* clear it in any case.  ERR_DATA: too large, or with NUL bytes. */
int host_file_read(struct host_file *, struct run *, const struct conf_host *,
    const char *key, const char *path, struct err *) MUST_CHECK;
void host_file_clear(struct host_file *);

/* Whether the file has these bytes, this mode and these owners. */
bool host_file_is(const struct host_file *, const char *text, size_t len,
    const struct fs_meta *);

/* A probe's words: the change as a diff; nothing when there is none. */
int host_file_note(const struct host_file *, const char *text, size_t len,
    struct plan_note *, struct err *) MUST_CHECK;

/*
 * Keep `before', then replace the file unless it is so already.  What the
 * struct holds stays as it was read.
 */
int host_file_set(const struct host_file *, struct run *, const char *text,
    size_t len, const struct fs_meta *, struct err *) MUST_CHECK;

/*
 * Bring back what was there before this job, and have the journal forget it.
 * A file that somebody has edited since stays, *edited is set: theirs is
 * worth more than our tidiness.
 */
int host_file_undo(const struct host_file *, struct run *, bool *edited,
    struct err *) MUST_CHECK;

/*
 * The same where what was there before must be back in any case: a file that
 * somebody has edited is moved aside, to PATH.edited, which no manager of
 * services reads.  *aside is its path there, for the caller to free, or NULL.
 */
int host_file_undo_aside(struct host_file *, struct run *, char **aside,
    struct err *) MUST_CHECK;

/*
 * Where a file that somebody has edited makes way to, for the caller to free:
 * PATH.edited, or PATH.edited-MILLISECONDS where an earlier one lies.
 */
#define HOST_FILE_ASIDE ".edited"
int host_file_aside(struct host *, const char *path, char **out,
    struct err *) MUST_CHECK;

/* The parts of it, for who has an order of his own (flow/edge_nginx.c). */
/* Have the journal know what is written next; and whether that is there. */
int host_file_note_ours(const struct host_file *, struct run *,
    const char *text, size_t len, struct err *) MUST_CHECK;
int host_file_is_ours(const struct host_file *, struct run *, bool *out,
    struct err *) MUST_CHECK;
int host_file_put(const struct host_file *, const char *text, size_t len,
    const struct fs_meta *, struct err *) MUST_CHECK;
/* Have the journal keep what the file holds, unless it keeps one already. */
int host_file_keep(const struct host_file *, struct run *, const char *word,
    struct err *) MUST_CHECK;
int host_file_forget(const struct host_file *, struct run *,
    const char *word, struct err *) MUST_CHECK;
/* What the journal keeps, for host_file_restore; NULL: nothing. */
int host_file_kept(const struct host_file *, struct run *, const char *word,
    char **out, struct err *) MUST_CHECK;
/* Put that back, or remove the file when there was none. */
int host_file_restore(const struct host_file *, const char *kept,
    struct err *) MUST_CHECK;
/* Whether it says that there was no file. */
bool host_file_was_absent(const char *kept);
/* Whether the file is that, and has its rights, as far as the struct knows. */
bool host_file_holds(const struct host_file *, const char *kept);

#endif /* !FLOW_HOST_FILE_H */
