#ifndef CLI_LINT_BUNDLE_H
#define CLI_LINT_BUNDLE_H

#include "base/attr.h"

struct err;
struct opt;

/*
 * Check the bundle at opt->words[0] (flow/bundle.h) and print each fault.
 * Returns the exit code: 0, or 14 when there is one, since nothing of it is
 * put right by an import; -1 with err filled when it cannot be looked at.
 */
int lint_bundle(const struct opt *, struct err *) MUST_CHECK;

#endif /* !CLI_LINT_BUNDLE_H */
