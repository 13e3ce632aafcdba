#include "base/base.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/letta.h"

static const struct {
	const char *key, *word;
} marks[BACKUP_MARKS] = {
	[BACKUP_MARK_STATE] = { "state", "settings or tools" },
	[BACKUP_MARK_CONTEXT] = { "context", "messages in context" },
	[BACKUP_MARK_BLOCKS] = { "blocks", "blocks" },
	[BACKUP_MARK_IDENTITIES] = { "identities", "identities" },
	[BACKUP_MARK_MESSAGE] = { "message", "messages" },
	[BACKUP_MARK_PASSAGE] = { "passage", "passages" },
	[BACKUP_MARK_ROWS] = { "rows", "rows in the database" },
};

/* What says when or by whom, and what has a mark or a list of its own. */
static const char *const volatile_keys[] = {
	"updated_at", "last_updated_by_id", "last_run_completion",
	"last_run_duration_ms", "last_stop_reason", "pending_approval",
	"message_ids", "memory", "blocks", "identities", "identity_ids",
	"tools", "tags", "sources", "secrets",
	"tool_exec_environment_variables", "multi_agent_group",
	"managed_group", NULL
};

const char *
backup_mark_key(enum backup_mark mark)
{
	return marks[mark].key;
}

const char *
backup_mark_word(enum backup_mark mark)
{
	return marks[mark].word;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A member's text, or only what it is called when its value is a secret. */
static char *
item_text(const struct jdoc *item, const char *only)
{
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *copy;

	if (only)
		item = jdoc_get(item, only);
	copy = item ? jdoc_copy(item) : NULL;
	for (size_t i = 0; !only && volatile_keys[i] &&
	    jdoc_type(copy) == JDOC_OBJECT; i++) {
		if (!str_eq(volatile_keys[i], "tags"))
			jdoc_remove(copy, volatile_keys[i]);
	}
	if (copy)
		jdoc_write_canonical(copy, &text);
	jdoc_free(copy);
	return text.data ? buf_take(&text) : mem_strdup("");
}

/* A list in an order of our own. */
static void
add_list(const struct jdoc *list, const char *only, struct buf *out)
{
	size_t n = jdoc_len(list);
	char **texts = mem_zero(n + 1, sizeof(*texts));

	for (size_t i = 0; i < n; i++)
		texts[i] = item_text(jdoc_at(list, i), only);
	qsort(texts, n, sizeof(*texts), by_text);
	for (size_t i = 0; i < n; i++) {
		buf_str(out, texts[i]);
		buf_char(out, '\n');
		free(texts[i]);
	}
	free(texts);
}

static void
add_settings(const struct jdoc *state, struct buf *out)
{
	struct jdoc *copy = jdoc_copy(state);

	for (size_t i = 0; volatile_keys[i]; i++)
		jdoc_remove(copy, volatile_keys[i]);
	jdoc_write_canonical(copy, out);
	buf_char(out, '\n');
	jdoc_free(copy);
	add_list(jdoc_get(state, "tools"), NULL, out);
	add_list(jdoc_get(state, "tags"), NULL, out);
	add_list(jdoc_get(state, "sources"), "id", out);
	add_list(jdoc_get(state, "secrets"), "key", out);
	add_list(jdoc_get(state, "tool_exec_environment_variables"), "key",
	    out);
}

const struct jdoc *
backup_print_blocks(const struct jdoc *state)
{
	const struct jdoc *blocks = jdoc_get(state, "blocks");

	return jdoc_type(blocks) == JDOC_ARRAY ? blocks :
	    jdoc_get(jdoc_get(state, "memory"), "blocks");
}

void
backup_print_text(const struct jdoc *state, enum backup_mark mark,
    struct buf *out)
{
	const struct jdoc *list;

	if (jdoc_type(state) != JDOC_OBJECT)
		return;
	switch (mark) {
	case BACKUP_MARK_STATE:
		add_settings(state, out);
		break;
	case BACKUP_MARK_CONTEXT:
		jdoc_write(jdoc_get(state, "message_ids"), out);
		break;
	case BACKUP_MARK_BLOCKS:
		add_list(backup_print_blocks(state), NULL, out);
		break;
	case BACKUP_MARK_IDENTITIES:
		/* 0.11.3 says their ids alone. */
		list = jdoc_get(state, "identities");
		add_list(jdoc_len(list) > 0 ? list : jdoc_get(state,
		    "identity_ids"), NULL, out);
		break;
	default:
		break;
	}
}

void
backup_print_differences(const struct backup_print *a,
    const struct backup_print *b, struct buf *out)
{
	const char *before = "";

	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		if (a->marks[i] && b->marks[i] &&
		    str_eq(a->marks[i], b->marks[i]))
			continue;
		buf_printf(out, "%s%s", before, marks[i].word);
		before = ", ";
	}
}

void
backup_print_clear(struct backup_print *print)
{
	for (size_t i = 0; i < BACKUP_MARKS; i++)
		free(print->marks[i]);
	*print = (struct backup_print){ 0 };
}

void
backup_print_copy(const struct backup_print *from, struct backup_print *out)
{
	for (size_t i = 0; i < BACKUP_MARKS; i++)
		out->marks[i] = from->marks[i] ?
		    mem_strdup(from->marks[i]) : NULL;
}
