#ifndef FLOW_AGENT_H
#define FLOW_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct conf_agent;
struct err;
struct jdoc;
struct journal;
struct letta_agent;
struct letta_caps;
struct plan;
struct run;
struct server;
struct step_kind;
struct verdict;
struct af_rules;

/*
 * The agent path: one agent of a source server becomes the same mind on a
 * target server.
 *
 *     read       its shell, every message, its passages, into the
 *                journal                                   agent_read.c
 *     import     the agent file, made from the journal while it is sent,
 *                under a temporary name that holds the run's mark
 *                                                          agent_import.c
 *     tools      those that the import did not attach      agent_attach.c
 *     blocks     what of them no file carries              agent_blocks.h
 *     identities                                           agent_identities.h
 *     archival   passages that the target lacks            agent_archival.c
 *     compare    both sides, check by check                agent_compare.c
 *     live       with live_check: a copy takes a turn       agent_live.c
 *     promote    its real name, once the verdict is `same' agent_promote.c
 *                With a worker that the job moves, too, at the end of its
 *                switch                                    agent_delta.h
 *
 * A message row's way: a page of the listing (core/turn.h maps it) -> the
 * journal, scope "source/NAME/messages", with the page's cursor in one
 * transaction -> core/af.h, which writes the file as it is uploaded -> the
 * target's listing -> scope "target/NAME/messages" -> core/verdict.h.
 */
void agent_plan(struct plan *, const struct conf_agent *);
/* The same without the last step. */
void agent_plan_rehearsal(struct plan *, const struct conf_agent *);

/*
 * Read both sides afresh into a journal of its own, removed after, and add
 * every check to the verdict.  Writes nothing else.
 */
int agent_verify(struct run *, const struct conf_agent *, struct verdict *,
    struct err *) MUST_CHECK;

extern const struct step_kind agent_read_kind;
extern const struct step_kind agent_import_kind;
extern const struct step_kind agent_attach_kind;	/* the step "tools" */
extern const struct step_kind agent_archival_kind;
extern const struct step_kind agent_compare_kind;
extern const struct step_kind agent_promote_kind;
/* The same in the switch of a worker, which is its subject. */
extern const struct step_kind agent_promote_late_kind;

/* What the steps share. */

/*
 * The id of the agent on the target, as the import gave it.  *id is NULL,
 * and that is a success, before there is one.  The caller frees it.
 */
int agent_target_id(struct run *, const struct conf_agent *, char **id,
    struct err *) MUST_CHECK;

/*
 * The name that the agent has on the target until it is promoted: unique,
 * and allowed by every server ("sage-incoming-0123456789ab").
 */
char *agent_temporary_name(const struct run *, const struct conf_agent *);

/* "source/sage/messages"; side is "source" or "target". */
char *agent_scope(const char *side, const struct conf_agent *,
    const char *what);

/* Journal key of a side's export answer: "agent.sage.source-shell". */
char *agent_shell_key(const char *side, const struct conf_agent *);
/* Journal key of a side's agent state. */
char *agent_state_key(const char *side, const struct conf_agent *);
/*
 * That state, which the caller frees; NULL, and that is a success, when it has
 * not been read.
 */
int agent_state_load(const struct conf_agent *, const char *side,
    struct journal *, struct jdoc **out, struct err *) MUST_CHECK;

/*
 * How many conversations a side has beside the agent's own history.  They are
 * not carried: an import makes none.  Those of a source are staged, each in
 * the scope that agent_conversation_scope names.
 */
int agent_conversations(struct journal *, const char *side,
    const struct conf_agent *, uint64_t *count, struct err *) MUST_CHECK;
char *agent_conversation_scope(const char *side, const struct conf_agent *,
    const char *conversation);

/*
 * Read one side of the agent, id, from server into the journal: its shell
 * (the export, which is bounded: it holds only some messages), its state, and
 * from where an earlier read left off all messages, conversations and
 * passages.  fresh drops
 * what was staged first.
 */
int agent_read_side(struct server *, const char *id,
    const struct conf_agent *, const char *side, bool fresh,
    struct journal *, struct err *) MUST_CHECK;

/*
 * What a caller knows of an agent and need not be asked for again: he has its
 * state from a list of all (of 0.16.2 and later), and will look afterwards
 * whether it is still so, and what is newest: if not, he reads again.
 */
