#include "base/base.h"

#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/manifest.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_owner.h"
#include "flow/worker_trees.h"
#include "io/host.h"

/* Of one stream; more goes in further streams, so memory is bounded. */
#define BATCH_PATHS 8192
#define BATCH_BYTES (1024 * 1024)

/* A file that changes under the walk is met again by a fresh walk. */
#define TRIES 3

/* Further back than the clocks of two hosts differ. */
#define RECENT_S 3600

/* One copy under way: the paths that wait for their stream. */
struct copy {
	struct host *from;
	struct host *to;
	const struct conf_worker *worker;
	const char *staging;
	struct worker_owner owner;
	char *from_scope, *to_scope;
	int64_t since_ns;	/* what changed since is always hashed */
	char *paths[BATCH_PATHS];
	uint64_t ends[BATCH_PATHS];	/* bytes of the stream up to each */
	size_t n_paths, text_bytes;
	uint64_t streams;
	bool leave;		/* what moves for ever stays for later */
	uint64_t changes;	/* sent or removed in this pass */
	struct worker_trees_sent *sent;
};

/* Where the current stream began, for its progress: host_copy has no ctx. */
static struct {
	const struct copy *copy;
	uint64_t bytes, entries;
	size_t at;
} drawn;

void
worker_trees_rules(struct tree_rules *rules, const struct conf_worker *worker,
    bool hash)
{
	*rules = (struct tree_rules){
		.exclude = worker_exclude(worker->git),
		.top = worker->trees,
		.pass_over = WORKER_VENV_MARK,
		.hash = hash,
		.xattrs = true,
		.setuid = worker->setuid,
	};
}

static void
at_bytes(uint64_t bytes)
{
	const struct copy *copy = drawn.copy;

	while (drawn.at < copy->n_paths && copy->ends[drawn.at] <= bytes)
		drawn.at++;
	progress_items(drawn.entries + drawn.at);
	progress_at(drawn.bytes + bytes);
}

/*
 * One stream.  What moves while it is read ends it; when that may stay behind,
 * the stream is halved until what moves stands alone.
 */
static int
send_some(struct copy *copy, size_t first, size_t n, struct err *err)
{
	struct tree_stats stats;

	copy->streams++;
	if (host_copy_owned(copy->from, copy->worker->from_path,
	    (const char *const *)copy->paths + first, n, copy->to,
	    copy->staging, &copy->owner.owner, at_bytes, &stats, err) == 0) {
		copy->sent->sum.entries += stats.entries;
		copy->sent->sum.bytes += stats.bytes;
		copy->sent->sum.lost_xattrs += stats.lost_xattrs;
		return 0;
	}
	/* A link to what was left behind is ERR_DATA. */
	if (!copy->leave || (err->kind != ERR_STALE &&
	    err->kind != ERR_DATA))
		return -1;
	err_clear(err);
	if (n == 1)
		return 0;
	if (send_some(copy, first, n / 2, err) != 0)
		return -1;
	return send_some(copy, first + n / 2, n - n / 2, err);
}

static int
flush(struct copy *copy, struct err *err)
{
	int rc = 0;

	drawn.copy = copy;
	drawn.at = 0;
	if (copy->n_paths > 0) {
		rc = send_some(copy, 0, copy->n_paths, err);
		if (rc == 0) {
			drawn.bytes += copy->ends[copy->n_paths - 1];
			drawn.entries += copy->n_paths;
		}
	}
	for (size_t i = 0; i < copy->n_paths; i++)
		free(copy->paths[i]);
	copy->n_paths = copy->text_bytes = 0;
	return rc;
}

static int
add_row(struct copy *copy, const struct manifest_row *row, struct err *err)
{
	uint64_t before = copy->n_paths ? copy->ends[copy->n_paths - 1] : 0;
	char *path = row->type == 'h' ?
	    mem_printf("%s" TREE_LINK_TO "%s", row->path, row->link) :
	    mem_strdup(row->path);

	copy->text_bytes += strlen(path) + 1;
	copy->ends[copy->n_paths] = before + strlen(path) +
	    (row->type == 'f' ? row->size_bytes : 0);
	copy->paths[copy->n_paths++] = path;
	return copy->n_paths < BATCH_PATHS && copy->text_bytes < BATCH_BYTES ?
	    0 : flush(copy, err);
}

static int
send_row(void *ctx, const struct manifest_row *row,
    enum manifest_change change, struct err *err)
{
	struct copy *copy = ctx;

	if (change == MANIFEST_REMOVED)
		return 0;
	copy->changes++;
	return add_row(copy, row, err);
}

static int
send_dir(void *ctx, const struct manifest_row *row, struct err *err)
{
	return add_row(ctx, row, err);
}

static int
remove_path(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	struct copy *copy = ctx;
	char *full;
	int rc;

	if (change != MANIFEST_REMOVED)
		return 0;
	copy->changes++;
	full = worker_path(copy->staging, path);
	rc = host_remove(copy->to, full, err);
	free(full);
	return rc;
}

static int
refuse_path(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	struct copy *copy = ctx;

	(void)change;
	if (copy->leave) {
		copy->sent->left_moving++;
		return 0;
	}
	return err_set(err, ERR_STALE, "%s:%s: %.300s: is not what was "
	    "listed at the source, where it may have changed while it was "
	    "copied; run the same command again when nothing writes there",
	    copy->worker->to_host->name, copy->staging,
	    *path ? path : "(itself)");
}

