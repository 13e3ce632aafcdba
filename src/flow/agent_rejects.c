#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/letta.h"
#include "flow/agent.h"
#include "flow/agent_rejects.h"
#include "io/fs.h"
#include "io/journal.h"

/* Of the whole file: some 1,500 passages of the size that is refused. */
#define FILE_MAX (64 * 1024 * 1024)

static char *
scope_of(const struct conf_agent *agent)
{
	return agent_scope("rejects", agent, "passages");
}

int
agent_rejects_drop(const struct conf_agent *agent, struct journal *journal,
    struct err *err)
{
	char *scope = scope_of(agent);
	int rc = journal_scope_drop(journal, scope, err);

	free(scope);
	return rc;
}

/* One line of the file, from a staged passage. */
static int
make_line(const char *id, const char *body, size_t len, const char *reason,
    struct buf *line, struct err *err)
{
	struct jdoc *passage = jdoc_parse(body, len, err);
	struct jdoc *doc;

	if (!passage)
		return err_ctx(err, "passage %s", id);
	doc = jdoc_new_object();
	jdoc_set_str(doc, "id", id);
	jdoc_set(doc, "created_at",
	    jdoc_copy(jdoc_get(passage, "created_at")));
	jdoc_set(doc, "tags", jdoc_copy(jdoc_get(passage, "tags")));
	jdoc_set(doc, "text", jdoc_copy(jdoc_get(passage, "text")));
	jdoc_set(doc, "size_bytes", jdoc_new_int(
	    (int64_t)jdoc_str_len(jdoc_get(passage, "text"))));
	jdoc_set_str(doc, "reason", reason);
	jdoc_write(doc, line);
	jdoc_free(doc);
	jdoc_free(passage);
	return buf_check(line, id, err);
}

/* One row as a page of its own. */
static int
add_row(struct journal *journal, const char *scope, const char *id,
    const char *body, size_t len, struct err *err)
{
	bool added;

	if (journal_page_begin(journal, err) != 0)
		return -1;
	if (journal_row_add(journal, scope, id, body, len, &added,
	    err) != 0) {
		journal_page_abort(journal);
		return -1;
	}
	return journal_page_commit(journal, scope, "", true, err);
}

int
agent_rejects_add(const struct conf_agent *agent, struct journal *journal,
    const char *id, const char *body, size_t len, const char *reason,
    struct err *err)
{
	struct buf line = BUF_INIT(LETTA_ANSWER_MAX);
	char *scope = scope_of(agent);
	int rc;

	rc = make_line(id, body, len, reason, &line, err);
	if (rc == 0)
		rc = add_row(journal, scope, id, line.data, line.len, err);
	buf_clear(&line);
	free(scope);
	return rc;
}

int
agent_rejects_has(const struct conf_agent *agent, struct journal *journal,
    const char *id, bool *out, struct err *err)
{
	char *scope = scope_of(agent), *body = NULL;
	int rc = journal_row_get(journal, scope, id, &body, err);

	*out = body != NULL;
	free(body);
	free(scope);
	return rc;
}

int
agent_rejects_count(const struct conf_agent *agent, struct journal *journal,
    uint64_t *count, struct err *err)
{
	char *scope = scope_of(agent);
	int rc = journal_count(journal, scope, count, err);

	free(scope);
	return rc;
}

/* The directory of the journal, with "/rejects" behind it. */
static char *
folder(const struct journal *journal)
{
	const char *path = journal_path(journal);
	const char *slash = strrchr(path, '/');

	return slash ? mem_printf("%.*s/rejects", (int)(slash - path), path) :
	    mem_strdup("rejects");
}

char *
agent_rejects_path(const struct conf_agent *agent,
    const struct journal *journal)
{
	char *dir = folder(journal);
	char *path = mem_printf("%s/%s-passages.jsonl", dir, agent->name);

	free(dir);
	return path;
}

static int
collect(struct journal *journal, const char *scope, struct buf *text,
    struct err *err)
{
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0;

	if (journal_rows_open(journal, scope, false, &rows, err) != 0)
		return -1;
	while ((more = journal_rows_next(rows, &row, err)) > 0) {
		buf_add(text, row.body, row.body_len);
		buf_char(text, '\n');
	}
	journal_rows_close(rows);
	return more < 0 ? -1 : buf_check(text, scope, err);
}

int
agent_rejects_write(const struct conf_agent *agent, struct journal *journal,
    struct err *err)
{
	const struct fs_meta meta = {
		.type = FS_FILE, .mode = 0600, .uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	char *scope = scope_of(agent), *dir = folder(journal);
	char *path = agent_rejects_path(agent, journal);
	struct buf text = BUF_INIT(FILE_MAX);
	int rc;

	rc = collect(journal, scope, &text, err);
	if (rc == 0 && text.len == 0)
		rc = fs_remove(path, err);
	else if (rc == 0)
		rc = fs_mkdirs(dir, 0700, err);
	if (rc == 0 && text.len > 0)
		rc = fs_replace(path, text.data, text.len, &meta, err);
	buf_clear(&text);
	free(path);
	free(dir);
	free(scope);
	return rc;
}

int
agent_rejects_carry(const struct conf_agent *agent, struct journal *from,
    struct journal *to, struct err *err)
{
	char *scope = scope_of(agent);
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0, rc;

	rc = journal_rows_open(from, scope, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0)
		rc = add_row(to, scope, row.id, row.body, row.body_len, err);
	journal_rows_close(rows);
	free(scope);
	return rc == 0 && more == 0 ? 0 : -1;
}
