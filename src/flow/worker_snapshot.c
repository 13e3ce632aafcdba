#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_switch.h"
#include "io/db_pages.h"
#include "io/host.h"
#include "io/journal.h"

/*
 * Whether there is a queue to carry: with broca among the trees, and the file
 * there.  When not, there is nothing to do, and it is said.
 */
static int
has_db(struct run *run, const struct conf_worker *worker, struct host **from,
    char **path, bool *out, struct err *err)
{
	struct fs_meta meta;

	*path = worker_path(worker->from_path, WORKER_DB);
	if (run_host(run, worker->from_host, from, err) != 0 ||
	    host_stat(*from, *path, &meta, err) != 0)
		return -1;
	*out = meta.type != FS_NONE && worker_has_broca(worker);
	return 0;
}

static uint64_t
rows_of(const struct db_report *report)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < report->n_tables; i++)
		rows += report->tables[i].rows;
	return rows;
}

static int
snapshot_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct db_report report;
	struct host *from;
	char *path = NULL;
	bool installed, present;
	int rc = -1;

	if (worker_installed(run, worker, &installed, err) != 0)
		return -1;
	if (installed) {
		plan_say(note, '+', WORKER_DB " is in its place");
		*found = PLAN_DONE;
		return 0;
	}
	if (has_db(run, worker, &from, &path, &present, err) != 0)
		goto out;
	if (!present) {
		plan_say(note, '+', "%s", worker_has_broca(worker) ?
		    "no " WORKER_DB " at the source" : "broca is not among "
		    "the trees: no " WORKER_DB " is carried");
		*found = PLAN_DONE;
		rc = 0;
		goto out;
	}
	if (host_db_check(from, path, &report, err) != 0)
		goto out;
	plan_say(note, '+', "snapshot %s:%s: %" PRIu64 " bytes, %" PRIu64
	    " rows, journal_mode %s", worker->from_host->name, path,
	    report.size_bytes, rows_of(&report), report.journal_mode);
	*found = PLAN_TODO;
	rc = 0;
out:
	free(path);
	return rc;
}

/* The snapshot that has arrived must be the one that was taken. */
static int
check_arrival(struct run *run, const struct conf_worker *worker,
    struct host *to, const char *path, const struct db_report *taken,
    struct err *err)
{
	struct db_report arrived;
	char *key = run_key("worker", worker->name, "rows");
	char *want = worker_row_counts(taken), *got = NULL;
	int rc;

	rc = host_db_check(to, path, &arrived, err);
	if (rc == 0)
		got = worker_row_counts(&arrived);
	if (rc == 0 && strcmp(want, got) != 0)
		rc = err_set(err, ERR_DATA, "%s:%s: arrived with other row "
		    "counts than the snapshot (%s, not %s)",
		    worker->to_host->name, path, got, want);
	if (rc == 0)
		rc = journal_put(run->journal, key, want, err);
	free(key);
	free(want);
	free(got);
	return rc;
}

/*
 * The snapshot is made on the source, below ~/.cache/sanctumctl and not in
 * the worker's own directory, then streamed into the staging directory.
 */
static char *
cache_dir(const struct run *run)
{
	return mem_printf("~/.cache/sanctumctl/snapshot-%s", run->mark);
}

/* What the second pass goes by (io/db_pages.h): sums of both copies. */
static int
keep_sums(struct run *run, const struct conf_worker *worker,
    struct host *from, const char *copy, struct host *to, const char *to_path,
    struct err *err)
{
	char *from_sums = worker_sums_path(run, worker, false);
	char *to_sums = worker_sums_path(run, worker, true);
	struct db_pages_stats stats;
	int rc;

	rc = host_db_sums(from, copy, from_sums, &stats, err);
	if (rc == 0)
		rc = host_db_sums(to, to_path, to_sums, &stats, err);
	free(from_sums);
	free(to_sums);
	return rc;
}

static int
fetch(struct run *run, const struct conf_worker *worker, struct host *from,
    const char *source, struct db_report *report, struct err *err)
{
	static const char *const names[] = { "sanctum.db" };
	char *cache = cache_dir(run), *copy = worker_path(cache, names[0]);
	char *staging = worker_staging(run, worker);
	char *to_dir = worker_path(staging, "broca");
	char *to_path = worker_path(to_dir, names[0]);
	struct tree_stats stats;
	struct fs_meta meta;
	struct host *to;
	int rc;

	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = host_stat(to, to_dir, &meta, err);
	if (rc == 0 && meta.type == FS_NONE)
		rc = err_set(err, ERR_STALE, "%s:%s is gone; run the same "
		    "command again", worker->to_host->name, to_dir);
	if (rc == 0)
		rc = host_remove(from, cache, err);
	if (rc == 0)
		rc = host_mkdirs(from, cache, 0700, err);
	if (rc == 0)
		rc = host_snapshot(from, source, copy, report, err);
	if (rc == 0)
		rc = host_copy(from, cache, names, 1, to, to_dir, meta.uid,
		    meta.gid, NULL, &stats, err);
	if (rc == 0)
		rc = check_arrival(run, worker, to, to_path, report, err);
	if (rc == 0)
		rc = keep_sums(run, worker, from, copy, to, to_path, err);
	if (rc == 0)
		rc = host_remove(from, cache, err);
	free(cache);
	free(copy);
	free(staging);
	free(to_dir);
	free(to_path);
	return rc;
}

static int
snapshot_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct db_report report = { 0 };
	struct host *from;
	char *source = NULL;
	bool present;
	int rc;

	rc = has_db(run, worker, &from, &source, &present, err);
	if (rc == 0)
		rc = fetch(run, worker, from, source, &report, err);
	if (rc == 0)
		plan_say(note, '+', "snapshot of %" PRIu64 " bytes, %" PRIu64
		    " rows, integrity_check ok", report.size_bytes,
		    rows_of(&report));
	free(source);
	return rc;
}

/* What lies on the target goes with the staging directory (copy_undo). */
static int
snapshot_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *cache = cache_dir(run);
	struct host *from;
	int rc;

	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = host_remove(from, cache, err);
	if (rc == 0)
		rc = worker_sums_remove(run, worker, err);
	/* A source that is gone by now must not keep the target as it is. */
	if (rc != 0 && err->kind == ERR_UNREACHABLE) {
		log_warn("%s:%s may be left there: %s",
		    worker->from_host->name, cache, err->text);
		err_clear(err);
		rc = 0;
	} else if (rc == 0)
		plan_say(note, '-', "removed %s:%s", worker->from_host->name,
		    cache);
	free(cache);
	return rc;
}

const struct step_kind worker_snapshot_kind = {
	.word = "snapshot",
	.probe = snapshot_probe,
	.act = snapshot_act,
	.undo = snapshot_undo,
};
