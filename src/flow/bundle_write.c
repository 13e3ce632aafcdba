#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/af.h"
#include "core/bundle_line.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/bundle.h"
#include "flow/bundle_extra.h"
#include "flow/bundle_out.h"
#include "flow/bundle_side.h"
#include "io/fs.h"
#include "io/journal.h"
#include "io/sumfile.h"

/* Copy the rows of a scope, a line each. */
static int
copy_rows(struct journal *journal, const char *scope, struct sumfile *file,
    uint64_t *n, struct err *err)
{
	struct buf line = BUF_INIT(BUNDLE_LINE_MAX + 1);
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = -1;

	*n = 0;
	if (journal_rows_open(journal, scope, false, &rows, err) != 0)
		return -1;
	while (stop_check(err) == 0 &&
	    (more = journal_rows_next(rows, &row, err)) > 0) {
		buf_truncate(&line, 0);
		bundle_line_write(&line, row.id, row.body, row.body_len);
		more = -1;
		if (buf_check(&line, row.id, err) != 0)
			break;
		sumfile_add(file, buf_cstr(&line), line.len);
		progress_at(++*n);
	}
	journal_rows_close(rows);
	buf_clear(&line);
	return more;
}

static int
write_scope(struct bundle_out *out, struct journal *journal,
    const char *scope, const char *path, uint64_t *n, struct err *err)
{
	struct sumfile *file;
	int rc;

	if (bundle_out_file(out, path, &file, err) != 0)
		return -1;
	progress_begin(path, "rows", 0);
	if (copy_rows(journal, scope, file, n, err) == 0)
		rc = bundle_out_commit(out, path, file, *n, err);
	else {
		sumfile_close(file);
		rc = -1;
	}
	progress_end();
	return rc;
}

/* Rows of one conversation each, by the list of them. */
static int
write_conversations(struct bundle_out *out, const struct bundle_side *side,
    struct err *err)
{
	char *index = agent_scope(side->side, side->agent, "conversations");
	struct journal_rows *rows = NULL;
	struct journal_row row;
	char *path, *scope;
	uint64_t n;
	int more = 0, rc;

	rc = journal_rows_open(side->journal, index, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		path = mem_printf(BUNDLE_CONVERSATIONS "%s.jsonl", row.id);
		scope = agent_conversation_scope(side->side, side->agent,
		    row.id);
		if (!bundle_path_ok(path))
			rc = err_set(err, ERR_DATA, "a conversation whose id "
			    "cannot be the name of a file: %s", row.id);
		else
			rc = write_scope(out, side->journal, scope, path, &n,
			    err);
		free(scope);
		free(path);
	}
	journal_rows_close(rows);
	free(index);
	return rc == 0 && more == 0 ? 0 : -1;
}

static int
write_parts(struct bundle_out *out, const struct bundle_side *side,
    struct bundle_figures *figures, struct err *err)
{
	uint64_t *const counts[] = {
		&figures->messages, &figures->passages, &figures->blocks,
		&figures->identities, &figures->conversations,
	};
	char *scope;
	int rc = 0;

	for (size_t i = 0; bundle_parts[i].scope && rc == 0; i++) {
		scope = agent_scope(side->side, side->agent,
		    bundle_parts[i].scope);
		rc = write_scope(out, side->journal, scope,
		    bundle_parts[i].path, counts[i], err);
		free(scope);
	}
	return rc == 0 ? write_conversations(out, side, err) : -1;
}

static int
write_doc(struct bundle_out *out, const char *path, const struct jdoc *doc,
    struct err *err)
{
	struct buf text = BUF_INIT((size_t)AF_SHELL_MAX * 2);
	int rc;

	jdoc_write(doc, &text);
	buf_char(&text, '\n');
	rc = buf_check(&text, path, err);
	if (rc == 0)
		rc = bundle_out_text(out, path, buf_cstr(&text), text.len,
		    err);
	buf_clear(&text);
	return rc;
}

static char *
copy(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

static int
write_manifest(struct bundle_out *out, const struct bundle_side *side,
    const struct bundle_about *about, struct err *err)
{
	struct buf text = BUF_INIT(BUNDLE_MANIFEST_MAX);
	struct bundle_manifest *m = &out->manifest;
	char now[CLOCK_TEXT_SIZE];
	int rc;

	clock_utc(now);
	m->program = mem_strdup("sanctumctl " PACKAGE_VERSION);
	m->made_at = mem_strdup(now);
	m->server = copy(about->server);
	m->url = copy(about->url);
	m->letta = copy(about->letta);
	m->agent_id = copy(about->agent_id);
	m->agent_name = copy(jdoc_get_str(side->state, "name"));
	m->agent_type = copy(jdoc_get_str(side->state, "agent_type"));
	bundle_manifest_write(m, &text);
	rc = m->n_files > BUNDLE_FILES_MAX ? err_set(err, ERR_DATA, "%zu "
	    "files are more than a bundle may have", m->n_files) :
	    buf_check(&text, BUNDLE_MANIFEST, err);
	if (rc == 0)
		rc = bundle_out_text(out, BUNDLE_MANIFEST, buf_cstr(&text),
		    text.len, err);
	buf_clear(&text);
	return rc;
}

/* The directory and those in it, so that every name in them is kept. */
static int
sync_folders(const struct bundle_out *out, struct err *err)
{
	static const char *const folders[] = {
		"conversations", "originals", "tools", "."
	};
	struct fs_meta meta;
	char *path;
	int rc = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) &&
	    rc == 0; i++) {
		path = mem_printf("%s/%s", out->temp, folders[i]);
		rc = fs_stat(path, &meta, err);
		if (rc == 0 && meta.type == FS_DIR)
			rc = fs_sync_dir(path, err);
		free(path);
	}
	return rc;
}

static int
write_all(struct bundle_out *out, const struct bundle_side *side,
    const struct bundle_about *about, struct bundle_figures *figures,
    struct err *err)
{
	if (fs_mkdirs(out->temp, 0700, err) != 0 ||
	    write_doc(out, "shell.json", side->shell, err) != 0 ||
	    write_doc(out, "state.json", side->state, err) != 0 ||
	    write_parts(out, side, figures, err) != 0 ||
	    bundle_extra_tools(out, side, err) != 0 ||
	    bundle_extra_changes(out, side, figures, err) != 0 ||
	    bundle_extra_losses(out, side, figures, err) != 0)
		return -1;
	figures->files = out->manifest.n_files;
	if (write_manifest(out, side, about, err) != 0)
		return -1;
	figures->bytes = out->bytes;
	return sync_folders(out, err);
}

int
bundle_write(struct journal *journal, const struct conf_agent *agent,
    const char *side, const struct bundle_about *about, const char *path,
    struct bundle_figures *figures, struct err *err)
{
	struct bundle_side from;
	struct bundle_out out;
	int rc;

	*figures = (struct bundle_figures){ 0 };
	rc = bundle_out_begin(&out, path, err);
	if (rc == 0)
		rc = bundle_side_load(journal, agent, side, &from, err);
	if (rc == 0) {
		rc = write_all(&out, &from, about, figures, err);
		if (rc == 0)
			rc = bundle_out_place(&out, err);
		bundle_side_clear(&from);
	}
	bundle_out_clear(&out);
	return rc;
}
