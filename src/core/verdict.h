#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct af_shell;
struct buf;
struct err;

/*
 * The result of a comparison: checks that were made, each with what was
 * counted on both sides, and those that could not be made, with the reason.
 * Nothing is inferred: what no check speaks of has no state.
 *
 *     struct verdict v = { 0 };
 *
 *     verdict_add(&v, "messages", VERDICT_SAME, 340, 340, NULL);
 *     verdict_blocks(&v, &source, &target);
 *     verdict_add_blind(&v);
 *     if (verdict_overall(&v) != VERDICT_SAME) ...
 *     verdict_clear(&v);
 *
 * core/verdict_row.h has the comparison of single rows and passages.
 */
enum verdict_state {
	VERDICT_SAME,
	VERDICT_DIFFERENT,
	VERDICT_NOT_COMPARED
};

struct verdict_check {
	char *name;
	enum verdict_state state;
	uint64_t source, target;	/* how many were looked at */
	char *reason;			/* one printable line, or "" */
};

struct verdict {
	struct verdict_check *checks;
	size_t n_checks;
};

/*
 * Add a check.  reason (printf-like, or NULL) is made printable and cut to
 * 300 bytes; DIFFERENT and NOT_COMPARED should always have one.
 */
void verdict_add(struct verdict *, const char *name, enum verdict_state,
    uint64_t source, uint64_t target, const char *reason, ...)
    PRINTF(6, 7);

/*
 * What an agent has and we cannot see or rebuild through the API, each as
 * NOT_COMPARED with its reason (verdict_blind).  They do not hinder a verdict
 * of SAME, and stand in it for whoever reads it.
 */
struct verdict_blind {
	const char *name;
	const char *reason;
};
extern const struct verdict_blind verdict_blind[];	/* name NULL ends */
void verdict_add_blind(struct verdict *);

/*
 * DIFFERENT if any check is; else NOT_COMPARED if none was made; else SAME.
 */
enum verdict_state verdict_overall(const struct verdict *);

/*
 * Add every check of another verdict under the name PREFIX.NAME: a job has a
 * verdict on each thing that it moves.
 */
void verdict_add_all(struct verdict *, const char *prefix,
    const struct verdict *other);

/* "same", "different", "not compared" */
const char *verdict_word(enum verdict_state);

/* A table for people; its last line is the overall state. */
void verdict_write_text(const struct verdict *, struct buf *out);

void verdict_clear(struct verdict *);

/*
 * Check "blocks": label, value, limit, description and read_only of every
 * block, by label.  The reason names the first block and field that differ.
 * A limit is the same when it is the source's as af_shell_limit raises it;
 * the reason counts these.  Ids, tags, metadata and sharing are not looked
 * at.
 */
void verdict_blocks(struct verdict *, const struct af_shell *source,
    const struct af_shell *target);

/*
 * Check "tools": the set of names, and the source of every custom tool.  A
 * built-in tool's source belongs to the server's version and is not.
 */
void verdict_tools(struct verdict *, const struct af_shell *source,
    const struct af_shell *target);

/*
 * The same for a job with `tools = keep': a custom tool of another source is
 * no difference, and check "tools kept" (NOT_COMPARED) names these.
 */
void verdict_tools_kept(struct verdict *, const struct af_shell *source,
    const struct af_shell *target);

/*
 * Checks "model" and "embedding": the handles.  A handle that the job file
 * asked for (NULL: none) is NOT_COMPARED, since it is another on purpose.
 * The reason says when the context window has become another one.
 */
void verdict_models(struct verdict *, const struct af_shell *source,
    const struct af_shell *target, const char *asked_model,
    const char *asked_embedding);

/*
 * What the source has and no import can bring, by name, each NOT_COMPARED and
 * only when there is something: "secrets" (tool variables whose values must
 * be supplied again), "mcp servers", "folders" (they come along, and the
 * target reads their files anew), "tool schemas" (a tool of the same source
 * that the target describes otherwise to the model).
 */
void verdict_losses(struct verdict *, const struct af_shell *source,
    const struct af_shell *target);

/*
 * Check "tool rules": each rule of the source is one of the target's, which may
 * have more (a server adds its own to some types of agent).
 */
void verdict_tool_rules(struct verdict *, const struct af_shell *source,
    const struct af_shell *target);

/* Check "agent": agent_type, system prompt, description, tags, metadata. */
void verdict_agent(struct verdict *, const struct af_shell *source,
    const struct af_shell *target);

#endif /* !CORE_VERDICT_H */
