#ifndef CORE_EXPORT_H
#define CORE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * An export of one agent, of version 1 or 2 and of any size, read as a
 * stream: its rows one by one, then the shell, which is everything else in
 * the shape of version 2 (core/af_shell.h).  Memory is that of the shell and
 * the longest row.
 *
 *     struct export_each each = { .row = my_row, .ctx = me };
 *     struct export *x = export_new(&each);
 *
 *     export_feed(x, data, len, err)         as bytes come
 *     export_end(x, &shell, &legacy, err)
 *     export_free(x)
 *
 * The rows are raw: they have what a listing does not show (core/raw.h).
 */
struct export_row {
	uint64_t number;	/* 0.. in the file */
	const char *id;		/* in the file: "message-17" */
	const char *text;	/* len bytes, as in a file of version 2: with
				 * what a parser replaces; NULL of version 1 */
	size_t len;
	struct jdoc *doc;	/* of version 2; may be edited; lives until
				 * the callback returns */
};

struct export_each {
	/* Anything but 0 ends the reading: -1 with err filled. */
	int (*row)(void *ctx, const struct export_row *, struct err *);
	void *ctx;
};

struct export;

/* each is copied. */
struct export *export_new(const struct export_each *) MUST_CHECK;
void export_free(struct export *);

/*
 * Fails with ERR_DATA, a JSON pointer and what is wrong there (af_reader.h,
 * jdoc_parse), for a second agent, and with what the callback failed with.
 */
int export_feed(struct export *, const char *data, size_t len, struct err *)
    MUST_CHECK;

/*
 * There are no more bytes.  Appends the shell's text: agents[0] has
 * in_context_message_ids, in ids of the file, and `messages' is [].  *legacy:
 * it was of version 1.  Fails with ERR_DATA when the file is cut short or
 * holds no agent.
 */
int export_end(struct export *, struct buf *shell, bool *legacy,
    struct err *) MUST_CHECK;

#endif /* !CORE_EXPORT_H */
