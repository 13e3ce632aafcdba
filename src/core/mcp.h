#ifndef CORE_MCP_H
#define CORE_MCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct jdoc;
struct secret;

/*
 * The Model Context Protocol as far as a check of a worker's SMCP needs it:
 * texts of requests, and what comes back (SMCP 895f188 with mcp 1.x, seen):
 *
 *     GET /sse                       an event stream; its first event is
 *                                    `endpoint', the path to post to
 *     POST that path                 202; the reply is an event `message'
 *
 *     initialize, notifications/initialized, tools/list, tools/call
 */
#define MCP_PATH_SSE "/sse"
#define MCP_TEXT_MAX (1024 * 1024)

/* JSON-RPC texts, appended.  id is what the reply bears. */
void mcp_initialize(struct buf *, int64_t id);
void mcp_initialized(struct buf *);
/* cursor NULL: the first page. */
void mcp_tools_list(struct buf *, int64_t id, const char *cursor);
/* arguments NULL: none. */
void mcp_tools_call(struct buf *, int64_t id, const char *tool,
    const struct jdoc *arguments);

/*
 * An HTTP request on a connection of its own, its key, if any, as a bearer
 * token: the caller wipes out.  json NULL: a GET.
 */
void mcp_request(struct buf *out, const char *path, unsigned int port,
    const struct secret *key, const char *json);

/*
 * Whether a path that came as `endpoint' may be posted to: of this server, no
 * control byte or blank.
 */
bool mcp_endpoint_ok(const char *path) MUST_CHECK;

/*
 * The result out of a message; *result is NULL, and that is a success, when
 * it is no reply to id (a notification).  The caller frees it.  An error of
 * the server is ERR_FAILED with its words.
 */
int mcp_reply(const char *text, size_t len, int64_t id,
    struct jdoc **result, struct err *) MUST_CHECK;

/*
 * Add the names of a page of tools/list to a list of texts.  cursor (lives as
 * long as result) is NULL at the end.  ERR_DATA when it is none.
 */
int mcp_tool_names(const struct jdoc *result, struct jdoc *names,
    const char **cursor, struct err *) MUST_CHECK;

/*
 * A tool that does nothing but answer: demo_text__echo, another of demo_text,
 * or sanctum__tools; NULL when there is none.  *arguments is the caller's to
 * free, and NULL for none.
 */
const char *mcp_harmless(const struct jdoc *names, struct jdoc **arguments);

/* Whether a call's result is no error. */
bool mcp_call_worked(const struct jdoc *result) MUST_CHECK;

/*
 * Of two lists of names: those that want has and have lacks, and the other
 * way round, printable, the first 20 of each.  True: the same names.
 */
bool mcp_same_names(const struct jdoc *want, const struct jdoc *have,
    struct buf *lacks, struct buf *extra);

#endif /* !CORE_MCP_H */
