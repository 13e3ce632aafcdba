#ifndef CORE_LETTA_H
#define CORE_LETTA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * The contract with a Letta server, as far as it can be written down without
 * talking to one: which versions we know, the paths and bodies of requests.
 * core/letta_answer.h reads what comes back.  All of it was seen on live
 * servers 0.16.2 and 0.16.8.
 *
 *     struct letta_caps caps;
 *     struct buf path = BUF_INIT(LETTA_PATH_MAX);
 *
 *     GET LETTA_PATH_HEALTH            -> letta_caps_read
 *     letta_path_messages(&path, agent, cursor, 1000);
 *     if (buf_check(&path, "path", err) != 0) ...
 *
 * Path builders append to the buffer; ids and names are escaped, so nothing
 * from outside adds a segment.
 */

/* "<kind>-<uuid>" and its NUL; the longest kind that we hold is short. */
#define LETTA_ID_SIZE 64
#define LETTA_PATH_MAX 1024
/* The largest answer worth asking for: an export, a page. */
#define LETTA_ANSWER_MAX (64 * 1024 * 1024)

#define LETTA_PATH_HEALTH "/v1/health/"
#define LETTA_PATH_IMPORT "/v1/agents/import"

struct letta_caps {
	unsigned int major, minor, patch;
	char version[32];	/* "0.16.2", as the server says it */
	/*
	 * Before 0.16.2 (0.11.3, seen): no order=asc, so that a listing from
	 * the oldest row on would end after its newest page without an error;
	 * it is read backwards.  No conversations either.
	 */
	bool backward;
	/*
	 * After 0.16.8, as hosted servers may be: may be read, since whatever
	 * is not understood there is an error, but not written to.
	 */
	bool untried;
};

/*
 * Read the answer of LETTA_PATH_HEALTH.  Fails with ERR_DATA when it is none
 * ("is this a Letta server?"), and for a version before 0.11.3.
 */
int letta_caps_read(const char *text, size_t len, struct letta_caps *,
    struct err *) MUST_CHECK;

/* The same of a bare version; all 0 when it is none or NULL. */
void letta_caps_of(const char *version, struct letta_caps *);

/*
 * Whether an agent can go to a server of this version, 0.16.2 to 0.16.8: what
 * is older imports another file, what is newer has not been tried.  ERR_DATA
 * if not.
 */
int letta_caps_target(const struct letta_caps *, struct err *) MUST_CHECK;

/*
 * "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff" for prefix "agent-": a
 * lower-case uuid4 behind the prefix and nothing else.
 */
bool letta_id_ok(const char *id, const char *prefix) MUST_CHECK;

/*
 * Whether a server may take this as the name of an agent: letters of any
 * language, digits, blank, "-", "_", "'", and not empty.  All bytes beyond
 * ASCII are let through: which of them are letters is the server's business.
 * A PATCH takes other names too, and the agent can then never be exported
 * again (0.16.2 answers 500, seen).
 */
bool letta_name_may_pass(const char *name) MUST_CHECK;

/* The same of ASCII alone, which it takes surely: for names of our making. */
bool letta_name_ok(const char *name) MUST_CHECK;

void letta_path_agent(struct buf *, const char *agent);
void letta_path_agents_by_name(struct buf *, const char *name);
/*
 * A page of agents, oldest first.  Sorted by time on every version, though
 * each has its own word for it (0.11.3, 0.16.2, 0.16.8, seen).  A cursor that
 * the server does not know gives the first page, not an error.  Hidden ones
 * are among them.
 */
void letta_path_agents(struct buf *, const char *after, unsigned int limit);
/* max_steps, when not 0, is of servers before 0.16: how far it reaches back. */
void letta_path_export(struct buf *, const char *agent,
    unsigned int max_steps);
/*
 * GET: the runs of an agent that are not ended.  backward as below: there the
 * newer path gives the runs of all agents, ended ones too (0.11.3, seen).
 */
