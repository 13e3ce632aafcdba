#ifndef CORE_AF_MODEL_H
#define CORE_AF_MODEL_H

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct jdoc;

/*
 * The model of an agent on another server.  A server is asked what it offers
 * (GET /v1/models/ and /v1/models/embedding: a list of configurations, each
 * with its handle, such as "openai/gpt-4o"; 0.16.2 and 0.16.8, seen), and the
 * agent's configuration is made to name the endpoint of that server and not
 * the one of its source.
 *
 * The configuration rides in the file: an import of 0.16.2 ignores the form
 * fields that name a model.
 */

/* The entry of a list of what is offered with this handle, or NULL. */
const struct jdoc *af_model_find(const struct jdoc *offered,
    const char *handle);

/*
 * The handle of a configuration, or NULL: a server may be given one without.
 */
const char *af_model_handle(const struct jdoc *config);

/*
 * The configuration with which the agent goes to a server that offers
 * `offered': where the model is (name, endpoint, provider, handle) is the
 * server's; how it is used (temperature, max_tokens, reasoning, ...) stays the
 * agent's.  The context window is never more than the server's.
 *
 * Of another model than the agent's (another handle) limits and reasoning
 * are the server's, since they mean nothing beyond one model; temperature,
 * response_format and parallel_tool_calls stay.  config may be NULL.  The
 * caller owns what is returned.
 */
struct jdoc *af_model_llm(const struct jdoc *config,
    const struct jdoc *offered);

/* The same of an embedding: all is the server's but the chunk size. */
struct jdoc *af_model_embedding(const struct jdoc *config,
    const struct jdoc *offered);

/*
 * Append what changes, a line for each key: "  model_endpoint: a -> b\n".
 * Either may be NULL.  Text is made printable and cut.
 */
void af_model_diff(const struct jdoc *before, const struct jdoc *after,
    struct buf *out);

/*
 * Append the handles nearest to one that is not offered, "a, b, c": alike in
 * letters, else of the same provider; when there is none, the first one.  At
 * most `most' of them.
 */
void af_model_near(const struct jdoc *offered, const char *handle,
    size_t most, struct buf *out);

#endif /* !CORE_AF_MODEL_H */
