#ifndef CORE_STAMP_H
#define CORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;

/*
 * Instants as the servers write them: ISO 8601 with an offset, `Z`, or
 * nothing, which they take for UTC (Letta 0.16.2, seen).
 */
struct stamp {
	int64_t unix_s;
	unsigned int micros;
};

/*
 * "2026-01-02T03:04:05.678+02:00", also with a blank for `T`, without
 * seconds' fraction, seconds or offset.  Digits past the sixth of a fraction
 * are cut.  False for anything else, and for a date that does not exist.
 */
bool stamp_parse(const char *text, struct stamp *) MUST_CHECK;

/* "2026-01-02T01:04:05.678000Z"; without the fraction when it is 0. */
void stamp_write(const struct stamp *, struct buf *out);

/*
 * Letta's own form of the time inside a tool's return, in UTC:
 * "2026-01-02 01:04:05 AM UTC+0000".
 */
void stamp_write_local(const struct stamp *, struct buf *out);

/*
 * Move an instant outside the years 1900-2999 to the nearer end, in whole
 * seconds; whether it was.  A row dated year 1 or 9999 beside ordinary ones
 * makes Letta 0.16.2 fail every listing (seen).
 */
bool stamp_clamp(struct stamp *);

/* Whether stamp_clamp would leave it as it is. */
bool stamp_is_sane(const struct stamp *);

#endif /* !CORE_STAMP_H */
