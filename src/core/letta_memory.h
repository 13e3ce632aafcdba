#ifndef CORE_LETTA_MEMORY_H
#define CORE_LETTA_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * What an agent has beside its file, at a server: archives with passages,
 * blocks in their own right, identities.  Paths, bodies and rows as they are
 * staged; core/letta.h has the rules for paths.  0.11.3, 0.16.2 and 0.16.8,
 * seen, where nothing else is said.
 */

/*
 * Whether an archive has the name that a server gives the one that it makes
 * for the first passage of the agent of this name: "Sage's Archive".
 */
bool letta_archive_is_auto(const char *archive, const char *agent);

/* Passages. */

/*
 * GET the newest passage alone.  A listing whose cursor is unknown ends
 * without an error (the passage was deleted meanwhile), and then this one was
 * not in it.
 */
void letta_path_passage_newest(struct buf *, const char *agent);

/*
 * POST many at once; from 0.16.4 on, and 405 before.  All are stored or none.
 * Unlike the agent's own route it has no limit of 8192 tokens: what its
 * embedder takes is taken (0.16.8, seen).
 */
void letta_path_passage_batch(struct buf *, const char *archive);

struct letta_staged {
	const char *text;	/* as core/letta_answer.h stages a passage */
	size_t len;
};

int letta_body_passages(struct buf *, const struct letta_staged *, size_t n,
    struct err *) MUST_CHECK;

/* Blocks. */

#define LETTA_PATH_BLOCKS "/v1/blocks/"
/* 422 for more than 50 characters, or others than letters, digits, _ / - */
void letta_path_blocks_by_label(struct buf *, const char *label);
/* PATCH; no body. */
void letta_path_block_attach(struct buf *, const char *agent,
    const char *block);
void letta_path_block_detach(struct buf *, const char *agent,
    const char *block);

/*
 * A block as it is staged (flow/agent_blocks.h has the text).  shared_with is
 * a sorted list of agents' ids.
 */
int letta_block_row(const struct jdoc *block, const struct jdoc *shared_with,
    struct buf *out, struct err *) MUST_CHECK;

/* Fields of a block, as bits. */
enum letta_block_field {
	LETTA_BLOCK_LABEL = 1,
	LETTA_BLOCK_VALUE = 2,
	LETTA_BLOCK_LIMIT = 4,
	LETTA_BLOCK_DESCRIPTION = 8,
	LETTA_BLOCK_READ_ONLY = 16,
	LETTA_BLOCK_METADATA = 32,
	LETTA_BLOCK_TAGS = 64
};

/*
 * Those of a row that the block at a server, there, has otherwise; never
 * LETTA_BLOCK_VALUE.  A limit is the one that af_shell_limit gives.  Tags are
 * left out when one of the two servers keeps none: their answers then have no
 * `tags' at all.
 */
unsigned int letta_block_changes(const struct jdoc *row,
    const struct jdoc *there);

/* Body of a PATCH that sets these fields as the row has them. */
void letta_body_block(struct buf *, const struct jdoc *row,
    unsigned int fields);

/* Body of a POST: a block with the row's value, under a label of ours. */
void letta_body_block_new(struct buf *, const struct jdoc *row,
    const char *label);

/* Identities. */

#define LETTA_PATH_IDENTITIES "/v1/identities/"
void letta_path_identity(struct buf *, const char *identity);
void letta_path_identities_by_key(struct buf *, const char *key);
/* GET: the agents that have it (0.16.2 and 0.16.8). */
void letta_path_identity_agents(struct buf *, const char *identity);
/* PATCH; no body.  Once more is a success (0.16.2 and 0.16.8). */
void letta_path_identity_attach(struct buf *, const char *agent,
    const char *identity);

/*
 * An identity as it is staged (flow/agent_identities.h has the text).  It is
 * the body of the POST that makes one, too.
 */
int letta_identity_row(const struct jdoc *identity, struct buf *out,
    struct err *) MUST_CHECK;

/* Tools. */

void letta_path_agent_tools(struct buf *, const char *agent);
/* PATCH; no body.  Once more is a success (0.16.2 and 0.16.8). */
void letta_path_tool_attach(struct buf *, const char *agent,
    const char *tool);
void letta_path_tool_detach(struct buf *, const char *agent,
    const char *tool);

#endif /* !CORE_LETTA_MEMORY_H */
