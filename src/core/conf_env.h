#ifndef CORE_CONF_ENV_H
#define CORE_CONF_ENV_H

#include <stdbool.h>

#include "base/attr.h"

struct conf_doc;
struct conf_section;
struct err;

/*
 * The sections [env WORKER] and [env LETTA], whose keys are not known
 * beforehand.  Of conf_section.c's use alone.
 */

/* KEY or KEY@TREE, as it may stand before "=" there. */
bool conf_env_is_key(const char *);

/* Take one line; refuses what the job says elsewhere, and plain secrets. */
int conf_env_add(struct conf_doc *, struct conf_section *, int line,
    const char *key, const char *value, struct err *) MUST_CHECK;

/* Give the section's worker or server its list. */
int conf_env_fill(struct conf_doc *, struct conf_section *, struct err *)
    MUST_CHECK;

#endif /* !CORE_CONF_ENV_H */
