#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "flow/agent_orphans.h"
#include "flow/run.h"
#include "flow/server.h"
#include "io/journal.h"

#define BLOCKS_PATH "/v1/blocks/?connected_to_agents_count_eq=0" \
    "&limit=100000"
/* In the journal instead of a list. */
#define TOO_MANY "null"

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* The blocks without an agent; value left out when only ids are wanted. */
static int
fetch(struct server *server, bool values, struct jdoc **out, struct err *err)
{
	struct buf answer = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	*out = NULL;
	rc = server_get(server, BLOCKS_PATH, &answer, err);
	if (rc == 0) {
		*out = values ? jdoc_parse(buf_cstr(&answer), answer.len,
		    err) : jdoc_parse_without(buf_cstr(&answer), answer.len,
		    "value", err);
		if (!*out)
			rc = err_ctx(err, "%s: blocks", server->name);
	}
	if (rc == 0 && jdoc_type(*out) != JDOC_ARRAY) {
		rc = err_set(err, ERR_DATA, "%s: blocks: not a list",
		    server->name);
		jdoc_free(*out);
		*out = NULL;
	}
	buf_clear(&answer);
	return rc;
}

int
agent_orphans_note(struct server *server, const struct conf_agent *agent,
    struct journal *journal, struct err *err)
{
	char *key = run_key("agent", agent->name, "blocks-before");
	struct buf text = BUF_INIT(LETTA_ANSWER_MAX);
	struct jdoc *found = NULL, *ids = jdoc_new_array();
	const char *id;
	int rc;

	rc = fetch(server, false, &found, err);
	for (size_t i = 0; i < jdoc_len(found); i++) {
		id = jdoc_get_str(jdoc_at(found, i), "id");
		if (id)
			jdoc_push(ids, jdoc_new_str(id));
	}
	if (rc == 0) {
		jdoc_write(ids, &text);
	} else if (err->kind == ERR_DATA) {
		log_detail("%s", err->text);
		err_clear(err);
		buf_str(&text, TOO_MANY);
		rc = 0;
	}
	if (rc == 0)
		rc = journal_put(journal, key, buf_cstr(&text), err);
	jdoc_free(found);
	jdoc_free(ids);
	buf_clear(&text);
	free(key);
	return rc;
}

/* A server drops U+0000 from a text. */
static bool
same_value(const struct af_block *block, const struct jdoc *value)
{
	const char *there = jdoc_str(value);
	size_t len = jdoc_str_len(value), n = 0;

	for (size_t i = 0; there && i < block->value_len; i++) {
		if (block->value[i] == '\0')
			continue;
		if (n == len || there[n++] != block->value[i])
			return false;
	}
	return there && n == len;
}

static bool
same_text(const char *a, const char *b)
{
	return str_eq(a ? a : "", b ? b : "");
}

/* Whether an import of the shell would make this block. */
static bool
is_of(const struct af_shell *shell, const struct jdoc *there)
{
	const struct af_block *block;

	for (size_t i = 0; i < shell->n_blocks; i++) {
		block = &shell->blocks[i];
		if (same_text(block->label, jdoc_get_str(there, "label")) &&
		    af_shell_limit(block->limit, block->value,
		    block->value_len) == jdoc_int(jdoc_get(there, "limit")) &&
		    same_text(block->description, jdoc_get_str(there,
		    "description")) &&
		    same_value(block, jdoc_get(there, "value")))
			return true;
	}
	return false;
}

/* Ask again whether it has no agent: somebody may have taken it since. */
static int
remove_one(struct server *server, const char *id, struct err *err)
{
	struct buf path = BUF_INIT(LETTA_PATH_MAX);
	struct jdoc *agents = NULL;
	int rc;

	letta_path_block_agents(&path, id);
	rc = server_get_doc(server, buf_cstr(&path), "agents of a block",
	    &agents, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&path);
	letta_path_block(&path, id);
	if (rc == 0 && jdoc_type(agents) == JDOC_ARRAY &&
	    jdoc_len(agents) == 0)
		rc = server_delete(server, buf_cstr(&path), err);
	jdoc_free(agents);
	buf_clear(&path);
	return rc;
}

/* The noted ids, sorted; they live as long as the document. */
static const char **
sorted_ids(const struct jdoc *ids, size_t *n)
{
	const char **out = mem_zero(jdoc_len(ids) + 1, sizeof(*out));

	*n = 0;
	for (size_t i = 0; i < jdoc_len(ids); i++) {
		out[*n] = jdoc_str(jdoc_at(ids, i));
		*n += out[*n] != NULL;
	}
	qsort(out, *n, sizeof(*out), by_text);
	return out;
}

static int
remove_new(struct server *server, const struct af_shell *shell,
    const struct jdoc *before, struct err *err)
{
	struct jdoc *found = NULL;
	const struct jdoc *block;
	const char **ids, *id;
	size_t n;
	int rc;

	ids = sorted_ids(before, &n);
	rc = fetch(server, true, &found, err);
	for (size_t i = 0; i < jdoc_len(found) && rc == 0; i++) {
		block = jdoc_at(found, i);
		id = jdoc_get_str(block, "id");
		if (id && is_of(shell, block) &&
		    !bsearch(&id, ids, n, sizeof(*ids), by_text))
			rc = remove_one(server, id, err);
	}
	jdoc_free(found);
	free(ids);
	return rc;
}

int
agent_orphans_remove(struct server *server, const struct conf_agent *agent,
    const struct af_shell *shell, struct journal *journal, struct err *err)
{
	char *key = run_key("agent", agent->name, "blocks-before");
	char *text = NULL;
	struct jdoc *before = NULL;
	int rc;

	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && str_eq(text, TOO_MANY)) {
		log_info("%s has too many blocks without an agent to tell "
		    "whether this job left some", server->name);
	} else if (rc == 0 && text && *text) {
		before = jdoc_parse(text, strlen(text), err);
		rc = before ? remove_new(server, shell, before, err) :
		    err_ctx(err, "journal key %s", key);
	}
	jdoc_free(before);
	free(text);
	free(key);
	return rc != 0 ? err_ctx(err, "blocks without an agent") : 0;
}
