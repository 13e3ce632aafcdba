#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "core/af.h"
#include "core/af_shell.h"
#include "core/conf.h"
#include "core/export.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/bundle.h"
#include "flow/bundle_stage.h"
#include "io/journal.h"
#include "io/pieces.h"

/* What 0.11.3 would say, when the file is of its kind. */
#define LEGACY_VERSION "0.11.3"

/*
 * A row under its id; one that an earlier row has too becomes "ID~2" and so
 * on, as in a listing, since each row is kept.
 */
static int
add_row(struct bundle_stage *stage, const char *id, const char *text,
    size_t len, struct err *err)
{
	char *other = mem_strdup(id);
	bool added = false;
	int rc;

	for (uint64_t n = 2;; n++) {
		rc = bundle_stage_row(stage, other, text, len, &added, err);
		if (rc != 0 || added)
			break;
		free(other);
		other = mem_printf("%s~%" PRIu64, id, n);
	}
	free(other);
	return rc;
}

static int
take_row(void *ctx, const struct export_row *row, struct err *err)
{
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	struct bundle_stage *stage = ctx;
	int rc;

	/* One that an earlier run has staged. */
	if (row->number < stage->rows)
		return 0;
	if (stop_check(err) != 0)
		return -1;
	if (row->text)
		return add_row(stage, row->id, row->text, row->len, err);
	jdoc_write(row->doc, &text);
	rc = buf_check(&text, row->id, err);
	if (rc == 0)
		rc = add_row(stage, row->id, buf_cstr(&text), text.len, err);
	buf_clear(&text);
	return rc;
}

static int
feed(void *ctx, const char *data, size_t len, struct err *err)
{
	return export_feed(ctx, data, len, err);
}

/* What a server would say of the agent's state. */
static struct jdoc *
state_of(const struct jdoc *agent, bool legacy)
{
	static const char *const texts[] = { "name", "agent_type", NULL };
	const struct jdoc *ids = jdoc_get(agent, "in_context_message_ids");
	struct jdoc *state = jdoc_new_object();
	const char *text;

	if (legacy)
		jdoc_set_str(state, "version", LEGACY_VERSION);
	for (size_t i = 0; texts[i]; i++) {
		text = jdoc_get_str(agent, texts[i]);
		if (text)
			jdoc_set_str(state, texts[i], text);
	}
	jdoc_set(state, "message_ids", jdoc_type(ids) == JDOC_ARRAY ?
	    jdoc_copy(ids) : jdoc_new_array());
	return state;
}

static int
put_doc(struct journal *journal, char *take_key, const struct jdoc *doc,
    struct err *err)
{
	struct buf text = BUF_INIT((size_t)AF_SHELL_MAX * 2);
	int rc;

	jdoc_write(doc, &text);
	rc = buf_check(&text, take_key, err);
	if (rc == 0)
		rc = journal_put(journal, take_key, buf_cstr(&text), err);
	buf_clear(&text);
	free(take_key);
	return rc;
}

/* Everything but the rows, as the two facts of a side. */
static int
keep_facts(struct export *reader, const char *path,
    const struct conf_agent *agent, const char *side,
    struct journal *journal, struct err *err)
{
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	struct jdoc *shell = NULL, *state = NULL;
	bool legacy;
	int rc;

	rc = export_end(reader, &text, &legacy, err);
	if (rc == 0) {
		shell = jdoc_parse(buf_cstr(&text), text.len, err);
		rc = shell && af_shell_agent(shell, err) ? 0 : -1;
	}
	if (rc != 0)
		(void)err_ctx(err, "%s", path);
	if (rc == 0) {
		state = state_of(af_shell_agent(shell, err), legacy);
		af_shell_strip(shell);
		rc = put_doc(journal, agent_shell_key(side, agent), shell,
		    err);
	}
	if (rc == 0)
		rc = put_doc(journal, agent_state_key(side, agent), state,
		    err);
	jdoc_free(state);
	jdoc_free(shell);
	buf_wipe(&text);
	return rc;
}

int
bundle_load_af(const char *path, const struct conf_agent *agent,
    const char *side, struct journal *journal, struct err *err)
{
	char *scope = agent_scope(side, agent, "messages");
	struct bundle_stage stage = { .journal = journal, .scope = scope };
	struct export *reader = export_new(&(struct export_each){
	    .row = take_row, .ctx = &stage });
	bool ended;
	int rc;

	progress_begin(path, "rows", 0);
	rc = bundle_stage_resume(&stage, &ended, err);
	if (rc == 0)
		rc = pieces_read(path, feed, reader, err);
	/* The facts tell whether the file is whole: the page waits for it. */
	if (rc == 0)
		rc = keep_facts(reader, path, agent, side, journal, err);
	if (rc == 0)
		rc = bundle_stage_end(&stage, err);
	bundle_stage_abort(&stage);
	progress_end();
	export_free(reader);
	free(scope);
	return rc;
}
