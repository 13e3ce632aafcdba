#ifndef FLOW_AGENT_INSERT_H
#define FLOW_AGENT_INSERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/letta.h"

struct conf_agent;
struct err;
struct journal;
struct journal_row;
struct server;

/*
 * Passages on their way to the target, many in one request where the server
 * has a route for that (core/letta_memory.h), else one by one.
 *
 *     agent_insert_open(...)
 *     agent_insert_add(insert, row, err)        once a passage
 *     agent_insert_flush(insert, err)
 *     agent_insert_close(insert)
 *
 * What a request comes to:
 *
 *     stored                     counted
 *     refused for what it is     a batch is halved until the one that is
 *     (400, 413, 422 ...)        meant stands alone; that is a reject
 *                                (flow/agent_rejects.h)
 *     no such route              one by one from here on
 *     anything else (500, 502,   -1 with agent_insert_unsure: the server may
 *     a line that was cut)       have stored it all.  Nothing is sent again
 *                                before the target was listed afresh
 *
 * A token that is refused, a signal and an agent that is gone are failures
 * like any other.
 */
struct agent_insert;

struct agent_insert_spec {
	struct server *server;
	const char *agent_id;			/* at the target */
	const struct conf_agent *agent;
	struct journal *journal;		/* takes the rejects */
	size_t most;				/* passages a request */
};

struct agent_insert *agent_insert_open(const struct agent_insert_spec *);
void agent_insert_close(struct agent_insert *);

/* Copies the row; may send. */
int agent_insert_add(struct agent_insert *, const struct journal_row *,
    struct err *) MUST_CHECK;
/* Send what was added and not sent yet. */
int agent_insert_flush(struct agent_insert *, struct err *) MUST_CHECK;

struct agent_insert_state {
	uint64_t inserted;
	uint64_t rejected;
	uint64_t calls;
	bool unsure;		/* the last failure is one to list after */
	bool by_server;		/* it was an answer 500: not of the line */
	bool alone;		/* one passage was sent: */
	char id[LETTA_ID_SIZE];	/* its id at the source */
};

const struct agent_insert_state *agent_insert_state(
    const struct agent_insert *);

#endif /* !FLOW_AGENT_INSERT_H */
