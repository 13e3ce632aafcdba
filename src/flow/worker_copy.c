#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/manifest.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_parents.h"
#include "io/host.h"

/* Paths of one stream; more go in further streams, so memory is bounded. */
#define BATCH_PATHS 4096

/* A file that changes under the walk is met again by a fresh walk. */
#define TRIES 3

/* Space that must stay free on the target's filesystem, over the trees. */
#define SPARE_BYTES (16 * 1024 * 1024)

static void
rules_init(struct tree_rules *rules, const struct conf_worker *worker,
    bool hash)
{
	*rules = (struct tree_rules){
		.exclude = worker_exclude(),
		.top = worker->trees,
		.hash = hash,
	};
}

/* The directory that holds path: where its filesystem and owner are asked. */
static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return mem_strdup("/");
	return mem_strndup(path, (size_t)(slash - path));
}

/* Bytes that are still to be written: the trees and sanctum.db. */
static int
count_missing(struct run *run, const struct conf_worker *worker,
    uint64_t total, uint64_t *out, struct err *err)
{
	char *staging = worker_staging(run, worker);
	char *db = worker_path(worker->from_path, WORKER_DB);
	struct manifest_totals staged = { 0 };
	struct fs_meta meta = { .type = FS_NONE };
	struct host *from, *to;
	struct tree_rules rules;
	int rc;

	rules_init(&rules, worker, false);
	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0 && worker_has_broca(worker))
		rc = host_stat(from, db, &meta, err);
	if (rc == 0 && manifest_count(to, staging, &rules, &staged,
	    err) != 0) {
		rc = err->kind == ERR_MISSING ? 0 : -1;
		if (rc == 0)
			err_clear(err);
		staged.bytes = 0;
	}
	if (rc == 0) {
		*out = total > staged.bytes ? total - staged.bytes : 0;
		*out += meta.type == FS_FILE ? meta.size_bytes : 0;
	}
	free(staging);
	free(db);
	return rc;
}

/* Refuse, before anything is copied, what would not fit. */
static int
check_room(struct run *run, const struct conf_worker *worker,
    const struct manifest_totals *totals, struct err *err)
{
	char *path = parent_of(worker->to_path), *up;
	struct host *to;
	struct fs_meta meta;
	uint64_t room = 0, need = 0;
	int rc;

	rc = count_missing(run, worker, totals->bytes, &need, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = host_stat(to, path, &meta, err);
	while (rc == 0 && meta.type == FS_NONE && strchr(path + 1, '/')) {
		up = parent_of(path);
		free(path);
		path = up;
		rc = host_stat(to, path, &meta, err);
	}
	if (rc == 0)
		rc = host_free_bytes(to, path, &room, err);
	if (rc == 0 && room < need + SPARE_BYTES)
		rc = err_set(err, ERR_FAILED, "%s:%s: the trees need %" PRIu64
		    " bytes more and the filesystem has %" PRIu64 " free; "
		    "make room there, then run the same command again",
		    worker->to_host->name, path, need + SPARE_BYTES, room);
	free(path);
	return rc;
}

/* Into the plan, so that nobody misses it after the move. */
static int
say_left(struct run *run, const struct conf_worker *worker,
    struct plan_note *note, struct err *err)
{
	struct worker_left left;

	if (worker_look_left(run, worker, &left, err) != 0)
		return -1;
	if (left.n_beside > 0)
		buf_printf(&note->diff, "    stay behind, beside the trees: "
		    "%" PRIu64 " directories: %s\n", left.n_beside,
		    buf_cstr(&left.beside));
	if (left.n_inside > 0)
		buf_printf(&note->diff, "    stay behind, in and right below "
		    "the trees: %" PRIu64 " entries: %s\n", left.n_inside,
		    buf_cstr(&left.inside));
	if (left.unknown.len > 0)
		buf_printf(&note->diff, "    what stays behind cannot be "
		    "listed: %s\n", buf_cstr(&left.unknown));
	buf_str(&note->diff, "    virtual environments, caches, logs, pid and "
	    "lock files, .git,\n    old copies of .env and login sessions are "
	    "never carried, at any depth\n");
	worker_left_clear(&left);
	return 0;
}

static int
copy_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct tree_rules rules;
	struct manifest_totals totals;
	struct host *from;
	bool installed;

	if (worker_installed(run, worker, &installed, err) != 0)
		return -1;
	if (installed) {
		plan_say(note, '+', "trees are at %s:%s",
		    worker->to_host->name, worker->to_path);
		*found = PLAN_DONE;
		return 0;
	}
	rules_init(&rules, worker, false);
	if (run_host(run, worker->from_host, &from, err) != 0 ||
	    manifest_count(from, worker->from_path, &rules, &totals,
	    err) != 0 ||
	    check_room(run, worker, &totals, err) != 0 ||
	    say_left(run, worker, note, err) != 0)
		return -1;
	plan_say(note, '+', "copy %" PRIu64 " files, %" PRIu64 " bytes, from "
	    "%s:%s to %s:%s", totals.files, totals.bytes,
	    worker->from_host->name, worker->from_path,
	    worker->to_host->name, worker->to_path);
	*found = PLAN_TODO;
	return 0;
}

