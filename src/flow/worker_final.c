#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_queue.h"
#include "flow/worker_stop.h"
#include "flow/worker_switch.h"
#include "flow/worker_users.h"
#include "io/db_pages.h"
#include "io/host.h"
#include "io/journal.h"

/*
 * A database up to this size is checked while the worker stands; above, its
 * digest, which is compared in any case, has to do until `verify'.
 */
#define CHECK_BYTES_MAX (64 * 1024 * 1024)

static int
final_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	bool installed;

	if (worker_installed(run, worker, &installed, err) != 0)
		return -1;
	*found = installed ? PLAN_DONE : PLAN_TODO;
	plan_say(note, '~', installed ? "what changed since the first pass "
	    "is there" : "send what changed since the first pass; judge, map "
	    "and release the queue");
	return 0;
}

/* What the final pass is about. */
struct final {
	struct run *run;
	const struct conf_worker *worker;
	struct host *from, *to;
	char *from_db, *to_db;	/* NULL: there is none */
	struct plan_note *note;
	struct buf judged;	/* what the queue's judgement said, or "" */
};

/* The pages that changed, while nobody can write. */
static int
send_pages(struct final *final, struct db_pages_stats *stats, struct err *err)
{
	char *from_sums = worker_sums_path(final->run, final->worker, false);
	char *to_sums = worker_sums_path(final->run, final->worker, true);
	int rc;

	rc = host_db_delta(final->from, final->from_db, from_sums, final->to,
	    final->to_db, to_sums, stats, err);
	free(from_sums);
	free(to_sums);
	return rc;
}

/* Integrity, and the counts that `verify' goes by. */
static int
check_db(struct final *final, uint64_t bytes, struct err *err)
{
	char *key = run_key("worker", final->worker->name, "rows");
	struct db_report report;
	char *counts;
	int rc = 0;

	if (bytes <= CHECK_BYTES_MAX) {
		rc = host_db_check(final->to, final->to_db, &report, err);
		if (rc == 0) {
			counts = worker_row_counts(&report);
			rc = journal_put(final->run->journal, key, counts,
			    err);
			free(counts);
		}
	}
	free(key);
	return rc;
}

/*
 * Judged with the ids of the source, then mapped, then released: all on the
 * staged file, which a run that is killed here makes anew from the source's.
 */
static int
settle_queue(struct final *final, struct err *err)
{
	struct run *run = final->run;
	const struct conf_worker *worker = final->worker;

	if (worker_queue_judge(run, worker, WORKER_MOVE, final->to,
	    final->to_db, final->note, err) != 0)
		return -1;
	if (final->note->summary.len > 0)
		buf_printf(&final->judged, "; %s",
		    buf_cstr(&final->note->summary));
	fault_point("worker_judged");
	if (worker_users_map(run, worker, final->to, final->to_db,
	    final->note, err) != 0 ||
	    worker_users_apply(run, worker, final->to, final->to_db,
	    err) != 0)
		return -1;
	fault_point("worker_mapped");
	if (worker_queue_release(run, worker, WORKER_MOVE, final->to,
	    final->to_db, err) != 0)
		return -1;
	fault_point("worker_released_staged");
	return 0;
}

static int
final_db(struct final *final, struct db_pages_stats *stats, struct err *err)
{
	struct fs_meta meta;

	if (!final->from_db)
		return 0;
	if (host_stat(final->from, final->from_db, &meta, err) != 0 ||
	    send_pages(final, stats, err) != 0)
		return -1;
	fault_point("worker_pages_sent");
	if (settle_queue(final, err) != 0)
		return -1;
	return check_db(final, meta.size_bytes, err);
}

/*
 * The second pass over files is what the first has done, once more, now that
 * nothing writes: it compares, and sends what differs.
 */
static int
files_again(struct run *run, const struct conf_worker *worker,
    struct buf *figures, struct err *err)
{
	const struct step step = { .kind = &worker_env_kind,
		.name = "", .subject = worker };
	struct plan_note note = { 0 };
	int rc;

	buf_init(&note.summary, 8 * 1024);
	buf_init(&note.diff, 1024 * 1024);
	rc = worker_copy_send(run, worker, false, &note, err);
	if (rc == 0)
		buf_printf(figures, "%s; ", buf_cstr(&note.summary));
	fault_point("worker_again");
	if (rc == 0)
		rc = worker_env_kind.act(run, &step, &note, err);
	if (rc == 0)
		buf_printf(figures, "%s; ", buf_cstr(&note.summary));
	fault_point("worker_again");
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	return rc;
}

/* Nothing may have written at the source since it was stopped. */
static int
still_stands(struct final *final, struct err *err)
{
	const struct conf_worker *worker = final->worker;
	struct worker_processes processes;
	struct buf text = BUF_INIT(512);
	int rc;

	rc = worker_processes(final->from, worker->from_path, worker->trees,
	    &processes, err);
	if (rc == 0 && processes.n > 0) {
		worker_processes_show(&processes, &text);
		rc = err_set(err, ERR_STALE, "%s:%s: was started again while "
		    "it was switched: %s; find what starts it and turn that "
		    "off", worker->from_host->name, worker->from_path,
		    buf_cstr(&text));
	}
	worker_processes_clear(&processes);
	buf_clear(&text);
	return rc;
}

static int
final_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct final final = { .run = run, .worker = worker, .note = note };
	char *staging = worker_staging(run, worker);
	struct db_pages_stats delta = { 0 };
	struct buf files = BUF_INIT(16 * 1024);
	int rc;

	buf_init(&final.judged, 16 * 1024);
	rc = run_host(run, worker->from_host, &final.from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &final.to, err);
	if (rc == 0)
		rc = files_again(run, worker, &files, err);
	if (rc == 0)
		rc = worker_freeze_check(run, worker, err);
	if (rc == 0)
		rc = worker_find_db(final.from, worker, worker->from_path,
		    &final.from_db, err);
	if (rc == 0 && final.from_db)
		final.to_db = worker_path(staging, WORKER_DB);
	if (rc == 0)
		rc = final_db(&final, &delta, err);
	if (rc == 0)
		rc = still_stands(&final, err);
	if (rc == 0)
		rc = worker_freeze_check(run, worker, err);
	if (rc == 0)
		plan_say(note, '~', "%s%" PRIu64 " of %" PRIu64 " pages of "
		    WORKER_DB "%s", buf_cstr(&files), delta.changed,
		    delta.pages, buf_cstr(&final.judged));
	buf_clear(&files);
	buf_clear(&final.judged);
	free(final.from_db);
	free(final.to_db);
	free(staging);
	return rc;
}

/* All of it is in staging, which the next run completes. */
const struct step_kind worker_final_kind = {
	.word = "final",
	.probe = final_probe,
	.act = final_act,
};
