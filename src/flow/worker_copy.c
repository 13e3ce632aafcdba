#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/manifest.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_parents.h"
#include "flow/worker_trees.h"
#include "io/host.h"

/* Space that must stay free on the target's filesystem, over the trees. */
#define SPARE_BYTES (16 * 1024 * 1024)

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

	worker_trees_rules(&rules, worker, false);
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
		staged.disk_bytes = 0;
	}
	if (rc == 0) {
		*out = total > staged.disk_bytes ?
		    total - staged.disk_bytes : 0;
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

	rc = count_missing(run, worker, totals->disk_bytes, &need, err);
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
	buf_printf(&note->diff, "    virtual environments, caches, logs, pid "
	    "and lock files,%s\n    old copies of .env and login sessions are "
	    "never carried, at any depth\n", worker->git ? "" : " .git,");
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
	worker_trees_rules(&rules, worker, false);
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
make_staging(struct run *run, const struct conf_worker *worker,
    struct host *to, const char *staging, struct err *err)
{
	static const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	static const char text[] = "made by sanctumctl, which knows this "
	    "directory by this file: leave it here\n";
	char *scrap = scrap_of(staging);
	char *marker = worker_marker(run, scrap);
	struct worker_place place;
	int rc;

	rc = worker_place(run, worker, &place, err);
	if (rc == 0)
		rc = host_remove(to, scrap, err);
	if (rc == 0 && !place.staged) {
		rc = host_mkdirs(to, scrap, 0700, err);
		if (rc == 0)
			rc = host_replace(to, marker, text,
			    strlen(text), &meta, err);
		if (rc == 0)
			rc = host_rename(to, scrap, staging, 0, err);
	}
	free(marker);
	free(scrap);
	return rc;
}

/* Where the trees go: made, with the directories above it. */
static int
make_place(struct run *run, const struct conf_worker *worker,
    struct host *to, const char *staging, struct err *err)
{
	char *parent = parent_of(worker->to_path);
	int rc;

	rc = worker_parents_make(run, worker, to, parent, err);
	if (rc == 0)
		rc = make_staging(run, worker, to, staging, err);
	free(parent);
	return rc;
}

static void
say_sent(const struct worker_trees_sent *sent, struct plan_note *note)
{
	struct buf example = BUF_INIT(2048);

	plan_say(note, '+', "sent %" PRIu64 " entries, %" PRIu64 " bytes",
	    sent->sum.entries, sent->sum.bytes);
	if (sent->left_moving > 0)
		buf_printf(&note->diff, "    %" PRIu64 " entries are written "
		    "without pause: they go when the worker stands\n",
		    sent->left_moving);
	if (sent->sum.lost_xattrs > 0)
		buf_printf(&note->diff, "    %" PRIu64 " access lists or "
		    "capabilities are not set there: they name somebody who "
		    "is not known there, or cannot be set\n",
		    sent->sum.lost_xattrs);
	if (sent->left_xattrs > 0) {
		str_printable(&example, sent->left_example,
		    strlen(sent->left_example));
		buf_printf(&note->diff, "    %" PRIu64 " entries have "
		    "attributes that are not carried: %s\n",
		    sent->left_xattrs, buf_cstr(&example));
	}
	buf_clear(&example);
}

int
worker_copy_send(struct run *run, const struct conf_worker *worker, bool live,
    struct plan_note *note, struct err *err)
{
	char *staging = worker_staging(run, worker);
	struct worker_trees_sent sent;
	struct host *from, *to;
	int rc;

	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = make_place(run, worker, to, staging, err);
	if (rc == 0)
		rc = worker_trees_send(run, worker, from, to, staging, live,
		    &sent, err);
	if (rc == 0)
		say_sent(&sent, note);
	free(staging);
	return rc;
}

static int
copy_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	return worker_copy_send(run, step->subject, true, note, err);
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