/* One copy under way: the paths that wait for their stream. */
struct copy {
	struct host *from;
	struct host *to;
	const struct conf_worker *worker;
	const char *staging;
	uid_t uid;
	gid_t gid;
	char *paths[BATCH_PATHS];
	size_t n_paths;
	struct tree_stats sum;
};

static void
at_bytes(uint64_t bytes)
{
	progress_at(bytes);
}

static int
flush(struct copy *copy, struct err *err)
{
	struct tree_stats stats;
	int rc = 0;

	if (copy->n_paths > 0) {
		rc = host_copy(copy->from, copy->worker->from_path,
		    (const char *const *)copy->paths, copy->n_paths, copy->to,
		    copy->staging, copy->uid, copy->gid, at_bytes, &stats,
		    err);
		if (rc == 0) {
			copy->sum.entries += stats.entries;
			copy->sum.bytes += stats.bytes;
		}
	}
	for (size_t i = 0; i < copy->n_paths; i++)
		free(copy->paths[i]);
	copy->n_paths = 0;
	return rc;
}

static int
send_path(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	struct copy *copy = ctx;

	if (change == MANIFEST_REMOVED)
		return 0;
	copy->paths[copy->n_paths++] = mem_strdup(path);
	return copy->n_paths < BATCH_PATHS ? 0 : flush(copy, err);
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
	full = worker_path(copy->staging, path);
	rc = host_remove(copy->to, full, err);
	free(full);
	return rc;
}

/* Who shall own the trees: the owner of the directory that they go into. */
static int
find_owner(struct run *run, struct copy *copy, struct err *err)
{
	char *parent = parent_of(copy->worker->to_path);
	struct fs_meta meta;
	int rc;

	rc = worker_parents_make(run, copy->worker, copy->to, parent, err);
	if (rc == 0)
		rc = host_stat(copy->to, parent, &meta, err);
	if (rc == 0) {
		copy->uid = meta.uid;
		copy->gid = meta.gid;
	}
	free(parent);
	return rc;
}

static int
refuse_path(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	const struct copy *copy = ctx;

	(void)change;
	return err_set(err, ERR_STALE, "%s:%s: %.300s: is not what was "
	    "listed at the source, where it may have changed while it was "
	    "copied; run the same command again when nothing writes there",
	    copy->worker->to_host->name, copy->staging,
	    *path ? path : "(itself)");
}

/*
 * One pass: what is where, what differs, send that, and look again: what is
 * staged is byte for byte what was listed, or the pass has failed.
 */
