#ifndef CORE_LETTA_ANSWER_H
#define CORE_LETTA_ANSWER_H

#include <stddef.h>

#include "base/attr.h"
#include "core/letta.h"

struct buf;
struct err;
struct jdoc;
struct secret;

/*
 * What a Letta server answers (0.16.2 and 0.16.8, seen), turned into what the
 * rest of the program works with.  Failures are ERR_DATA and name the place
 * in the answer; text from the server is made printable and bounded.
 */

/*
 * The reason in the body of a non-2xx answer, in one printable line of at
 * most 300 bytes: FastAPI's `detail` (a string, or the list of a 422 as
 * "loc: msg"), else the body itself.  "(empty answer)" when there is none.
 * hidden, or NULL, is what the server was sent and may say back.
 */
void letta_answer_detail(const char *body, size_t len,
    const struct secret *hidden, struct buf *out);

/* The one agent that an import made: {"agent_ids":["agent-UUID"]}. */
int letta_answer_import(const char *text, size_t len,
    char id[static LETTA_ID_SIZE], struct err *) MUST_CHECK;

/* An agent's state.  Pointers live as long as the document behind it. */
struct letta_agent {
	const char *id;
	const char *name;
	const char *agent_type;
	const struct jdoc *metadata;	/* object or NULL */
	const struct jdoc *message_ids;	/* array of strings or NULL */
	const struct jdoc *state;	/* all of it */
	struct jdoc *owned;		/* of letta_answer_agent */
};

/* GET /v1/agents/{id}.  Free with letta_answer_agent_clear. */
int letta_answer_agent(const char *text, size_t len, struct letta_agent *,
    struct err *) MUST_CHECK;
void letta_answer_agent_clear(struct letta_agent *);

/*
 * GET /v1/agents/?name=...: each is called once an agent, which it may only
 * use until it returns; what it returns but 0 ends the walk with -1.
 */
int letta_answer_agents(const char *text, size_t len,
    int (*each)(void *ctx, const struct letta_agent *, struct err *),
    void *ctx, struct err *) MUST_CHECK;

/*
 * A page of passages.  each gets the id and a body ready to stage, the same
 * text for the same passage on any server:
 *
 *     {"created_at":"2026-01-02T03:04:05.678901Z","tags":["a","b"],"text":""}
 *
 * created_at in UTC with its microseconds, tags sorted and each once.  The
 * embedding is cut out of the text before it is parsed.
 */
struct letta_passage_page {
	size_t items;			/* 0: the listing has ended */
	char last_id[LETTA_ID_SIZE];	/* the next page's cursor */
};

int letta_answer_passages(const char *text, size_t len,
    int (*each)(void *ctx, const char *id, const char *body,
    size_t body_len, struct err *), void *ctx, struct letta_passage_page *,
    struct err *) MUST_CHECK;

/*
 * A page of an agent's conversations: each gets the id, and a body ready to
 * stage, {"id":...,"summary":...,"created_at":...} as far as these are text.
 */
int letta_answer_conversations(const char *text, size_t len,
    int (*each)(void *ctx, const char *id, const char *body,
    size_t body_len, struct err *), void *ctx, size_t *items, struct err *)
    MUST_CHECK;

/*
 * Append tags to out, a list: sorted, each once, as a server keeps those of a
 * passage.  NULL and null are none.
 */
int letta_answer_tags(const struct jdoc *tags, const char *where,
    struct jdoc *out, struct err *) MUST_CHECK;

#endif /* !CORE_LETTA_ANSWER_H */