static int
list_source(struct run *run, struct copy *copy, bool hash,
    struct manifest_totals *totals, struct err *err)
{
	const struct manifest_owners owners = {
		.compare = copy->owner.compare, .map = &copy->owner.owner,
	};
	struct tree_rules rules;

	worker_trees_rules(&rules, copy->worker, hash);
	rules.hash_since_ns = copy->since_ns;
	if (manifest_stage_owned(run->journal, copy->from_scope, copy->from,
	    copy->worker->from_path, &rules, &owners, false, totals,
	    err) != 0)
		return -1;
	copy->sent->left_xattrs = totals->left_xattrs;
	memcpy(copy->sent->left_example, totals->left_example,
	    sizeof(totals->left_example));
	return 0;
}

static int
list_staged(struct run *run, struct copy *copy, bool hash,
    struct manifest_totals *totals, struct err *err)
{
	const struct manifest_owners owners = {
		.compare = copy->owner.compare
	};
	struct tree_rules rules;

	worker_trees_rules(&rules, copy->worker, hash);
	rules.hash_since_ns = copy->since_ns;
	return manifest_stage_owned(run->journal, copy->to_scope, copy->to,
	    copy->staging, &rules, &owners, true, totals, err);
}

/*
 * What was put into a directory, or taken from it, changed its time: all of
 * them once more, unless one stream held everything.
 */
static int
send_differences(struct run *run, struct copy *copy, bool fresh,
    const struct manifest_totals *source, struct err *err)
{
	uint64_t streams = copy->streams;
	int rc;

	drawn.bytes = drawn.entries = 0;
	progress_begin(copy->worker->name, "bytes", source->bytes);
	progress_count("entries", source->entries);
	rc = manifest_compare_rows(run->journal, copy->from_scope,
	    copy->to_scope, send_row, copy, err);
	if (rc == 0)
		rc = flush(copy, err);
	if (rc == 0 && copy->changes > 0 &&
	    !(fresh && copy->streams == streams + 1)) {
		rc = manifest_dirs(run->journal, copy->from_scope, send_dir,
		    copy, err);
		if (rc == 0)
			rc = flush(copy, err);
	}
	progress_end();
	return rc;
}

/*
 * One pass: what is where, what differs, send that, and look again: what is
 * staged is what was listed, or the pass has failed.
 */
static int
one_pass(struct run *run, struct copy *copy, struct err *err)
{
	struct manifest_totals source, staged;
	bool again = copy->sent->passes++ > 0, fresh;
	int rc = 0;

	copy->changes = 0;
	copy->since_ns = (int64_t)(time(NULL) - RECENT_S) * 1000000000;
	/* A source that was seen to move is looked at for longer. */
	if (again)
		rc = list_source(run, copy, true, &source, err);
	if (rc == 0)
		rc = list_staged(run, copy, true, &staged, err);
	if (rc != 0)
		return -1;
	/* Nothing is there to be compared with: the stream has the hashes. */
	fresh = !again && staged.entries <= 1;
	if (!again)
		rc = list_source(run, copy, !fresh, &source, err);
	if (rc == 0 && !fresh)
		rc = manifest_compare(run->journal, copy->from_scope,
		    copy->to_scope, remove_path, copy, err);
	if (rc == 0)
		rc = send_differences(run, copy, fresh, &source, err);
	if (rc == 0 && copy->changes > 0)
		rc = list_staged(run, copy, !fresh, &staged, err);
	if (rc == 0 && copy->changes > 0)
		rc = manifest_compare(run->journal, copy->from_scope,
		    copy->to_scope, refuse_path, copy, err);
	return rc;
}

int
worker_trees_send(struct run *run, const struct conf_worker *worker,
    struct host *from, struct host *to, const char *staging,
    bool live, struct worker_trees_sent *sent, struct err *err)
{
	struct copy *copy = mem_zero(1, sizeof(*copy));
	int tries = 0, rc;

	*sent = (struct worker_trees_sent){ .passes = 0 };
	copy->from = from;
	copy->to = to;
	copy->worker = worker;
	copy->staging = staging;
	copy->sent = sent;
	copy->from_scope = run_key("worker", worker->name, "source");
	copy->to_scope = run_key("worker", worker->name, "staged");
	rc = worker_owner_find(from, to, worker, &copy->owner, err);
	if (rc == 0)
		rc = one_pass(run, copy, err);
	while (rc != 0 && err->kind == ERR_STALE && ++tries < TRIES + live) {
		log_info("%s; listing the trees again", err->text);
		copy->leave = tries == TRIES;
		err_clear(err);
		for (size_t i = 0; i < copy->n_paths; i++)
			free(copy->paths[i]);
		copy->n_paths = copy->text_bytes = 0;
		rc = one_pass(run, copy, err);
	}
	for (size_t i = 0; i < copy->n_paths; i++)
		free(copy->paths[i]);
	worker_owner_clear(&copy->owner);
	free(copy->from_scope);
	free(copy->to_scope);
	free(copy);
	return rc;
}
