#ifndef FLOW_WORKER_VERIFY_SMCP_H
#define FLOW_WORKER_VERIFY_SMCP_H

#include "base/attr.h"

struct conf_worker;
struct err;
struct run;
struct verdict;

/*
 * One check, `tools of SMCP', when smcp is among the trees: the one that runs
 * at the target is asked over its own protocol now (flow/worker_smcp.h), its
 * tools compared by name with those that the source's had when step `smcp'
 * asked it, and a harmless one called.
 *
 * Not compared: the source's did not answer then.  Different: other tools, or
 * it does not answer though the source's did.
 */
int worker_verify_smcp(struct run *, const struct conf_worker *,
    struct verdict *, struct err *) MUST_CHECK;

#endif /* !FLOW_WORKER_VERIFY_SMCP_H */
