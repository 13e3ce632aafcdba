#ifndef CORE_CONF_CHECK_H
#define CORE_CONF_CHECK_H

#include "base/attr.h"

struct conf_doc;
struct err;

/*
 * What the keys of one section, and the sections of one job, must be to each
 * other.  Run after every value has its type (conf_section_fill).
 *
 * Fills what a section takes from elsewhere when its own key is not given:
 * the job's name, a worker's server, an edge's ade, a server's edge.  Then:
 * sections that the job's kind needs or forbids, those that nothing refers
 * to, and any two that would act on the same thing.
 *
 * Failures are ERR_USAGE with PATH:LINE.
 */
int conf_check_all(struct conf_doc *, struct err *) MUST_CHECK;

#endif /* !CORE_CONF_CHECK_H */
