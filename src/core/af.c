#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_context.h"
#include "core/af_mark.h"
#include "core/af_model.h"
#include "core/af_row.h"
#include "core/af_rule.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "core/shown.h"

/* The head twice, and a name more. */
#define HEAD_MAX ((size_t)AF_SHELL_MAX * 2)

enum stage {
	STAGE_ROWS,
	STAGE_TAIL,
	STAGE_DONE,
	STAGE_FAILED
};

struct af_writer {
	struct af_source source;
	char *agent_id;			/* of the file: "agent-0" */
	struct af_context *context;
	struct af_stats stats;
	enum stage stage;
	struct buf pending;		/* made and not yet read */
	size_t taken;			/* of pending */
	struct buf tail;		/* behind the list of ids */
};

static int
check_source(const struct af_source *source, struct err *err)
{
	if (source->shell_len > AF_SHELL_MAX)
		return err_set(err, ERR_DATA, "agent file: export is larger "
		    "than %d bytes", AF_SHELL_MAX);
	if (!af_rule_name_ok(source->name))
		return err_set(err, ERR_DATA, "agent file: not a name that a "
		    "server takes in a file: letters, digits, blank, \"-\", "
		    "\"_\", \"'\"");
	return 0;
}

static void
fix_blocks(struct jdoc *file, struct af_stats *stats)
{
	struct jdoc *blocks = jdoc_edit(file, "blocks"), *block;
	const struct jdoc *limit, *value;
	int64_t raised;
	size_t i;

	for (i = 0; i < jdoc_len(blocks); i++) {
		block = jdoc_edit_at(blocks, i);
		limit = jdoc_get(block, "limit");
		value = jdoc_get(block, "value");
		if (jdoc_type(limit) != JDOC_NUMBER)
			continue;
		raised = af_shell_limit(jdoc_int(limit), jdoc_str(value),
		    jdoc_str_len(value));
		if (raised != jdoc_int(limit)) {
			jdoc_set(block, "limit", jdoc_new_int(raised));
			stats->limits_raised++;
		}
	}
}

static void
fix_tools(struct jdoc *file)
{
	struct jdoc *tools = jdoc_edit(file, "tools"), *tool;
	size_t i;

	for (i = 0; i < jdoc_len(tools); i++) {
		tool = jdoc_edit_at(tools, i);
		jdoc_remove(tool, "created_at");
		jdoc_remove(tool, "updated_at");
		jdoc_remove(tool, "metadata_");
	}
}

/* A configuration, and the handle beside it where the file names one. */
static void
put_config(struct jdoc *agent, const char *config_key,
    const char *handle_key, const struct jdoc *config)
{
	const char *handle = af_model_handle(config);

	if (!config)
		return;
	jdoc_set(agent, config_key, jdoc_copy(config));
	if (jdoc_get_str(agent, handle_key) && handle)
		jdoc_set_str(agent, handle_key, handle);
}

static void
fix_agent(struct jdoc *agent, const struct af_source *source)
{
	jdoc_set_str(agent, "name", source->name);
	if (source->mark)
		jdoc_set(agent, "metadata", af_mark_put(jdoc_get(agent,
		    "metadata"), source->mark));
	if (source->agent_type)
		jdoc_set_str(agent, "agent_type", source->agent_type);
	put_config(agent, "llm_config", "model", source->llm_config);
	put_config(agent, "embedding_config", "embedding",
	    source->embedding_config);
	jdoc_remove(agent, "messages");
	jdoc_remove(agent, "in_context_message_ids");
}

/*
 * Messages are put in at the end of agents[0], so its text is cut before its
 * closing brace:
 *
 *     {"agents":[{...agent...,"messages":[   rows   ],
 *     "in_context_message_ids":[...]   }],...the rest of the file...}
 */
static int
write_ends(struct af_writer *w, struct jdoc *file, struct err *err)
{
	const struct jdoc *agent = jdoc_at(jdoc_get(file, "agents"), 0);

	buf_str(&w->pending, "{\"agents\":[");
	jdoc_write(agent, &w->pending);
	buf_truncate(&w->pending, w->pending.len - 1);
	buf_str(&w->pending, ",\"messages\":[");
	jdoc_remove(file, "agents");
	buf_str(&w->tail, "}],");
	jdoc_write(file, &w->tail);
	/* "}],{..." loses the brace: the object is begun already. */
	memmove(w->tail.data + 3, w->tail.data + 4, w->tail.len - 3);
	w->tail.len--;
	if (buf_check(&w->pending, "agent file", err) != 0)
		return -1;
	return buf_check(&w->tail, "agent file", err);
}

static int
read_shell(struct af_writer *w, struct jdoc *file, struct err *err)
{
	const char *id;

	if (!af_shell_agent(file, err))
		return -1;
	id = jdoc_get_str(af_shell_agent(file, err), "id");
	if (!id || !str_starts(id, "agent-"))
		return err_set(err, ERR_DATA, "agent file: /agents/0/id "
		    "should be agent-<number>");
	if (jdoc_len(file) < 2)
		return err_set(err, ERR_DATA, "agent file: nothing but "
		    "agents in it");
	if (af_shell_labels(file, err) != 0)
		return -1;
	w->agent_id = mem_strdup(id);
	fix_agent(jdoc_edit_at(jdoc_edit(file, "agents"), 0), &w->source);
	jdoc_set(file, "mcp_servers", jdoc_new_array());
	fix_tools(file);
	fix_blocks(file, &w->stats);
	return write_ends(w, file, err);
}

