#ifndef CORE_AF_SHELL_H
#define CORE_AF_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;

/*
 * What an agent has besides its messages, read from an export: for the plan,
 * and for the verdict, which compares two of them.  All pointers belong to
 * the shell and live until af_shell_clear.
 */
struct af_block {
	const char *label;
	const char *value;
	size_t value_len;
	int64_t limit;
	const char *description;	/* NULL: none */
	bool read_only;
	const struct jdoc *metadata;	/* object or NULL */
	const char *id;			/* in the file or the server */
};

struct af_tool {
	const char *name;
	const char *type;		/* "custom", "letta_core", ... or "" */
	const char *source_code;	/* NULL: none (built in) */
	const char *id;
	const struct jdoc *doc;		/* all of it */
};

struct af_shell {
	struct jdoc *doc;
	const char *name;
	const char *agent_type;		/* not said: letta_v1_agent */
	const char *prompt;		/* `system`; "" when not said */
	const char *description;	/* NULL: none */
	const struct jdoc *metadata;	/* of the agent; object or NULL */
	const struct jdoc *tags;	/* list or NULL */
	size_t messages;		/* rows in the export: not all there
					 * are (the oldest 50 on 0.16.2) */
	size_t secrets;			/* names of tool variables: their
					 * values are in no file */
	const struct jdoc *llm_config;	/* object or NULL; and so is: */
	const struct jdoc *embedding_config;
	struct af_block *blocks;
	size_t n_blocks;
	struct af_tool *tools;
	size_t n_tools;
};

/*
 * GET /v1/agents/{id}/export, or a .af file.  Fails with ERR_DATA: no JSON;
 * the legacy file of version 1 (said so: no later server imports it); no
 * `agents` or not exactly one; a block or tool without label or name.
 */
int af_shell_read(const char *text, size_t len, struct af_shell *,
    struct err *) MUST_CHECK;

void af_shell_clear(struct af_shell *);

/*
 * Blank the values of tool variables and secrets in a parsed export; their
 * names stay.  Servers write these values as "" (Letta 0.16.2 and 0.16.8,
 * seen); whatever another one does, they are secrets and are not kept.
 */
void af_shell_hide_secrets(struct jdoc *file);

/* Take out the messages, and the list of those in context, too. */
void af_shell_strip(struct jdoc *file);

/*
 * The limit with which a block of this limit and value is imported: the
 * value's length in characters (code points, as a server counts them) where
 * that is more, since a server refuses a value beyond its limit.
 */
int64_t af_shell_limit(int64_t limit, const char *value, size_t value_len);

/*
 * Append the names of the tool variables, "A, B, C", printable, at most 200
 * bytes.  The values must be supplied again: no file holds them.
 */
void af_shell_secrets(const struct af_shell *, struct buf *out);

/*
 * The same of the MCP servers that its tools come from, by their names alone
 * (a server's address or environment may hold a secret); returns how many.
 * None of them rides in a file that we make: an import would give one that
 * the target has by the same name another address and no token (0.16.8,
 * read in its source).
 */
size_t af_shell_mcp(const struct af_shell *, struct buf *out);

/*
 * Fails with ERR_DATA when two blocks of a parsed file have one label: a
 * server takes both, attaches one, and says nothing (0.16.2 and 0.16.8, seen).
 */
int af_shell_labels(const struct jdoc *file, struct err *) MUST_CHECK;

/*
 * The agents[0] of a parsed export, or NULL with err: the checks of
 * af_shell_read that concern the file as a whole.
 */
const struct jdoc *af_shell_agent(const struct jdoc *file, struct err *)
    MUST_CHECK;

#endif /* !CORE_AF_SHELL_H */
