#ifndef CORE_AF_H
#define CORE_AF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct af_mark;
struct af_row;
struct err;
struct jdoc;

/*
 * The agent file (.af, version 2: the one with `agents`) that goes up to
 * POST /v1/agents/import, made as a stream.
 *
 * Everything but the messages comes from the source's own export (the
 * shell); the messages come row by row from a callback, so memory grows with
 * the list of rows in context and not with the history.
 *
 *     struct af_source source = {
 *             .shell = text, .shell_len = len, .name = "sage-4711",
 *             .in_context = agent.message_ids,
 *             .next = next_staged_row, .ctx = rows,
 *     };
 *
 *     af_open(&source, &w, err)
 *     while ((n = af_read(w, data, size, err)) > 0) ...
 *     af_stats(w, &stats)
 *     af_close(w)
 *
 * What is changed on the way, because an import refuses or spoils it (Letta
 * 0.16.2, seen): the shell's own messages are dropped (an export holds 50);
 * messages are numbered message-0.. in order; created_at, updated_at and
 * metadata_ inside tools[] are left out (400 extra_forbidden); mcp_servers is
 * empty (af_shell_mcp); a block whose value is longer than its limit gets
 * that length as limit (af_shell_limit);
 * keys of a row that a file does not have (step_id, run_id, merged_id, otid)
 * are left out.  Rows come converted (core/af_row.h); one that still breaks a
 * rule of core/af_rule.h is refused.
 *
 * The rows in context are the source's, in its order, but: the first is a
 * system row (else the server overwrites it with its prompt), ids that no row
 * has are left out, and so is a tool's return whose call is not in context;
 * one whose call is in context stands behind it.
 */

/* The largest shell that is taken. */
#define AF_SHELL_MAX (64 * 1024 * 1024)
/* Rows in context; a server holds a few hundred. */
#define AF_CONTEXT_MAX 100000

/* A name that is not yet that of another agent: see letta_name_ok. */
struct af_source {
	const char *shell;		/* the whole export */
	size_t shell_len;
	const char *name;		/* the agent's, in the file */
	const struct jdoc *in_context;	/* ids at the source, in order */
	const struct af_mark *mark;	/* into its metadata, or NULL */
	const char *agent_type;		/* NULL: the shell's */
	/* Instead of the shell's (core/af_model.h); NULL: as they are. */
	const struct jdoc *llm_config;
	const struct jdoc *embedding_config;

	/* The servers that must take it (core/af_rule.h); 0: all. */
	unsigned int targets;

	/*
	 * The next row, converted (core/af_row.h): 1, 0 after the last, -1.
	 * It lives until the next call; its document is edited here.
	 */
	int (*next)(void *ctx, struct af_row *, struct err *);
	void *ctx;
};

struct af_stats {
	uint64_t rows;			/* written */
	uint64_t context_wanted;	/* ids in the source's list */
	uint64_t context_kept;		/* ids in the file's */
	uint64_t context_missing;	/* ids that no row has */
	uint64_t returns_dropped;	/* from context: call not in it */
	uint64_t returns_added;		/* to context: call in it */
	bool system_added;		/* first system row put in front */
	uint64_t limits_raised;		/* blocks */
};

struct af_writer;

/*
 * Read the shell and make the file's head; the source's texts are not needed
 * afterwards.  Fails with ERR_DATA: not an export of core/af_shell.h, more
 * than one agent in it, a name that the server would refuse, two blocks of
 * one label.
 */
int af_open(const struct af_source *, struct af_writer **out, struct err *)
    MUST_CHECK;
void af_close(struct af_writer *);

/*
 * The next bytes of the file, at most size of them: how many, 0 at its end,
 * -1.  Fails with what the callback failed with, and with ERR_DATA for a row
 * that breaks a rule ("row 12 (message-...): ...") and for a history without
 * any system row.  After a failure the file is of no use.
 */
ptrdiff_t af_read(struct af_writer *, char *data, size_t size, struct err *)
    MUST_CHECK;

/* Whole once af_read has returned 0. */
void af_stats(const struct af_writer *, struct af_stats *);

#endif /* !CORE_AF_H */
