#ifndef FLOW_AGENT_ORDER_H
#define FLOW_AGENT_ORDER_H

#include "base/attr.h"

struct err;

/*
 * "KIND-" and twelve hexadecimal digits of a SHA-256 over the words, ended by
 * NULL: the same words give the same name.  The caller frees it.
 */
int agent_order_name(const char *kind, const char *const *words,
    char **name, struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_ORDER_H */
