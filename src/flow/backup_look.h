#ifndef FLOW_BACKUP_LOOK_H
#define FLOW_BACKUP_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/backup_index.h"
#include "core/letta.h"

struct backup_census;
struct buf;
struct endpoint;
struct err;
struct jdoc;
struct pg_tally;
struct pg_tally_line;
struct server;

/*
 * What a server has at one time, by few requests: the pages of its agents, and
 * two small ones an agent, for the newest message (of whatever conversation)
 * and the newest passage.
 */
struct backup_seen {
	char id[LETTA_ID_SIZE];
	char *name;
	struct backup_print print;
	char **blocks;		/* ids */
	size_t n_blocks;
	char **tools;		/* ids */
	size_t n_tools;
	/*
	 * Its state as text, which may hold secrets; NULL unless asked for,
	 * and of the BACKUP_STATES first agents alone.
	 */
	char *state;
};
#define BACKUP_STATES 256

struct backup_look {
	struct letta_caps caps;
	struct backup_seen *agents;	/* oldest first */
	size_t n_agents;
	struct id_table by_id;		/* of backup_look_find */
	bool no_conversations;		/* none of any agent; asked for with
					 * states */
	size_t n_refused;		/* whose id is not agent-UUID */
	char *refused;			/* of struct backup_index */
	struct backup_shared *shared;	/* by id of the block */
	size_t n_shared;
	struct jdoc *rest;		/* of struct backup_index, or NULL */
};

struct backup_look_how {
	bool rest;		/* backup_rest.h: what no bundle carries */
	bool states;		/* of struct backup_seen */
	/*
	 * NULL, or whether there may be a bundle of it, by what the list says:
	 * one that is to be read anyway is not asked for its newest message
	 * and passage, and lacks these marks.  Not of a server before 0.16.2.
	 */
	bool (*may_hold)(void *ctx, const struct backup_seen *);
	const char *(*holder)(void *ctx, const char *archive);	/* of rest */
	/*
	 * An earlier look, or NULL: an agent that the pages show as it was
	 * then is asked for no more, and keeps the marks of then, unless
	 * `again' says otherwise.
	 */
	const struct backup_look *before;
	bool (*again)(void *ctx, const char *id);
	void *ctx;
	/*
	 * flow/backup.h; NULL: nobody is asked for rows.  An agent without any
	 * has no mark of them, and so is like nothing.
	 */
	const struct backup_census *census;
};

/*
 * Look.  The connection is closed again: what is forked after has none.  What
 * the server cannot answer about one agent (a row that it cannot convert) is a
 * mark, too, which stands for the answer.  ERR_DATA: the census knows none of
 * the agents, so it is of another database.
 */
int backup_look(const struct endpoint *, const struct backup_look_how *,
    struct backup_look *, struct err *) MUST_CHECK;
void backup_look_clear(struct backup_look *);

/*
 * A census by itself: tally borrows text, which the caller inits and clears
 * with it; and BACKUP_MARK_ROWS of a line, which the caller frees.
 */
int backup_look_rows(const struct backup_census *, struct buf *text,
    struct pg_tally *, struct err *) MUST_CHECK;
char *backup_look_rows_mark(const struct pg_tally_line *);

/*
 * The other agents that have a block, by the list: a new array of ids, sorted.
 */
struct jdoc *backup_look_others(const struct backup_look *,
    const char *block, const char *agent);

const struct backup_seen *backup_look_find(const struct backup_look *,
    const char *id);

#endif /* !FLOW_BACKUP_LOOK_H */
