#ifndef CORE_AF_RETURN_H
#define CORE_AF_RETURN_H

#include <stdbool.h>

#include "base/attr.h"

struct jdoc;

/*
 * What a tool returned, as a row holds it: text that is a JSON object
 *
 *     {"status":"OK","message":"4","time":"2026-01-02 01:04:05 AM UTC+0000"}
 *
 * Servers take anything there and fail every listing later, unless it is an
 * object whose status is absent, "OK" or "Failed" (Letta 0.16.2 and 0.16.8,
 * seen).  A message that is not text is listed as Python writes it
 * ("{'a': None}"), so it is made text here.  0.16.8 also has returns that are
 * a list of parts (text and images), which it lists as they are.
 */

/*
 * A new value in place of this one, or NULL when it can stay; what was done
 * to it is added to *changes (core/af_row.h).
 *
 * neutral  a failure is written as {"ok":false,"message":...}
 * plain    the target does not take a list of parts: its JSON becomes the
 *          message
 */
struct jdoc *af_return_fix(const struct jdoc *value, bool neutral, bool plain,
    unsigned int *changes) MUST_CHECK;

#endif /* !CORE_AF_RETURN_H */