int
af_open(const struct af_source *source, struct af_writer **out,
    struct err *err)
{
	struct af_writer *w;
	struct jdoc *file;
	int rc = -1;

	if (check_source(source, err) != 0)
		return -1;
	file = jdoc_parse(source->shell, source->shell_len, err);
	if (!file)
		return err_ctx(err, "agent file");
	w = mem_zero(1, sizeof(*w));
	w->source = *source;
	buf_init(&w->pending, HEAD_MAX);
	buf_init(&w->tail, HEAD_MAX);
	w->context = af_context_new(source->in_context, err);
	if (w->context)
		rc = read_shell(w, file, err);
	jdoc_free(file);
	if (rc != 0) {
		af_close(w);
		return -1;
	}
	/* What was borrowed ends here. */
	w->source.shell = w->source.name = NULL;
	w->source.in_context = NULL;
	w->source.mark = NULL;
	w->source.agent_type = NULL;
	w->source.llm_config = w->source.embedding_config = NULL;
	*out = w;
	return 0;
}

void
af_close(struct af_writer *w)
{
	if (!w)
		return;
	free(w->agent_id);
	af_context_free(w->context);
	buf_clear(&w->pending);
	buf_clear(&w->tail);
	free(w);
}

static int
stop_at_finding(void *ctx, const struct af_rule_finding *finding,
    struct err *err)
{
	(void)ctx;
	if (finding->effect < AF_RULE_LISTING)
		return 0;
	return err_set(err, ERR_DATA, "%s%s%s", finding->at,
	    *finding->at ? ": " : "", finding->what);
}

/* Keys of a staged row that are not of a file. */
static void
strip(struct jdoc *row)
{
	static const char *const foreign[] = {
		"step_id", "run_id", "merged_id", "is_err", "otid",
		"updated_at"
	};
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		jdoc_remove(row, foreign[i]);
	if (!jdoc_has(row, "type"))
		jdoc_set_str(row, "type", "message");
}

static int
write_row(struct af_writer *w, const struct af_row *row, struct err *err)
{
	const struct af_rule_report report = {
		.found = stop_at_finding, .targets = w->source.targets,
	};
	char number[40];

	if (af_rule_row(row->doc, "", &report, err) != 0)
		return -1;
	af_context_row(w->context, w->stats.rows, row->id,
	    jdoc_get_str(row->doc, "merged_id"), row->doc);
	strip(row->doc);
	(void)snprintf(number, sizeof(number), "message-%" PRIu64,
	    w->stats.rows);
	jdoc_set_str(row->doc, "id", number);
	jdoc_set_str(row->doc, "agent_id", w->agent_id);
	if (w->stats.rows > 0)
		buf_char(&w->pending, ',');
	jdoc_write(row->doc, &w->pending);
	return buf_check(&w->pending, "row", err);
}

static int
row_ctx(const struct af_writer *w, const char *id, struct err *err)
{
	struct buf shown = BUF_INIT(512);

	shown_text(&shown, id, strlen(id), 64);
	err_ctx(err, "agent file: row %" PRIu64 " (%s)", w->stats.rows,
	    buf_cstr(&shown));
	buf_clear(&shown);
	return -1;
}

static int
make_row(struct af_writer *w, struct err *err)
{
	struct af_row row;
	int n;

	n = w->source.next(w->source.ctx, &row, err);
	if (n < 0)
		return -1;
	if (n == 0) {
		w->stage = STAGE_TAIL;
		return 0;
	}
	if (write_row(w, &row, err) != 0)
		return row_ctx(w, row.id, err);
	w->stats.rows++;
	return 0;
}

static int
make_tail(struct af_writer *w, struct err *err)
{
	buf_str(&w->pending, "],\"in_context_message_ids\":");
	if (af_context_write(w->context, &w->pending, &w->stats, err) != 0)
		return err_ctx(err, "agent file");
	buf_add(&w->pending, w->tail.data, w->tail.len);
	w->stage = STAGE_DONE;
	return buf_check(&w->pending, "agent file", err);
}

ptrdiff_t
af_read(struct af_writer *w, char *data, size_t size, struct err *err)
{
	size_t n;
	int rc = 0;

	if (w->stage == STAGE_FAILED)
		return err_set(err, ERR_FAILED, "agent file: read on after a "
		    "failure");
	while (w->taken == w->pending.len && w->stage != STAGE_DONE) {
		buf_truncate(&w->pending, 0);
		w->taken = 0;
		rc = w->stage == STAGE_ROWS ? make_row(w, err) :
		    make_tail(w, err);
		if (rc != 0) {
			w->stage = STAGE_FAILED;
			return -1;
		}
	}
	n = w->pending.len - w->taken;
	if (n > size)
		n = size;
	if (n > PTRDIFF_MAX)
		n = PTRDIFF_MAX;
	memcpy(data, w->pending.data + w->taken, n);
	w->taken += n;
	return (ptrdiff_t)n;
}

void
af_stats(const struct af_writer *w, struct af_stats *stats)
{
	*stats = w->stats;
}
