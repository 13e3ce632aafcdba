#include "base/base.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_model.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "core/verdict.h"

#define SHOWN_MAX 100

/* The handle; of one without, the name of the model. */
static const char *
name_of(const struct jdoc *config, const char *model_key)
{
	const char *name = af_model_handle(config);

	if (!name)
		name = jdoc_get_str(config, model_key);
	return name ? name : "";
}

/* "context window 128000 -> 30000", or nothing. */
static void
say_window(const struct jdoc *source, const struct jdoc *target,
    struct buf *out)
{
	int64_t was = jdoc_int(jdoc_get(source, "context_window"));
	int64_t is = jdoc_int(jdoc_get(target, "context_window"));

	if (was != is)
		buf_printf(out, "context window %" PRId64 " -> %" PRId64,
		    was, is);
}

static void
compare_config(struct verdict *v, const char *check, const char *model_key,
    const struct jdoc *source, const struct jdoc *target, const char *asked)
{
	const char *was = name_of(source, model_key);
	const char *is = name_of(target, model_key);
	struct buf line = BUF_INIT(4096);

	if (str_eq(was, is)) {
		say_window(source, target, &line);
		verdict_add(v, check, VERDICT_SAME, 1, 1, "%s",
		    buf_cstr(&line));
		buf_clear(&line);
		return;
	}
	shown_text(&line, was, strlen(was), SHOWN_MAX);
	buf_str(&line, " -> ");
	shown_text(&line, is, strlen(is), SHOWN_MAX);
	if (asked && str_eq(asked, is))
		verdict_add(v, check, VERDICT_NOT_COMPARED, 1, 1,
		    "mapped as asked: %s", buf_cstr(&line));
	else
		verdict_add(v, check, VERDICT_DIFFERENT, 1, 1, "%s",
		    buf_cstr(&line));
	buf_clear(&line);
}

void
verdict_models(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target, const char *asked_model,
    const char *asked_embedding)
{
	compare_config(v, "model", "model", source->llm_config,
	    target->llm_config, asked_model);
	compare_config(v, "embedding", "embedding_model",
	    source->embedding_config, target->embedding_config,
	    asked_embedding);
}

static const struct af_tool *
custom_tool(const struct af_shell *shell, const struct af_tool *like)
{
	for (size_t i = 0; i < shell->n_tools; i++) {
		if (shell->tools[i].source_code &&
		    str_eq(shell->tools[i].name, like->name) &&
		    str_eq(shell->tools[i].source_code, like->source_code))
			return &shell->tools[i];
	}
	return NULL;
}

/* What a model is told of the tool: its arguments. */
static bool
same_schema(const struct af_tool *a, const struct af_tool *b)
{
	struct buf x = BUF_INIT(AF_SHELL_MAX), y = BUF_INIT(AF_SHELL_MAX);
	bool same;

	jdoc_write_canonical(jdoc_get(jdoc_get(a->doc, "json_schema"),
	    "parameters"), &x);
	jdoc_write_canonical(jdoc_get(jdoc_get(b->doc, "json_schema"),
	    "parameters"), &y);
	same = str_eq(buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
	return same;
}

static void
add_schemas(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	struct buf names = BUF_INIT(1024);
	const struct af_tool *a, *b;
	uint64_t n = 0;

	for (size_t i = 0; i < source->n_tools; i++) {
		a = &source->tools[i];
		b = a->source_code ? custom_tool(target, a) : NULL;
		if (!b || !str_eq(a->type, "custom") || same_schema(a, b))
			continue;
		buf_str(&names, n++ > 0 ? ", " : "");
		shown_text(&names, a->name, strlen(a->name), 64);
	}
	if (n > 0)
		verdict_add(v, "tool schemas", VERDICT_NOT_COMPARED, n, n,
		    "the target had the tool, and describes its arguments "
		    "otherwise: %s", buf_cstr(&names));
	buf_clear(&names);
}

void
verdict_losses(struct verdict *v, const struct af_shell *source,
    const struct af_shell *target)
{
	struct buf names = BUF_INIT(1024);
	size_t n;

	if (source->secrets > 0) {
		af_shell_secrets(source, &names);
		verdict_add(v, "secrets", VERDICT_NOT_COMPARED,
		    source->secrets, target->secrets, "%zu to be supplied "
		    "again: %s", source->secrets, buf_cstr(&names));
	}
	buf_clear(&names);
	n = af_shell_mcp(source, &names);
	if (n > 0)
		verdict_add(v, "mcp servers", VERDICT_NOT_COMPARED, n, 0,
		    "to be set up on the target by hand: %s",
		    buf_cstr(&names));
	buf_clear(&names);
	n = jdoc_len(jdoc_get(source->doc, "sources"));
	if (n > 0)
		verdict_add(v, "folders", VERDICT_NOT_COMPARED, n,
		    jdoc_len(jdoc_get(target->doc, "sources")), "they came "
		    "along; the target makes its own passages of the files");
	add_schemas(v, source, target);
}