static int
one_pass(struct run *run, struct copy *copy, struct err *err)
{
	const struct conf_worker *worker = copy->worker;
	struct manifest_totals source, staged;
	struct tree_rules rules;
	char *from_scope = run_key("worker", worker->name, "source");
	char *to_scope = run_key("worker", worker->name, "staged");
	int rc;

	rules_init(&rules, worker, true);
	rc = manifest_stage(run->journal, from_scope, copy->from,
	    worker->from_path, &rules, false, &source, err);
	if (rc == 0)
		rc = manifest_stage(run->journal, to_scope, copy->to,
		    copy->staging, &rules, true, &staged, err);
	if (rc == 0)
		rc = manifest_compare(run->journal, from_scope, to_scope,
		    remove_path, copy, err);
	if (rc == 0) {
		progress_begin(worker->name, "bytes", source.bytes);
		rc = manifest_compare(run->journal, from_scope, to_scope,
		    send_path, copy, err);
		if (rc == 0)
			rc = flush(copy, err);
		progress_end();
	}
	if (rc == 0)
		rc = manifest_stage(run->journal, to_scope, copy->to,
		    copy->staging, &rules, false, &staged, err);
	if (rc == 0)
		rc = manifest_compare(run->journal, from_scope, to_scope,
		    refuse_path, copy, err);
	free(from_scope);
	free(to_scope);
	return rc;
}

/* What is half made or half removed has this name, and may go at sight. */
static char *
scrap_of(const char *staging)
{
	return mem_printf("%s.scrap", staging);
}

/*
 * The staging directory, marked as ours before it has its name.  It gets its
 * owner and mode with the first stream.
 */
static int
make_staging(struct run *run, struct copy *copy, struct err *err)
{
	static const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	static const char text[] = "made by sanctumctl, which knows this "
	    "directory by this file: leave it here\n";
	char *scrap = scrap_of(copy->staging);
	char *marker = worker_marker(run, scrap);
	struct worker_place place;
	int rc;

	rc = worker_place(run, copy->worker, &place, err);
	if (rc == 0)
		rc = host_remove(copy->to, scrap, err);
	if (rc == 0 && !place.staged) {
		rc = host_mkdirs(copy->to, scrap, 0700, err);
		if (rc == 0)
			rc = host_replace(copy->to, marker, text,
			    strlen(text), &meta, err);
		if (rc == 0)
			rc = host_rename(copy->to, scrap, copy->staging, 0,
			    err);
	}
	free(marker);
	free(scrap);
	return rc;
}

static int
copy_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker);
	struct copy *copy = mem_zero(1, sizeof(*copy));
	int tries = 0, rc;

	copy->worker = worker;
	copy->staging = staging;
	rc = run_host(run, worker->from_host, &copy->from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &copy->to, err);
	if (rc == 0)
		rc = find_owner(run, copy, err);
	if (rc == 0)
		rc = make_staging(run, copy, err);
	if (rc == 0) {
		rc = one_pass(run, copy, err);
		while (rc != 0 && err->kind == ERR_STALE && ++tries < TRIES) {
			log_info("%s; listing the trees again", err->text);
			err_clear(err);
			rc = one_pass(run, copy, err);
		}
	}
	if (rc == 0)
		plan_say(note, '+', "sent %" PRIu64 " entries, %" PRIu64
		    " bytes", copy->sum.entries, copy->sum.bytes);
	for (size_t i = 0; i < copy->n_paths; i++)
		free(copy->paths[i]);
	free(copy);
	free(staging);
	return rc;
}

/*
 * A directory that holds the mark, and nothing else, is removed: under the
 * scrap name, so that one half removed is never met without its mark.
 */
static int
copy_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker), *scrap;
	struct worker_place place;
	struct host *to;
	int rc;

	scrap = scrap_of(staging);
	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = worker_place(run, worker, &place, err);
	if (rc == 0 && place.installed)
		rc = err_set(err, ERR_STALE, "%s:%s is in its place: undoing "
		    "its install comes first", worker->to_host->name,
		    worker->to_path);
	if (rc == 0)
		rc = host_remove(to, scrap, err);
	if (rc == 0 && place.staged) {
		rc = host_rename(to, staging, scrap, 0, err);
		if (rc == 0)
			rc = host_remove(to, scrap, err);
	}
	if (rc == 0)
		rc = worker_parents_remove(run, worker, to, err);
	if (rc == 0)
		plan_say(note, '-', "removed %s:%s", worker->to_host->name,
		    staging);
	free(scrap);
	free(staging);
	return rc;
}

const struct step_kind worker_copy_kind = {
	.word = "copy",
	.probe = copy_probe,
	.act = copy_act,
	.undo = copy_undo,
};
