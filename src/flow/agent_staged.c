#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_staged.h"
#include "io/journal.h"

static int
push_row(struct jdoc *out, const struct journal_row *row, struct err *err)
{
	struct jdoc *body = jdoc_parse(row->body, row->body_len, err);
	struct jdoc *one;

	if (!body)
		return err_ctx(err, "staged row %s", row->id);
	one = jdoc_new_object();
	jdoc_set_str(one, "id", row->id);
	jdoc_set(one, "row", body);
	jdoc_push(out, one);
	return 0;
}

int
agent_staged_load(const struct conf_agent *agent, const char *side,
    const char *what, struct journal *journal, struct jdoc **out,
    struct err *err)
{
	char *scope = agent_scope(side, agent, what);
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0, rc;

	*out = jdoc_new_array();
	rc = journal_rows_open(journal, scope, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0)
		rc = push_row(*out, &row, err);
	journal_rows_close(rows);
	free(scope);
	return rc == 0 && more == 0 ? 0 : -1;
}

int
agent_staged_renew(const struct conf_agent *agent, const char *side,
    const char *what, struct journal *journal,
    int (*each)(void *ctx, const char *scope, struct err *), void *ctx,
    struct err *err)
{
	char *scope = agent_scope(side, agent, what);
	int rc;

	rc = journal_scope_drop(journal, scope, err);
	if (rc == 0)
		rc = journal_page_begin(journal, err);
	if (rc == 0 && each(ctx, scope, err) != 0) {
		journal_page_abort(journal);
		rc = -1;
	} else if (rc == 0) {
		rc = journal_page_commit(journal, scope, "", true, err);
	}
	free(scope);
	return rc;
}

int
agent_staged_list(struct journal *journal, const char *key,
    struct jdoc **out, struct err *err)
{
	char *text = NULL;
	int rc;

	*out = NULL;
	rc = journal_get(journal, key, &text, err);
	if (rc == 0 && text && *text) {
		*out = jdoc_parse(text, strlen(text), err);
		rc = *out ? 0 : err_ctx(err, "journal key %s", key);
	} else if (rc == 0) {
		*out = jdoc_new_array();
	}
	free(text);
	return rc;
}

bool
agent_staged_list_has(const struct jdoc *list, const char *text)
{
	const char *one;

	for (size_t i = 0; i < jdoc_len(list); i++) {
		one = jdoc_str(jdoc_at(list, i));
		if (one && str_eq(one, text))
			return true;
	}
	return false;
}

int
agent_staged_list_add(struct journal *journal, const char *key,
    struct jdoc *list, const char *text, struct err *err)
{
	struct buf line = BUF_INIT(LETTA_ANSWER_MAX);
	int rc;

	if (agent_staged_list_has(list, text))
		return 0;
	jdoc_push(list, jdoc_new_str(text));
	jdoc_write(list, &line);
	rc = journal_put(journal, key, buf_cstr(&line), err);
	buf_clear(&line);
	return rc;
}