struct agent_known {
	const struct letta_agent *state;
	/* Ids of the other agents that have a block, sorted: a new array. */
	struct jdoc *(*others)(void *ctx, const char *block,
	    const char *agent);
	void *ctx;
	unsigned int passages;	/* in a page */
	bool no_conversations;	/* of any agent, but their own histories */
	/*
	 * Out, the caller's to free: the newest message and passage, as they
	 * were before reading was over: "" when there is none, NULL when the
	 * server would not say.
	 */
	char *newest_message, *newest_passage;
};

/*
 * agent_read_side of the source, with the fewest requests: the listings and
 * the export.
 */
int agent_read_known(struct server *, const char *id,
    const struct conf_agent *, struct agent_known *, struct journal *,
    struct err *) MUST_CHECK;

/*
 * Read the source once more before it is compared: what has come since when
 * this process has read it from its first page on, else all of it afresh.
 */
int agent_read_again(struct run *, const struct conf_agent *, struct err *)
    MUST_CHECK;

/* Read on from where the journal stands; once in a process. */
int agent_read_on(struct run *, const struct conf_agent *, struct err *)
    MUST_CHECK;

/*
 * Have the next read begin with the first page: a source that has gone on may
 * have changed rows that were read, such as the system row, which a turn
 * writes anew (0.16.8, seen).
 */
int agent_read_anew(struct run *, const struct conf_agent *, struct err *)
    MUST_CHECK;

/* Its state and messages alone. */
int agent_read_messages(struct server *, const char *id,
    const struct conf_agent *, const char *side, bool fresh,
    struct journal *, struct err *) MUST_CHECK;

/*
 * Compare what the journal holds of both sides and add every check.  The side
 * that may have gone on since has its rows behind the other's last one
 * counted, and not called different.
 */
enum agent_since {
	AGENT_SINCE_NONE,	/* neither may */
	AGENT_SINCE_TARGET,	/* since the move */
	AGENT_SINCE_SOURCE	/* since its bundle, the target, was made */
};

int agent_compare(const struct conf_agent *, struct journal *,
    enum agent_since, struct verdict *, struct err *) MUST_CHECK;

/*
 * Whether both sides are one agent, read twice: then nothing of it was
 * converted on a way between, and rows are compared as they are.
 */
int agent_is_one(const struct conf_agent *, struct journal *, bool *out,
    struct err *) MUST_CHECK;
int agent_note_one(const struct conf_agent *, struct journal *, struct err *)
    MUST_CHECK;

/*
 * How the source's rows are converted on their way (core/af_row.h), by what
 * the journal holds of the source's state and by the target's version; NULL:
 * that of the staged state of the target.
 */
int agent_rules(const struct conf_agent *, struct journal *,
    const struct letta_caps *target, struct af_rules *, struct err *)
    MUST_CHECK;

/*
 * Whether the agent was given its name, by the journal, or has worked at the
 * target (flow/agent_delta.h): then it is the operator's.
 */
int agent_is_given(struct run *, const struct conf_agent *, bool *out,
    struct err *) MUST_CHECK;

/*
 * The same, or it waits for its name alone: what was read was compared, and
 * was the same.  No step before is left.
 */
int agent_is_promoted(struct run *, const struct conf_agent *, bool *out,
    struct err *) MUST_CHECK;

/*
 * Whether the target server of an agent can be asked already: one behind an
 * edge that this job has not brought up yet cannot.
 */
int agent_target_ready(struct run *, const struct conf_agent *, bool *out,
    struct err *) MUST_CHECK;

/*
 * What of an agent is this job's; anything else was given to it later, and
 * stays.  Lists of ids.
 */
struct agent_own {
	const struct jdoc *blocks;	/* NULL: all that it has */
	const struct jdoc *archives;	/* beside those that are named after */
	const char *name;		/* ... this (flow/agent_archives.h) */
};

/*
 * Remove the agent of this id, after those blocks and archives that are ours
 * and that no other agent has.  Gone is a success.
 */
int agent_remove(struct server *, const char *id, const struct agent_own *,
    struct err *) MUST_CHECK;

/* The ids of an agent's blocks, as a list of texts; the caller frees it. */
int agent_blocks(struct server *, const char *id, struct jdoc **ids,
    struct err *) MUST_CHECK;

#endif /* !FLOW_AGENT_H */
