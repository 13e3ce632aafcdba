#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/letta_memory.h"
#include "core/letta_users.h"

#define MARK_KEY "sanctumctl_mark"
#define BLOCK_KEY "sanctumctl_block"

void
letta_path_blocks_page(struct buf *out, const char *label,
    const char *after, unsigned int limit)
{
	letta_path_blocks_by_label(out, label);
	buf_printf(out, "&order=asc&limit=%u", limit);
	if (after && *after) {
		buf_str(out, "&after=");
		str_url(out, after);
	}
}

static void
set_copy(struct jdoc *body, const struct jdoc *block, const char *key)
{
	if (jdoc_type(jdoc_get(block, key)) != JDOC_NULL)
		jdoc_set(body, key, jdoc_copy(jdoc_get(block, key)));
}

/* Servers choke on a value that is longer than its limit. */
static void
set_limit(struct jdoc *body, const struct jdoc *block)
{
	const struct jdoc *value = jdoc_get(block, "value");

	if (jdoc_has(block, "limit"))
		jdoc_set(body, "limit", jdoc_new_int(af_shell_limit(
		    jdoc_int(jdoc_get(block, "limit")), jdoc_str(value) ?
		    jdoc_str(value) : "", jdoc_str_len(value))));
}

int
letta_body_user_block(struct buf *out, const struct jdoc *block,
    const char *mark, struct err *err)
{
	static const char *const keys[] = { "label", "value", "description",
	    "read_only" };
	const struct jdoc *metadata = jdoc_get(block, "metadata");
	const char *id = jdoc_get_str(block, "id");
	struct jdoc *body, *own;

	if (!id || !jdoc_get_str(block, "label") ||
	    !jdoc_get_str(block, "value"))
		return err_set(err, ERR_DATA, "a block without id, label or "
		    "value");
	body = jdoc_new_object();
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		set_copy(body, block, keys[i]);
	set_limit(body, block);
	own = jdoc_type(metadata) == JDOC_OBJECT ? jdoc_copy(metadata) :
	    jdoc_new_object();
	jdoc_set_str(own, MARK_KEY, mark);
	jdoc_set_str(own, BLOCK_KEY, id);
	jdoc_set(body, "metadata", own);
	jdoc_write(body, out);
	jdoc_free(body);
	return buf_check(out, "block", err);
}

void
letta_body_user_value(struct buf *out, const struct jdoc *block)
{
	struct jdoc *body = jdoc_new_object();

	set_copy(body, block, "value");
	set_limit(body, block);
	jdoc_write(body, out);
	jdoc_free(body);
}

const char *
letta_user_block_source(const struct jdoc *block, const char *mark)
{
	const struct jdoc *metadata = jdoc_get(block, "metadata");

	return jdoc_is(metadata, MARK_KEY, mark) ?
	    jdoc_get_str(metadata, BLOCK_KEY) : NULL;
}
