#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "core/worker.h"
#include "flow/manifest.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_owner.h"
#include "flow/worker_switch.h"
#include "flow/worker_trees.h"
#include "flow/worker_verify_trees.h"
#include "io/host.h"
#include "io/journal.h"

#define PROGRAM_MAX (4 * 1024 * 1024)

/* What differs between the two trees, but for what we rewrite. */
struct tree_diff {
	const struct conf_worker *worker;
	struct host *from, *to;
	int64_t started_ms;	/* the target; 0: nothing runs there */
	uint64_t n;
	char first[256];
	uint64_t fenced;	/* programs of the source that have another
				 * name, which its listing passes over */
	uint64_t since;		/* paths that the target changed since then */
};

/* Whether path is the program of a tree, which a fence gives another name. */
static bool
is_entry(const struct conf_worker *worker, const char *path)
{
	const char *const *tree = worker->trees;
	const char *entry;
	size_t len;

	for (; *tree; tree++) {
		entry = worker_entry(*tree);
		len = strlen(*tree);
		if (entry && str_starts(path, *tree) && path[len] == '/' &&
		    str_eq(path + len + 1, entry))
			return true;
	}
	return false;
}

static int
read_program(struct host *host, const char *dir, const char *path,
    struct buf *out, struct err *err)
{
	char *full = worker_path(dir, path);
	int rc = host_read(host, full, out, NULL, err);

	free(full);
	return rc;
}

/* The fenced program of the source against the target's. */
static int
is_fenced(const struct tree_diff *diff, const char *path, bool *same,
    struct err *err)
{
	const char *name = strrchr(path, '/') + 1;
	char *fenced = mem_printf("%.*s" WORKER_FENCED "%s",
	    (int)(name - path), path, name);
	struct buf ours = BUF_INIT(PROGRAM_MAX);
	struct buf theirs = BUF_INIT(PROGRAM_MAX);
	int rc;

	rc = read_program(diff->from, diff->worker->from_path, fenced, &ours,
	    err);
	if (rc == 0)
		rc = read_program(diff->to, diff->worker->to_path, path,
		    &theirs, err);
	*same = rc == 0 && ours.len == theirs.len && (ours.len == 0 ||
	    memcmp(ours.data, theirs.data, ours.len) == 0);
	if (rc != 0 && (err->kind == ERR_MISSING || err->kind == ERR_DATA)) {
		err_clear(err);
		rc = 0;
	}
	buf_clear(&ours);
	buf_clear(&theirs);
	free(fenced);
	return rc;
}

/* A worker that was at rest is so on the target, and writes nothing. */
static int
find_started(struct run *run, struct tree_diff *diff, struct err *err)
{
	char *key = run_key("worker", diff->worker->name, "ran");
	char *ran = NULL;
	int rc;

	rc = journal_get(run->journal, key, &ran, err);
	if (rc == 0 && ran && *ran)
		rc = worker_started(run, diff->worker, &diff->started_ms,
		    err);
	free(ran);
	free(key);
	return rc;
}

/*
 * A worker that runs writes files: those are not what was moved any more.  Its
 * programs it does not write.
 */
static int
is_newer(const struct tree_diff *diff, const char *path, bool *newer,
    struct err *err)
{
	char *full = worker_path(diff->worker->to_path, path);
	const bool may = diff->started_ms > 0 && *path &&
	    !is_entry(diff->worker, path);
	struct fs_meta meta;
	int rc = 0;

	*newer = false;
	if (may)
		rc = host_stat(diff->to, full, &meta, err);
	if (rc == 0 && may)
		*newer = meta.type != FS_NONE &&
		    meta.mtime_ns / 1000000 > diff->started_ms;
	free(full);
	return rc;
}

static int
note_difference(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	static const char *const words[] = {
		[MANIFEST_ADDED] = "only at the source",
		[MANIFEST_REMOVED] = "only on the target",
		[MANIFEST_CHANGED] = "not the same",
	};
	struct tree_diff *diff = ctx;
	bool fine = false, newer = false;

	if (change == MANIFEST_REMOVED && is_entry(diff->worker, path) &&
	    is_fenced(diff, path, &fine, err) != 0)
		return -1;
	if (fine) {
		diff->fenced++;
		return 0;
	}
	if (is_newer(diff, path, &newer, err) != 0)
		return -1;
	if (newer) {
		diff->since++;
		return 0;
	}
	if (diff->n++ == 0)
		(void)snprintf(diff->first, sizeof(diff->first), "%.200s is "
		    "%s", *path ? path : "the directory itself",
		    words[change]);
	return 0;
}

/* Both manifests, by hash, in a journal that is removed after. */
int
worker_verify_trees(struct run *run, const struct conf_worker *worker,
    struct host *from, struct host *to, struct verdict *verdict,
    struct err *err)
{
	struct manifest_owners ours = { .compare = false };
	struct manifest_owners theirs = { .compare = false };
	struct worker_owner owner;
	struct tree_rules rules;
	struct manifest_totals source = { 0 }, target = { 0 };
	struct tree_diff diff = { .worker = worker, .from = from, .to = to };
	struct journal *scratch = NULL;
	char *path = run_scratch_path(run);
	int rc;

	worker_trees_rules(&rules, worker, true);
	rc = worker_owner_find(from, to, worker, &owner, err);
	if (rc == 0)
		rc = find_started(run, &diff, err);
	theirs.map = &owner.owner;
	theirs.compare = ours.compare = owner.compare;
	if (rc == 0)
		rc = journal_open(path, true, &scratch, err);
	if (rc == 0)
		rc = manifest_stage_owned(scratch, "source", from,
		    worker->from_path, &rules, &theirs, false, &source, err);
	if (rc == 0)
		rc = manifest_stage_owned(scratch, "target", to,
		    worker->to_path, &rules, &ours, false, &target, err);
	if (rc == 0)
		rc = manifest_compare(scratch, "source", "target",
		    note_difference, &diff, err);
	source.entries += diff.fenced;
	if (rc == 0 && diff.n > 0)
		verdict_add(verdict, "trees", VERDICT_DIFFERENT,
		    source.entries, target.entries, "%" PRIu64 " paths "
		    "differ; %s", diff.n, diff.first);
	else if (rc == 0)
		verdict_add(verdict, "trees", VERDICT_SAME, source.entries,
		    target.entries, "by SHA-256, but for .env and start "
		    "scripts; %" PRIu64 " paths were written there since it "
		    "was started, and are not compared", diff.since);
	worker_owner_clear(&owner);
	journal_close(scratch);
	run_scratch_remove(path);
	free(path);
	return rc;
}

