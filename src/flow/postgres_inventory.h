#ifndef FLOW_POSTGRES_INVENTORY_H
#define FLOW_POSTGRES_INVENTORY_H

#include "base/attr.h"

struct buf;
struct err;
struct postgres;

/*
 * What a Letta database has that an answer of its server may not: read-only
 * SELECTs, whatever columns and tables its version knows.  What is deleted
 * softly (is_deleted) counts nowhere.
 */

/*
 * Its agents, whoever they belong to, by id as strcmp has it: lines
 *
 *     ID, tab, NAME, tab, USER, tab, ORGANIZATION, tab, MESSAGES
 *
 * where USER is "user-... (Ann)", who has made it; GET /v1/agents/ lists those
 * of one organization.  "-" for what is not known.
 */
int postgres_owners(struct postgres *, struct buf *out, struct err *)
    MUST_CHECK;

/*
 * How many rows each table of a thing has that people make and miss, lines
 * "TABLE, tab, COUNT"; none for a table that is not there or empty.  Of tools
 * those that are not Letta's own, of providers those that somebody entered;
 * of blocks and archives those that no agent has ("block-unattached"), and
 * of archives those that several have, too ("archives-shared").
 */
int postgres_things(struct postgres *, struct buf *out, struct err *)
    MUST_CHECK;

#endif /* !FLOW_POSTGRES_INVENTORY_H */
