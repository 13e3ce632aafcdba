#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/af.h"
#include "core/af_row.h"
#include "core/af_shell.h"
#include "core/bundle_line.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_changes.h"
#include "flow/agent_feed.h"
#include "flow/agent_staged.h"
#include "flow/bundle.h"
#include "flow/bundle_extra.h"
#include "flow/bundle_out.h"
#include "flow/bundle_side.h"
#include "io/journal.h"
#include "io/sumfile.h"

#define NAME_MAX_BYTES 80

/* "tools/NAME.py", whatever the name holds, and none twice. */
static char *
tool_path(const struct bundle_out *out, const char *name)
{
	char *plain = mem_strndup(name, NAME_MAX_BYTES), *path;

	for (char *c = plain; *c; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9') && *c != '-')
			*c = '_';
	}
	path = mem_printf("tools/%s.py", *plain ? plain : "_");
	for (int n = 2; bundle_manifest_find(&out->manifest, path); n++) {
		free(path);
		path = mem_printf("tools/%s-%d.py", plain, n);
	}
	free(plain);
	return path;
}

int
bundle_extra_tools(struct bundle_out *out, const struct bundle_side *side,
    struct err *err)
{
	const struct jdoc *tools = jdoc_get(side->shell, "tools"), *source;
	const char *name;
	char *path;
	int rc = 0;

	for (size_t i = 0; i < jdoc_len(tools) && rc == 0; i++) {
		name = jdoc_get_str(jdoc_at(tools, i), "name");
		source = jdoc_get(jdoc_at(tools, i), "source_code");
		if (jdoc_type(source) != JDOC_STRING)
			continue;
		path = tool_path(out, name ? name : "");
		rc = bundle_out_text(out, path, jdoc_str(source),
		    jdoc_str_len(source), err);
		free(path);
	}
	return rc;
}

/*
 * Note each row that a conversion changes, in the journal's own list.  A
 * history that cannot be converted is said, and what was noted until then
 * stands: the bundle is whole without this list.
 */
static int
note_changes(const struct bundle_side *side, const char *scope,
    struct err *err)
{
	struct agent_changes changes;
	struct agent_feed_source source = {
		.journal = side->journal,
		.scope = scope,
		.changed = agent_changes_add,
		.ctx = &changes,
	};
	struct af_rules rules;
	uint64_t rows;
	int rc;

	bundle_side_rules(side, &rules);
	source.rules = &rules;
	if (agent_changes_begin(&changes, side->journal, side->agent,
	    err) != 0)
		return -1;
	rc = agent_feed_count(&source, &rows, NULL, err);
	if (rc != 0 && err->kind == ERR_DATA) {
		log_warn("an import will fail as this history is: %s",
		    err->text);
		err_clear(err);
		rc = 0;
	}
	return agent_changes_end(&changes, rc, err);
}

/* The entry of the list, with the row as it was read. */
static int
write_change(const struct bundle_side *side, const char *scope,
    const struct journal_row *row, struct sumfile *file, struct err *err)
{
	struct buf body = BUF_INIT(BUNDLE_LINE_MAX * 2);
	struct buf line = BUF_INIT(BUNDLE_LINE_MAX * 2);
	char *original = NULL;
	int rc;

	rc = journal_row_get(side->journal, scope, row->id, &original, err);
	if (rc == 0) {
		buf_add(&body, row->body, row->body_len - 1);
		buf_printf(&body, ",\"original\":");
		buf_str(&body, original ? original : "null");
		buf_char(&body, '}');
		bundle_line_write(&line, row->id, buf_cstr(&body), body.len);
		rc = buf_check(&line, "a changed row", err);
	}
	if (rc == 0)
		sumfile_add(file, buf_cstr(&line), line.len);
	free(original);
	buf_clear(&line);
	buf_clear(&body);
	return rc;
}

static int
write_changes(const struct bundle_side *side, const char *scope,
    struct sumfile *file, uint64_t *n, struct err *err)
{
	char *list = mem_printf("changes/%s", side->agent->name);
	struct journal_rows *rows = NULL;
	struct journal_row row;
	int more = 0, rc;

	rc = journal_rows_open(side->journal, list, false, &rows, err);
	while (rc == 0 && (more = journal_rows_next(rows, &row, err)) > 0) {
		rc = write_change(side, scope, &row, file, err);
		*n += 1;
	}
	journal_rows_close(rows);
	free(list);
	return rc == 0 && more == 0 ? 0 : -1;
}

int
bundle_extra_changes(struct bundle_out *out, const struct bundle_side *side,
    struct bundle_figures *figures, struct err *err)
{
	static const char path[] = "originals/changes.jsonl";
	char *scope = agent_scope(side->side, side->agent, "messages");
	struct sumfile *file;
	int rc;

	rc = note_changes(side, scope, err);
	if (rc == 0)
		rc = bundle_out_file(out, path, &file, err);
	if (rc == 0 && write_changes(side, scope, file, &figures->changes,
	    err) != 0) {
		sumfile_close(file);
		rc = -1;
	} else if (rc == 0)
		rc = bundle_out_commit(out, path, file, figures->changes,
		    err);
	free(scope);
	return rc;
}

/* The names that an object has, added to the list once. */
static void
add_names(struct jdoc *names, const struct jdoc *object)
{
	struct jdoc_member member = { 0 };

	while (jdoc_next(object, &member)) {
		if (!agent_staged_list_has(names, member.key))
			jdoc_push(names, jdoc_new_str(member.key));
	}
}

/* What a verdict says of every move, and of one of this very agent. */
static int
list_losses(const struct jdoc *shell_doc, struct jdoc *losses,
    struct err *err)
{
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	struct verdict verdict = { 0 };
	struct af_shell shell;
	struct jdoc *loss;
	int rc;

	jdoc_write(shell_doc, &text);
	rc = buf_check(&text, "the export", err);
	if (rc == 0)
		rc = af_shell_read(buf_cstr(&text), text.len, &shell, err);
	if (rc == 0) {
		verdict_losses(&verdict, &shell, &shell);
		verdict_add_blind(&verdict);
		af_shell_clear(&shell);
	}
	for (size_t i = 0; i < verdict.n_checks; i++) {
		loss = jdoc_new_object();
		jdoc_set_str(loss, "what", verdict.checks[i].name);
		jdoc_set_str(loss, "reason", verdict.checks[i].reason);
		jdoc_push(losses, loss);
	}
	verdict_clear(&verdict);
	buf_clear(&text);
	return rc;
}

int
bundle_extra_losses(struct bundle_out *out, const struct bundle_side *side,
    struct bundle_figures *figures, struct err *err)
{
	const struct jdoc *agent = jdoc_at(jdoc_get(side->shell, "agents"),
	    0);
	struct jdoc *doc = jdoc_new_object(), *losses = jdoc_new_array();
	struct jdoc *names = jdoc_new_array();
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	int rc;

	rc = list_losses(side->shell, losses, err);
	add_names(names, jdoc_get(agent, "tool_exec_environment_variables"));
	add_names(names, jdoc_get(agent, "secrets"));
	figures->losses = jdoc_len(losses);
	jdoc_set(doc, "losses", losses);
	jdoc_set(doc, "secrets", names);
	jdoc_write(doc, &text);
	buf_char(&text, '\n');
	if (rc == 0)
		rc = buf_check(&text, "losses.json", err);
	if (rc == 0)
		rc = bundle_out_text(out, "losses.json", buf_cstr(&text),
		    text.len, err);
	jdoc_free(doc);
	buf_clear(&text);
	return rc;
}
