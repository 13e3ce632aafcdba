#ifndef FLOW_UPGRADE_LOSSES_H
#define FLOW_UPGRADE_LOSSES_H

#include "base/attr.h"

struct buf;
struct err;
struct postgres;

/*
 * What is in the old database beside its agents, and what becomes of it when
 * that is dropped: a line each of what there is, with its count, indented as a
 * step's diff is:
 *
 *     2 model providers: do not come back; enter them again, with their keys
 *
 * Read-only SELECTs (flow/postgres_inventory.h).
 */
int upgrade_losses(struct postgres *, struct buf *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_UPGRADE_LOSSES_H */
