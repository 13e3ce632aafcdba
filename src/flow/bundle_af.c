#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/af.h"
#include "core/af_mark.h"
#include "core/af_row.h"
#include "core/af_shell.h"
#include "core/jdoc.h"
#include "flow/agent.h"
#include "flow/agent_feed.h"
#include "flow/bundle.h"
#include "flow/bundle_out.h"
#include "flow/bundle_side.h"
#include "io/journal.h"
#include "io/sumfile.h"

#define PIECE 65536

/* The nearest name that a server takes in a file; the caller frees it. */
static char *
name_in_file(const char *name)
{
	struct buf near = BUF_INIT(AF_SHELL_MAX);

	af_mark_name(name ? name : "", &near);
	if (name && !str_eq(name, buf_cstr(&near)))
		log_warn("no server takes the agent's name in a file; it is "
		    "%s there", buf_cstr(&near));
	return buf_take(&near);
}

/* Pull the file out of its writer, piece by piece. */
static int
pour(struct af_writer *writer, struct sumfile *file, struct err *err)
{
	char piece[PIECE];
	uint64_t bytes = 0;
	ptrdiff_t n = -1;

	while (stop_check(err) == 0 &&
	    (n = af_read(writer, piece, sizeof(piece), err)) > 0) {
		sumfile_add(file, piece, (size_t)n);
		bytes += (uint64_t)n;
		progress_at(bytes);
		n = -1;
	}
	return n == 0 ? 0 : -1;
}

static int
make_file(const struct bundle_side *side, struct agent_feed *feed,
    const char *path, struct bundle_figures *figures, struct err *err)
{
	char *name = name_in_file(jdoc_get_str(side->state, "name"));
	struct buf shell = BUF_INIT(AF_SHELL_MAX);
	struct af_writer *writer = NULL;
	struct sumfile *file = NULL;
	struct sumfile_sum sum;
	struct af_stats stats;
	int rc;

	jdoc_write(side->shell, &shell);
	rc = buf_check(&shell, "the export", err);
	if (rc == 0)
		rc = af_open(&(struct af_source){
		    .shell = buf_cstr(&shell), .shell_len = shell.len,
		    .name = name,
		    .in_context = jdoc_get(side->state, "message_ids"),
		    .next = agent_feed_next, .ctx = feed }, &writer, err);
	if (rc == 0)
		rc = sumfile_create(path, &file, err);
	if (rc == 0)
		rc = pour(writer, file, err);
	if (rc == 0) {
		rc = sumfile_commit(file, &sum, err);
		af_stats(writer, &stats);
		figures->messages = stats.rows;
		figures->files = 1;
		figures->bytes = sum.size_bytes;
	} else
		sumfile_close(file);
	af_close(writer);
	buf_clear(&shell);
	free(name);
	return rc;
}

static int
count_change(void *ctx, const char *id, const char *merged_id,
    unsigned int changes, struct err *err)
{
	uint64_t *n = ctx;

	(void)id;
	(void)merged_id;
	(void)changes;
	(void)err;
	*n += 1;
	return 0;
}

static int
write_file(const struct bundle_side *side, const char *path,
    struct bundle_figures *figures, struct err *err)
{
	char *scope = agent_scope(side->side, side->agent, "messages");
	struct agent_feed_source source = {
		.journal = side->journal,
		.scope = scope,
		.changed = count_change,
		.ctx = &figures->changes,
	};
	struct agent_feed *feed = NULL;
	struct af_rules rules;
	int rc;

	bundle_side_rules(side, &rules);
	source.rules = &rules;
	progress_begin(path, "bytes", 0);
	rc = agent_feed_open(&source, &feed, err);
	if (rc == 0)
		rc = make_file(side, feed, path, figures, err);
	agent_feed_close(feed);
	progress_end();
	free(scope);
	return rc;
}

int
bundle_write_af(struct journal *journal, const struct conf_agent *agent,
    const char *side, const char *path, struct bundle_figures *figures,
    struct err *err)
{
	struct bundle_side from;
	struct bundle_out out;
	int rc;

	*figures = (struct bundle_figures){ 0 };
	rc = bundle_out_begin(&out, path, err);
	if (rc == 0)
		rc = bundle_side_load(journal, agent, side, &from, err);
	if (rc == 0) {
		bundle_side_modernise(&from);
		rc = write_file(&from, out.temp, figures, err);
		figures->blocks = jdoc_len(jdoc_get(from.shell, "blocks"));
		if (rc == 0)
			rc = bundle_out_place(&out, err);
		bundle_side_clear(&from);
	}
	bundle_out_clear(&out);
	return rc;
}