void letta_path_active_runs(struct buf *, const char *agent, bool backward);
/*
 * A page of stored rows in the order in which they came.  Forwards it is the
 * oldest limit rows after the row cursor, backwards the newest before it; ""
 * or NULL: from that end.
 *
 * conversation NULL is the agent's own history alone: without
 * conversation_id=default a listing mixes the rows of every conversation into
 * it (0.16.2 and 0.16.8, seen).  A server that can only be read backwards
 * knows no conversations, and hides rows with an error unless asked for them.
 */
void letta_path_messages(struct buf *, const char *agent,
    const char *conversation, bool backward, const char *cursor,
    unsigned int limit);
/* GET the newest row alone, of whatever conversation. */
void letta_path_message_newest(struct buf *, const char *agent,
    bool backward);
/*
 * The same as a client sees it, replies under assistant_message (the
 * server's default): forwards, of the agent's own history.
 */
void letta_path_shown(struct buf *, const char *agent, const char *after,
    unsigned int limit);
/* POST a message: the agent takes a turn. */
void letta_path_turn(struct buf *, const char *agent);
/*
 * GET: a page of the agent's conversations beside its own history; agent NULL:
 * of all agents (0.16.8, seen).
 */
void letta_path_conversations(struct buf *, const char *agent,
    const char *after, unsigned int limit);
/*
 * A page of passages, oldest first.  Each carries an embedding of about
 * 25 kB: limit 500 is an answer of 13 MB.  A cursor that the server does not
 * know gives an empty page, not an error.
 */
void letta_path_passages(struct buf *, const char *agent, const char *after,
    unsigned int limit);
/* POST one passage; the answer is a list with it. */
void letta_path_passage_insert(struct buf *, const char *agent);
/* DELETE one. */
void letta_path_passage(struct buf *, const char *agent, const char *passage);
/* GET: the archives that an agent is attached to. */
void letta_path_archives(struct buf *, const char *agent);
void letta_path_archive(struct buf *, const char *archive);
/* GET: the agents that an archive is attached to. */
void letta_path_archive_agents(struct buf *, const char *archive);
void letta_path_agent_blocks(struct buf *, const char *agent);
void letta_path_block(struct buf *, const char *block);
/* GET: the agents that a block is attached to. */
void letta_path_block_agents(struct buf *, const char *block);
void letta_path_tool(struct buf *, const char *tool);
/*
 * GET a page of everything of a kind: "agents", "blocks", "tools",
 * "archives", "identities".
 */
void letta_path_list(struct buf *, const char *kind, const char *after,
    unsigned int limit);
void letta_path_tools_by_name(struct buf *, const char *name);

/*
 * The form fields that go with an import: no "_copy" behind the name, and
 * never another source for a tool that the server already has.
 */
struct letta_field {
	const char *name;
	const char *value;
};

#define LETTA_IMPORT_FIELDS 2
extern const struct letta_field letta_import_fields[LETTA_IMPORT_FIELDS];

/*
 * The body of an insertion from a passage as letta_answer_passages staged
 * it.  The server keeps created_at and tags.  Fails with ERR_DATA when it is
 * no such text.
 */
int letta_body_passage(struct buf *, const char *staged, size_t len,
    struct err *) MUST_CHECK;

/*
 * POST of a new agent with the model, prompt and blocks of this one, given as
 * the server describes it, and one tool (its id, or "").
 */
void letta_body_copy(struct buf *, const struct jdoc *state,
    const char *name, const char *tool);

/* The body of a turn: one message of the user. */
void letta_body_turn(struct buf *, const char *text);

/* A tool that every server has and that only reads: used to see one called. */
#define LETTA_LIVE_TOOL "conversation_search"

/*
 * PATCH of an agent: a new name, and its whole metadata when metadata is not
 * NULL (an object; the server replaces what it had).  name NULL: unchanged.
 */
void letta_body_agent(struct buf *, const char *name,
    const struct jdoc *metadata);

#endif /* !CORE_LETTA_H */
