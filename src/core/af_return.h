#ifndef CORE_AF_RETURN_H
#define CORE_AF_RETURN_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct jdoc;

/*
 * What a tool returned, as a row holds it: text that is a JSON object
 *
 *     {"status":"OK","message":"4","time":"2026-01-02 01:04:05 AM UTC+0000"}
 *
 * Servers take anything there and fail every listing later, unless it is an
 * object whose status is absent, "OK" or "Failed" (Letta 0.16.2 and 0.16.8,
 * seen).  A message that is not text is listed as Python writes it ("None",
 * "{'a': True}"), so it is made text here, lists and objects as JSON.  0.16.8
 * also stores returns that are a list of parts (text and images), but its
 * import puts the row's text in their place (seen), and 0.16.2 refuses them:
 * the JSON of the list becomes the message.
 */

/*
 * A new value in place of this one, or NULL when it can stay; what was done
 * to it is added to *changes (core/af_row.h).
 *
 * neutral  a failure is written as {"ok":false,"message":...}
 */
struct jdoc *af_return_fix(const struct jdoc *value, bool neutral,
    unsigned int *changes) MUST_CHECK;

/*
 * What a listing shows of it: its text is appended to out as a JSON value, and
 * whether it failed is the answer.  The text is the message, and all of it
 * when there is none; a list of parts is shown as it is.
 */
bool af_return_show(const struct jdoc *value, struct buf *out);

#endif /* !CORE_AF_RETURN_H */
