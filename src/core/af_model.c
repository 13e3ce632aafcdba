#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_model.h"
#include "core/jdoc.h"
#include "core/shown.h"

#define SHOWN_MAX 120
/* Handles that are looked at for the nearest one, and bytes of each. */
#define NEAR_MAX 4096
#define NEAR_BYTES 200

/* Where a model is: of the server that has it. */
static const char *const place_keys[] = {
	"model", "display_name", "model_endpoint_type", "model_endpoint",
	"provider_name", "provider_category", "model_wrapper", "handle",
	"compatibility_type", "tier", NULL
};

/* What means the same with any model. */
static const char *const habit_keys[] = {
	"temperature", "response_format", "parallel_tool_calls", NULL
};

/* Of an entry of the list these are a configuration. */
static const char *const limit_keys[] = {
	"context_window", "put_inner_thoughts_in_kwargs", "temperature",
	"max_tokens", "enable_reasoner", "reasoning_effort",
	"max_reasoning_tokens", "effort", "frequency_penalty", "verbosity",
	"parallel_tool_calls", "response_format", "strict",
	"return_logprobs", "top_logprobs", "return_token_ids",
	"tool_call_parser", NULL
};

static const char *const embedding_keys[] = {
	"embedding_endpoint_type", "embedding_endpoint", "embedding_model",
	"embedding_dim", "embedding_chunk_size", "handle", "batch_size",
	"azure_endpoint", "azure_version", "azure_deployment", NULL
};

const char *
af_model_handle(const struct jdoc *config)
{
	const char *handle = jdoc_get_str(config, "handle");

	return handle && *handle ? handle : NULL;
}

const struct jdoc *
af_model_find(const struct jdoc *offered, const char *handle)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(offered); i++) {
		one = af_model_handle(jdoc_at(offered, i));
		if (one && str_eq(one, handle))
			return jdoc_at(offered, i);
	}
	return NULL;
}

/* Set those of the keys that `from' has. */
static void
take(struct jdoc *to, const struct jdoc *from, const char *const *keys)
{
	for (; *keys; keys++) {
		if (jdoc_has(from, *keys) && jdoc_get(from, *keys))
			jdoc_set(to, *keys, jdoc_copy(jdoc_get(from, *keys)));
		else if (jdoc_has(from, *keys))
			jdoc_set_null(to, *keys);
	}
}

static struct jdoc *
copy_of(const struct jdoc *config)
{
	return jdoc_type(config) == JDOC_OBJECT ? jdoc_copy(config) :
	    jdoc_new_object();
}

static void
cap_window(struct jdoc *out, const struct jdoc *offered)
{
	int64_t most = jdoc_int(jdoc_get(offered, "max_context_window"));
	int64_t wanted = jdoc_int(jdoc_get(out, "context_window"));

	if (most <= 0)
		most = jdoc_int(jdoc_get(offered, "context_window"));
	if (most > 0 && (wanted <= 0 || wanted > most))
		jdoc_set(out, "context_window", jdoc_new_int(most));
}

struct jdoc *
af_model_llm(const struct jdoc *config, const struct jdoc *offered)
{
	const char *was = af_model_handle(config);
	const char *is = af_model_handle(offered);
	struct jdoc *out;

	if (was && is && str_eq(was, is)) {
		out = copy_of(config);
		take(out, offered, place_keys);
	} else {
		out = jdoc_new_object();
		take(out, offered, place_keys);
		take(out, offered, limit_keys);
		take(out, config, habit_keys);
		if (jdoc_int(jdoc_get(config, "context_window")) > 0)
			jdoc_set(out, "context_window", jdoc_copy(jdoc_get(
			    config, "context_window")));
	}
	cap_window(out, offered);
	return out;
}

struct jdoc *
af_model_embedding(const struct jdoc *config, const struct jdoc *offered)
{
	static const char *const own[] = { "embedding_chunk_size", NULL };
	struct jdoc *out = jdoc_new_object();

	take(out, offered, embedding_keys);
	take(out, config, own);
	return out;
}

static void
write_value(const struct jdoc *value, struct buf *out)
{
	struct buf text = BUF_INIT(64 * 1024);

	jdoc_write(value, &text);
	shown_text(out, buf_cstr(&text), text.len, SHOWN_MAX);
	buf_clear(&text);
}

/* One line unless both say the same; null is the same as nothing. */
static void
write_change(const char *key, const struct jdoc *before,
    const struct jdoc *after, struct buf *out)
{
	struct buf x = BUF_INIT(64 * 1024), y = BUF_INIT(64 * 1024);

	jdoc_write_canonical(before, &x);
	jdoc_write_canonical(after, &y);
	if (!str_eq(buf_cstr(&x), buf_cstr(&y))) {
		buf_str(out, "  ");
		shown_text(out, key, strlen(key), SHOWN_MAX);
		buf_str(out, ": ");
		write_value(before, out);
		buf_str(out, " -> ");
		write_value(after, out);
		buf_char(out, '\n');
	}
	buf_clear(&x);
	buf_clear(&y);
}

void
af_model_diff(const struct jdoc *before, const struct jdoc *after,
    struct buf *out)
{
	struct jdoc_member m = { 0 };

	while (jdoc_next(after, &m))
		write_change(m.key, jdoc_get(before, m.key), m.value, out);
	m = (struct jdoc_member){ 0 };
	while (jdoc_next(before, &m)) {
		if (!jdoc_has(after, m.key))
			write_change(m.key, m.value, NULL, out);
	}
}

/* The first of the names with the same "provider/", or NULL. */
static const char *
same_provider(const char *handle, const char *const *names)
{
	size_t len = strcspn(handle, "/") + 1;

	for (; *names; names++) {
		if (strncmp(handle, *names, len) == 0)
			return *names;
	}
	return NULL;
}

void
af_model_near(const struct jdoc *offered, const char *handle, size_t most,
    struct buf *out)
{
	size_t n = jdoc_len(offered), n_names = 0, written = 0;
	const char **names, *near;

	if (n > NEAR_MAX)
		n = NEAR_MAX;
	names = mem_zero(n + 1, sizeof(*names));
	for (size_t i = 0; i < n; i++) {
		near = af_model_handle(jdoc_at(offered, i));
		if (near && strlen(near) <= NEAR_BYTES)
			names[n_names++] = near;
	}
	/* The nearest is taken out of the list, then the next nearest. */
	while (written < most && n_names > 0) {
		near = str_nearest(handle, names);
		if (!near)
			near = same_provider(handle, names);
		if (!near && written > 0)
			break;
		if (!near)
			near = names[0];
		buf_str(out, written++ > 0 ? ", " : "");
		shown_text(out, near, strlen(near), SHOWN_MAX);
		for (size_t i = 0; i < n_names; i++) {
			if (names[i] == near) {
				names[i] = names[--n_names];
				names[n_names] = NULL;
			}
		}
	}
	free(names);
}
