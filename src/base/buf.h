#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;

/*
 * Bytes that grow up to a maximum which is said when the buffer is made.
 *
 * Adding never fails at the call: past the maximum the buffer turns `full`,
 * keeps what it held, and takes no more.  So a document is put together
 * without a check per line and is looked at once, with buf_check, before it
 * is used.
 *
 *     struct buf body = BUF_INIT(64 * 1024);
 *
 *     buf_str(&body, "{\"name\":");
 *     buf_printf(&body, "%d}", 1);
 *     if (buf_check(&body, "request body", err) != 0) ...
 *     buf_clear(&body);
 *
 * data is always NUL-terminated once anything was added (the NUL is not part
 * of len), and NULL before.
 */
struct buf {
	char *data;
	size_t len;	/* bytes in use */
	size_t cap;	/* bytes allocated */
	size_t max;	/* len never exceeds this */
	bool full;	/* something did not fit: contents are incomplete */
};

#define BUF_INIT(max_bytes) { .max = (max_bytes) }

void buf_init(struct buf *, size_t max_bytes);
/*
 * The same with all of max_bytes allocated at once: the bytes never move, so
 * growing leaves no copy of a secret behind, and buf_wipe wipes them all.
 */
void buf_init_still(struct buf *, size_t max_bytes);
void buf_add(struct buf *, const void *data, size_t len_bytes);
void buf_str(struct buf *, const char *);
void buf_char(struct buf *, char);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF(2, 3);

/* Remove the first n bytes (n <= len), or all but the first n. */
void buf_drop(struct buf *, size_t n);
void buf_truncate(struct buf *, size_t n);

/* The bytes as a C string: "" for a buffer that nothing was added to. */
const char *buf_cstr(const struct buf *);

/* Hand the memory to the caller, who frees it; the buffer is empty after. */
char *buf_take(struct buf *);

/* -1 with "WHAT is larger than N bytes" (ERR_DATA) when full, else 0. */
int buf_check(const struct buf *, const char *what, struct err *) MUST_CHECK;

/* Free the bytes; the maximum stays, so the buffer can be used again. */
void buf_clear(struct buf *);

/* The same, after overwriting the bytes: for text that held a secret. */
void buf_wipe(struct buf *);

#endif /* !BASE_BUF_H */
