#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/af.h"
#include "core/af_row.h"
#include "core/bundle_line.h"
#include "core/jdoc.h"
#include "core/verdict.h"
#include "flow/agent.h"
#include "flow/agent_feed.h"
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

/* The list of changed rows on its way into its file. */
struct changes {
	const struct bundle_side *side;
	const char *scope;
	struct sumfile *file;
	uint64_t rows;
};

/* ,"KEY":{the row as it was staged} */
static int
add_original(const struct changes *c, const char *key, const char *id,
    struct buf *out, struct err *err)
{
	char *body = NULL;

	if (journal_row_get(c->side->journal, c->scope, id, &body, err) != 0)
		return -1;
	buf_printf(out, ",\"%s\":", key);
	buf_str(out, body ? body : "null");
	free(body);
	return 0;
}

static int
note_change(void *ctx, const char *id, const char *merged_id,
    unsigned int changes, struct err *err)
{
	struct buf body = BUF_INIT(BUNDLE_LINE_MAX * 2);
	struct buf line = BUF_INIT(BUNDLE_LINE_MAX * 2);
	struct changes *c = ctx;
	const char *between = "";
	int rc;

	buf_str(&body, "{\"changes\":[");
	for (unsigned int i = 0; i < AF_CHANGES; i++) {
		if ((changes & AF_CHANGE_BIT(i)) == 0)
			continue;
		buf_str(&body, between);
		jdoc_write_str(af_change_text(i), strlen(af_change_text(i)),
		    &body);
		between = ",";
	}
	buf_char(&body, ']');
	rc = add_original(c, "original", id, &body, err);
	if (rc == 0 && merged_id)
		rc = add_original(c, "merged", merged_id, &body, err);
	buf_char(&body, '}');
	if (rc == 0) {
		bundle_line_write(&line, id, buf_cstr(&body), body.len);
		rc = buf_check(&line, "a changed row", err);
	}
	if (rc == 0) {
		sumfile_add(c->file, buf_cstr(&line), line.len);
		c->rows++;
	}
	buf_clear(&line);
	buf_clear(&body);
	return rc;
}

/* Pull every row through the conversion; the callback does the rest. */
static int
walk_changes(struct changes *c, struct err *err)
{
	struct agent_feed_source source = {
		.journal = c->side->journal,
		.scope = c->scope,
		.changed = note_change,
		.ctx = c,
	};
	struct af_rules rules;
	uint64_t rows;

	bundle_side_rules(c->side, &rules);
	source.rules = &rules;
	if (agent_feed_count(&source, &rows, NULL, err) == 0)
		return 0;
	if (err->kind != ERR_DATA)
		return -1;
	log_warn("an import will fail as this history is: %s", err->text);
	err_clear(err);
	return 0;
}

int
bundle_extra_changes(struct bundle_out *out, const struct bundle_side *side,
    struct bundle_figures *figures, struct err *err)
{
	static const char path[] = "originals/changes.jsonl";
	char *scope = agent_scope(side->side, side->agent, "messages");
	struct changes c = { .side = side, .scope = scope };
	int rc;

	rc = bundle_out_file(out, path, &c.file, err);
	if (rc == 0 && walk_changes(&c, err) != 0) {
		sumfile_close(c.file);
		rc = -1;
	} else if (rc == 0)
		rc = bundle_out_commit(out, path, c.file, c.rows, err);
	figures->changes = c.rows;
	free(scope);
	return rc;
}

static struct jdoc *
add_loss(struct jdoc *losses, const char *what, const char *reason)
{
	struct jdoc *loss = jdoc_new_object();

	jdoc_set_str(loss, "what", what);
	jdoc_set_str(loss, "reason", reason);
	jdoc_push(losses, loss);
	return loss;
}

/* The names that an object has, as a loss of their values. */
static void
add_names(struct jdoc *losses, const struct jdoc *object, const char *what)
{
	struct jdoc *names = jdoc_new_array();
	struct jdoc_member member = { 0 };

	while (jdoc_next(object, &member))
		jdoc_push(names, jdoc_new_str(member.key));
	if (jdoc_len(names) == 0) {
		jdoc_free(names);
		return;
	}
	jdoc_set(add_loss(losses, what, "no export holds their values: set "
	    "them again on the new server"), "names", names);
}

static void
add_servers(struct jdoc *losses, const struct jdoc *servers)
{
	struct jdoc *names = jdoc_new_array();
	const char *name;

	for (size_t i = 0; i < jdoc_len(servers); i++) {
		name = jdoc_get_str(jdoc_at(servers, i), "server_name");
		jdoc_push(names, jdoc_new_str(name ? name : ""));
	}
	if (jdoc_len(names) == 0) {
		jdoc_free(names);
		return;
	}
	jdoc_set(add_loss(losses, "MCP servers", "the file carries them "
	    "without their tokens: look at each on the new server"), "names",
	    names);
}

int
bundle_extra_losses(struct bundle_out *out, const struct bundle_side *side,
    struct bundle_figures *figures, struct err *err)
{
	const struct jdoc *agent = jdoc_at(jdoc_get(side->shell, "agents"),
	    0);
	struct jdoc *doc = jdoc_new_object(), *losses = jdoc_new_array();
	struct buf text = BUF_INIT(AF_SHELL_MAX);
	int rc;

	for (size_t i = 0; verdict_blind[i].name; i++)
		(void)add_loss(losses, verdict_blind[i].name,
		    verdict_blind[i].reason);
	add_names(losses, jdoc_get(agent, "tool_exec_environment_variables"),
	    "values of tool variables");
	add_names(losses, jdoc_get(agent, "secrets"), "values of secrets");
	add_servers(losses, jdoc_get(side->shell, "mcp_servers"));
	figures->losses = jdoc_len(losses);
	jdoc_set(doc, "losses", losses);
	jdoc_write(doc, &text);
	buf_char(&text, '\n');
	rc = buf_check(&text, "losses.json", err);
	if (rc == 0)
		rc = bundle_out_text(out, "losses.json", buf_cstr(&text),
		    text.len, err);
	jdoc_free(doc);
	buf_clear(&text);
	return rc;
}
