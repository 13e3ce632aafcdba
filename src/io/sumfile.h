#ifndef IO_SUMFILE_H
#define IO_SUMFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/*
 * A file of any size that is written, or read, from its first byte to its
 * last in pieces, with the SHA-256 of its bytes at the end.
 *
 *     sumfile_create(path, &f, err)
 *     sumfile_add(f, data, len);                 (as often as needed)
 *     sumfile_commit(f, &sum, err)               frees f, whatever comes
 *
 *     sumfile_open(dir, "messages.jsonl", LINE_MAX, &f, err)
 *     while ((n = sumfile_line(f, &line, &len, err)) > 0) ...
 *     sumfile_end(f, &sum, err)
 *     sumfile_close(f);
 */
#define SUMFILE_SHA256_SIZE 65

struct sumfile_sum {
	uint64_t size_bytes;
	char sha256[SUMFILE_SHA256_SIZE];	/* lower-case hexadecimal */
};

struct sumfile;

/*
 * Make a file, 0600, that is not there yet (a symlink is there).  What is
 * written before sumfile_commit is neither flushed nor durable.
 */
int sumfile_create(const char *path, struct sumfile **out, struct err *)
    MUST_CHECK;

/* Never fails at the call; sumfile_commit tells. */
void sumfile_add(struct sumfile *, const void *data, size_t len);

/* Flush and fsync.  sum may be NULL.  The file stays there on failure. */
int sumfile_commit(struct sumfile *, struct sumfile_sum *sum, struct err *)
    MUST_CHECK;

/*
 * Open a regular file below the directory dir for reading, without following
 * a symlink on the way (fs_beneath_open).  line_max bounds what
 * sumfile_line holds.  Fails with ERR_MISSING; ERR_DATA for anything that is
 * no regular file.
 */
int sumfile_open(int dir, const char *path, size_t line_max,
    struct sumfile **out, struct err *) MUST_CHECK;

/*
 * The next line without its newline: 1, 0 at the end, -1.  It lives until the
 * next call and has a NUL behind it.  Fails with ERR_DATA for a line longer
 * than line_max, and for a last line without a newline (the file was cut).
 */
int sumfile_line(struct sumfile *, const char **line, size_t *len,
    struct err *) MUST_CHECK;

/* The next bytes, at most size: how many, 0 at the end, -1. */
ptrdiff_t sumfile_read(struct sumfile *, char *data, size_t size,
    struct err *) MUST_CHECK;

/* Read what is left unread, and sum up the whole file. */
int sumfile_end(struct sumfile *, struct sumfile_sum *, struct err *)
    MUST_CHECK;

/* Leave a file without more ado; one that was created is not removed. */
void sumfile_close(struct sumfile *);

#endif /* !IO_SUMFILE_H */
