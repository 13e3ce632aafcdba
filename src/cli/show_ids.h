#ifndef CLI_SHOW_IDS_H
#define CLI_SHOW_IDS_H

#include "base/attr.h"

struct err;
struct opt;

/*
 * What a restore has written of its agents' new ids (flow/restore_ids.h), and
 * how a worker follows its agent.  Without a file nothing is shown.
 */
int show_ids(const struct opt *, const char *path, struct err *) MUST_CHECK;

#endif /* !CLI_SHOW_IDS_H */
