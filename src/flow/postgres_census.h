#ifndef FLOW_POSTGRES_CENSUS_H
#define FLOW_POSTGRES_CENSUS_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct postgres;

/*
 * What a database holds, as text: lines of core/pg_tally.h, "NAME, tab, COUNT,
 * tab, MARK", which can be kept in the journal and compared.  Read-only
 * SELECTs of one snapshot.
 */

/*
 * Of Letta's tables that are there (agents, messages, block, ...): the rows
 * and max(updated_at) of each; and of messages and passages per agent, by the
 * name "messages agent-...".  db NULL: the URI's; there are none in a database
 * without such tables.  A row that was changed in place without its
 * updated_at is not seen.
 */
int postgres_census(struct postgres *, const char *db, struct buf *out,
    struct err *) MUST_CHECK;

/*
 * Of each agent its id, how many rows are its own, and a digest that another
 * one takes the place of with whatever is written to them: of xmin, by which
 * PostgreSQL tells the transaction that has written a row, and of updated_at.
 * So an old row that was edited in place is seen, and one that was deleted and
 * another put in, whatever dates they have, and no contents are read.  Its row
 * of agents, its messages, conversations, passages, tags, variables, what is
 * attached to it, and the blocks, identities and archives that are; tools
 * alone by which: a server that starts writes them anew, and what they are is
 * in its list of agents.
 *
 * A digest is of this database and no other: a dump that was restored has
 * other ones.  db and what there is without tables as above.
 */
int postgres_agents(struct postgres *, const char *db, struct buf *out,
    struct err *) MUST_CHECK;

/*
 * Of every other database that takes connections and is no template: each
 * table's rows and the sum of hashtextextended() over them, and of its
 * definitions; a table above POSTGRES_SUM_MAX bytes its rows and size alone.
 * Not read is one with an index on an expression or of a part of it, or with
 * extended statistics: to look at it could call functions of its owner.
 * What may not be read has a mark that begins with POSTGRES_UNREAD, and the
 * same for a database that we may not connect to, by its rights or by
 * pg_hba.conf.  Large objects are not looked at, nor databases named
 * sanctumctl_WORD_MARK, which are ours.  As database_admin.
 *
 * Each name begins with the database's, quoted as in SQL: "shop.public.sold",
 * "shop (definitions)"; "shop" alone when it cannot be read.
 */
#define POSTGRES_SUM_MAX 536870912
#define POSTGRES_UNREAD "not readable"
#define POSTGRES_MEASURED " bytes"		/* ends the mark */
#define POSTGRES_DEFINED " (definitions)"	/* ends the name */
int postgres_others(struct postgres *, struct buf *out, struct err *)
    MUST_CHECK;

/*
 * How many lines of the two differ; text, which may be NULL, gets words of
 * the first few: "messages agent-1: 12 rows, were 10".
 */
size_t postgres_census_moved(const char *before, const char *after,
    struct buf *text);

#endif /* !FLOW_POSTGRES_CENSUS_H */
