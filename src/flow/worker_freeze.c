#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/supervisor.h"
#include "flow/worker.h"
#include "flow/worker_queue.h"
#include "flow/worker_service.h"
#include "flow/worker_stop.h"
#include "flow/worker_switch.h"
#include "flow/worker_twins.h"
#include "flow/worker_users.h"
#include "io/host.h"
#include "io/journal.h"

#define LOCK_WAIT_MS 5000

/* The source of a worker, and what there is alive or starts it. */
struct freeze {
	struct run *run;
	const struct conf_worker *worker;
	struct host *from;
	char *db;			/* NULL: there is none */
	struct supervisors supervisors;
	struct worker_processes processes;
};

static void
freeze_close(struct freeze *freeze)
{
	supervisors_clear(&freeze->supervisors);
	worker_processes_clear(&freeze->processes);
	free(freeze->db);
}

static int
freeze_open(struct run *run, const struct conf_worker *worker,
    struct freeze *freeze, struct err *err)
{
	int rc;

	*freeze = (struct freeze){ .run = run, .worker = worker };
	rc = run_host(run, worker->from_host, &freeze->from, err);
	if (rc == 0)
		rc = worker_find_db(freeze->from, worker,
		    worker->from_path, &freeze->db, err);
	if (rc == 0 && worker_supervised(worker))
		rc = supervisor_find(freeze->from, worker->from_path,
		    &freeze->supervisors, err);
	if (rc == 0)
		rc = worker_processes(freeze->from, worker->from_path,
		    worker->trees, &freeze->processes, err);
	if (rc != 0)
		freeze_close(freeze);
	return rc;
}

static bool
has_supervisor(const struct freeze *freeze, const char *tree)
{
	for (size_t i = 0; i < freeze->supervisors.n; i++) {
		if (worker_starts_tree(&freeze->supervisors.list[i], tree))
			return true;
	}
	return false;
}

/*
 * What runs and is started by nothing that we know of could be stopped, and
 * never started again on the target.
 */
static int
check_supervisors(const struct freeze *freeze, struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	const struct worker_process *process;

	for (size_t i = 0; i < freeze->processes.n; i++) {
		process = &freeze->processes.list[i];
		if (!worker_supervised(worker) ||
		    has_supervisor(freeze, process->tree))
			continue;
		return err_set(err, ERR_DATA, "%s:%s/%s: runs as pid %ld, "
		    "and no crontab line, unit, supervisord program or pm2 "
		    "app there starts it, so it could not be started on %s; "
		    "give it one, or set `supervisor = none' in [worker %s] "
		    "and stop and start it yourself",
		    worker->from_host->name, worker->from_path,
		    process->tree, (long)process->pid, worker->to_host->name,
		    worker->name);
	}
	return 0;
}

/* It would start the new tree as soon as that is in its place. */
static int
check_target(const struct freeze *freeze, struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	struct supervisors there;
	const struct supervisor *one;
	struct host *to;
	int rc;

	if (!worker_supervised(worker))
		return 0;
	if (run_host(freeze->run, worker->to_host, &to, err) != 0 ||
	    supervisor_find(to, worker->to_path, &there, err) != 0)
		return -1;
	rc = 0;
	for (size_t i = 0; i < there.n && rc == 0; i++) {
		one = &there.list[i];
		if (one->disabled)
			continue;
		rc = err_set(err, ERR_STALE, "%s: %s starts what is in %s, "
		    "where the worker would come; take it out of use first",
		    worker->to_host->name, one->where, worker->to_path);
	}
	supervisors_clear(&there);
	return rc;
}

/*
 * Two Brocas of one token or agent, now or once the staged one is started:
 * said while nothing has been stopped.
 */
static int
check_twins(const struct freeze *freeze, const char *staging,
    struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	struct buf why = BUF_INIT(4096);
	bool found = false;
	struct host *to;
	int rc;

	rc = run_host(freeze->run, worker->to_host, &to, err);
	if (rc == 0 && worker_has_broca(worker))
		rc = worker_twins_before(freeze->from, worker->from_path,
		    to, staging, &found, &why, err);
	if (rc == 0 && found)
		rc = err_set(err, ERR_STALE, "two Brocas would take each "
		    "other's messages: %s; stop one of them first",
		    buf_cstr(&why));
	buf_clear(&why);
	return rc;
}

static void
show_supervisors(const struct freeze *freeze, struct plan_note *note)
{
	const struct supervisor *one;

	for (size_t i = 0; i < freeze->supervisors.n; i++) {
		one = &freeze->supervisors.list[i];
		buf_printf(&note->diff, "    %s: %s: turned off in ",
		    one->tree ? one->tree : "all", supervisor_word(one->kind));
		str_printable(&note->diff, one->where, strlen(one->where));
		buf_str(&note->diff, ": ");
		str_printable(&note->diff, one->name, strlen(one->name));
		buf_str(&note->diff, "\n");
	}
}

/* More than max_freeze is said before, not when it has happened. */
static int
say_prediction(const struct freeze *freeze, struct plan_note *note,
    struct err *err)
{
	const unsigned int most = freeze->run->conf->max_freeze;
	const struct conf_worker *worker = freeze->worker;
	uint64_t ms;

	if (worker_freeze_predict(freeze->run, worker, &ms, err) != 0 ||
	    worker_put_instant(freeze->run, worker, "predicted-ms",
	    (int64_t)ms, err) != 0)
		return -1;
	if (freeze->processes.n > 0 && ms > (uint64_t)most * 1000)
		return err_set(err, ERR_USAGE, "[worker %s] would stand for "
		    "about %" PRIu64 " s, and max_freeze is %u s; give it "
		    "more in [job]", worker->name, ms / 1000, most);
	plan_say(note, '~', "stop it at %s:%s: %zu processes, %zu that "
	    "start them; it stands about %" PRIu64 ".%" PRIu64 " s, at most "
	    "%u s", worker->from_host->name, worker->from_path,
	    freeze->processes.n, freeze->supervisors.n, ms / 1000,
	    ms % 1000 / 100, most);
	return 0;
}

/*
 * One that is not Broca's is said before it stands.  With a journal beside it
 * only a writer can look, who rolls back what a killed worker has left.
 */
static int
check_queue(const struct freeze *freeze, struct err *err)
{
	struct worker_queue_counts counts;
	struct fs_meta meta;
	char *journal;
	int rc;

	if (!freeze->db)
		return 0;
	journal = mem_printf("%s-journal", freeze->db);
	rc = host_stat(freeze->from, journal, &meta, err);
	free(journal);
	return rc != 0 || meta.type != FS_NONE ? rc :
	    worker_queue_counts(freeze->from, freeze->db, &counts, err);
}

static int
freeze_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct freeze freeze;
	bool installed;
	int rc;

	if (worker_installed(run, worker, &installed, err) != 0)
		return -1;
	if (installed) {
		plan_say(note, '~', "%s:%s was switched",
		    worker->from_host->name, worker->from_path);
		*found = PLAN_DONE;
		return 0;
	}
	if (freeze_open(run, worker, &freeze, err) != 0)
		return -1;
	rc = check_queue(&freeze, err);
	if (rc == 0)
		rc = check_supervisors(&freeze, err);
	if (rc == 0)
		rc = worker_service_check(run, worker, &freeze.supervisors,
		    true, err);
	if (rc == 0)
		rc = check_target(&freeze, err);
	if (rc == 0)
		rc = check_twins(&freeze, NULL, err);
	if (rc == 0)
		rc = say_prediction(&freeze, note, err);
	if (rc == 0)
		show_supervisors(&freeze, note);
	*found = PLAN_TODO;
	freeze_close(&freeze);
	return rc;
}

/* Somebody else's mark is somebody else's doing. */
static bool
is_ours(const struct freeze *freeze, const struct supervisor *one)
{
	return !one->disabled || str_eq(one->mark, freeze->run->mark);
}

/* Those that end the process when they are disabled, or the others. */
static int
disable_those(struct freeze *freeze, bool that_stop, struct err *err)
{
	const struct supervisor *one;
	int rc = 0;

	for (size_t i = 0; i < freeze->supervisors.n && rc == 0; i++) {
		one = &freeze->supervisors.list[i];
		if (supervisor_disable_stops(one) != that_stop ||
		    !is_ours(freeze, one))
			continue;
		rc = supervisor_disable(freeze->from, one, freeze->run->mark,
		    err);
		fault_point("worker_disabled");
	}
	return rc;
}

/*
 * Which trees ran, so that these and no others are started later.  A run that
 * was killed has noted them before it ended some, or all.
 */
static int
note_running(struct freeze *freeze, struct err *err)
{
	char *key = run_key("worker", freeze->worker->name, "ran");
	char *before = NULL;
	struct buf text = BUF_INIT(256);
	const char *tree;
	int rc;

	rc = journal_get(freeze->run->journal, key, &before, err);
	if (before)
		buf_str(&text, before);
	for (size_t i = 0; i < freeze->processes.n; i++) {
		tree = freeze->processes.list[i].tree;
		if (!text.len || !strstr(buf_cstr(&text), tree))
			buf_printf(&text, "%s%s", text.len ? " " : "", tree);
	}
	if (rc == 0 && text.len > 0)
		rc = journal_put(freeze->run->journal, key, buf_cstr(&text),
		    err);
	buf_clear(&text);
	free(before);
	free(key);
	return rc;
}

static int
begin_standing(struct freeze *freeze, struct err *err)
{
	int64_t stood;

	if (worker_stood_ms(freeze->run, freeze->worker, &stood, err) != 0)
		return -1;
	if (stood > 0 || freeze->processes.n == 0)
		return 0;
	if (worker_note_stopper(freeze->run, freeze->worker, err) != 0)
		return -1;
	return worker_put_instant(freeze->run, freeze->worker, "stood-from",
	    clock_epoch_ms(), err);
}

/* Somebody with the write lock would write behind our back. */
static int
probe_lock(struct freeze *freeze, struct err *err)
{
	const struct db_script nothing = {
		.write = true, .wait_ms = LOCK_WAIT_MS
	};

	if (!freeze->db)
		return 0;
	return host_db_script(freeze->from, freeze->db, &nothing, NULL, NULL,
	    NULL, err);
}

static int
stop_it(struct freeze *freeze, size_t *killed, struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	bool busy = false;

	if (!worker_supervised(worker))
		return worker_refuse_running(&freeze->processes, worker,
		    freeze->from, worker->from_path, err);
	if (note_running(freeze, err) != 0 ||
	    disable_those(freeze, false, err) != 0)
		return -1;
	if (freeze->processes.n > 0 && freeze->db &&
	    worker_drain(freeze->run, worker, WORKER_MOVE, freeze->from,
	    freeze->db, &busy, err) != 0)
		return -1;
	if (begin_standing(freeze, err) != 0 ||
	    disable_those(freeze, true, err) != 0)
		return -1;
	fault_point("worker_held");
	if (worker_stop(freeze->from, worker->from_path, worker->trees, busy,
	    killed, err) != 0)
		return -1;
	/* What it put back as it ended. */
	if (freeze->processes.n > 0 && freeze->db)
		return worker_queue_hold(freeze->run, worker, WORKER_MOVE,
		    freeze->from, freeze->db, err);
	return 0;
}

static int thaw(struct run *, const struct conf_worker *, struct plan_note *,
    struct err *);

/* A run that was killed has left it standing for too long: begin anew. */
static int
thaw_stale(struct run *run, const struct conf_worker *worker, struct err *err)
{
	struct plan_note note = { 0 };
	int64_t stood;
	int rc = 0;

	if (worker_stood_ms(run, worker, &stood, err) != 0)
		return -1;
	if (stood <= (int64_t)run->conf->max_freeze * 1000)
		return 0;
	log_warn("[worker %s] stands since a run that was ended: it is "
	    "started again at the source first", worker->name);
	buf_init(&note.summary, 8 * 1024);
	buf_init(&note.diff, 8 * 1024);
	rc = thaw(run, worker, &note, err);
	buf_clear(&note.summary);
	buf_clear(&note.diff);
	return rc;
}

static int
freeze_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker);
	struct freeze freeze;
	size_t killed = 0;
	int rc;

	/* Somebody may have added a line since the plan. */
	supervisor_forget();
	rc = thaw_stale(run, worker, err);
	if (rc == 0)
		rc = freeze_open(run, worker, &freeze, err);
	if (rc != 0) {
		free(staging);
		return -1;
	}
	rc = check_supervisors(&freeze, err);
	if (rc == 0)
		rc = worker_service_check(run, worker, &freeze.supervisors,
		    false, err);
	if (rc == 0)
		rc = check_twins(&freeze, staging, err);
	if (rc == 0)
		rc = stop_it(&freeze, &killed, err);
	if (rc == 0)
		rc = probe_lock(&freeze, err);
	if (rc == 0)
		rc = worker_freeze_check(run, worker, err);
	if (rc == 0)
		plan_say(note, '~', "%zu processes ended%s, %zu that start "
		    "them turned off", freeze.processes.n,
		    killed ? ", by SIGKILL" : "", freeze.supervisors.n);
	freeze_close(&freeze);
	free(staging);
	return rc;
}

/* Whether it starts a tree that ran, and has no process. */
static bool
is_wanted(const struct freeze *freeze, const struct supervisor *one,
    const char *ran)
{
	const char *const *tree = freeze->worker->trees;

	for (; *tree; tree++) {
		if (strstr(ran, *tree) && worker_starts_tree(one, *tree) &&
		    !worker_process_of(&freeze->processes, *tree))
			return true;
	}
	return false;
}

/* One that starts several trees is asked once. */
static int
start_those(struct freeze *freeze, const char *ran, struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	struct supervisors there;
	const char *missing;
	int rc;

	rc = supervisor_find(freeze->from, worker->from_path, &there, err);
	for (size_t i = 0; rc == 0 && i < there.n; i++) {
		if (!there.list[i].disabled &&
		    is_wanted(freeze, &there.list[i], ran))
			rc = supervisor_start(freeze->from, &there.list[i],
			    err);
	}
	supervisors_clear(&there);
	if (rc == 0)
		rc = worker_await(freeze->from, worker->from_path,
		    worker->trees, ran, WORKER_LIVE_MS, &missing, err);
	if (rc == 0 && missing)
		rc = err_set(err, ERR_AGAIN, "%s:%s/%s: started again, and no "
		    "process of it is there after %d s; look at its log "
		    "there", worker->from_host->name, worker->from_path,
		    missing, WORKER_LIVE_MS / 1000);
	return rc;
}

/* Start again what ran, and was not started by its supervisor meanwhile. */
static int
start_again(struct freeze *freeze, struct err *err)
{
	const struct supervisor *one;
	char *key = run_key("worker", freeze->worker->name, "ran");
	char *ran = NULL;
	int rc;

	rc = journal_get(freeze->run->journal, key, &ran, err);
	for (size_t i = 0; i < freeze->supervisors.n && rc == 0; i++) {
		one = &freeze->supervisors.list[i];
		if (!one->disabled || !is_ours(freeze, one))
			continue;
		rc = supervisor_enable(freeze->from, one, freeze->run->mark,
		    err);
		fault_point("worker_enabled");
	}
	/* As found anew: one that is disabled cannot be started. */
	if (rc == 0 && ran && *ran)
		rc = start_those(freeze, ran, err);
	if (rc == 0 && ran)
		rc = journal_put(freeze->run->journal, key, "", err);
	free(ran);
	free(key);
	return rc;
}

/*
 * Whatever starts it again and again, behind our back, is then what keeps it
 * running as before.
 */
static int
stop_or_leave(struct freeze *freeze, struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	size_t killed;

	worker_processes_clear(&freeze->processes);
	if (worker_stop(freeze->from, worker->from_path, worker->trees, true,
	    &killed, err) == 0)
		return 0;
	if (err->kind != ERR_STALE)
		return -1;
	err_clear(err);
	return worker_processes(freeze->from, worker->from_path,
	    worker->trees, &freeze->processes, err);
}

/*
 * A turn that was cut off has left a row and a block.  The source has to run
 * again even if its server cannot be asked for the block.
 */
static int
tidy_up(struct freeze *freeze, struct plan_note *note, struct err *err)
{
	struct err why = ERR_INIT;

	if (worker_queue_judge(freeze->run, freeze->worker, WORKER_MOVE,
	    freeze->from, freeze->db, note, err) != 0)
		return -1;
	if (worker_users_detach_source(freeze->run, freeze->worker,
	    freeze->from, freeze->db, &why) != 0) {
		log_warn("a user's block may be attached to the agent still: "
		    "%s", why.text);
		err_clear(&why);
	}
	return 0;
}

/*
 * A worker that has got a signal ends, sooner or later, so it ends now; one
 * that has not goes on.  What it leaves in processing would be asked again by
 * the next one, or never.
 */
static int
finish_stop(struct freeze *freeze, struct plan_note *note, struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	struct worker_queue_counts counts = { 0 };
	int64_t stood;

	if (worker_stood_ms(freeze->run, worker, &stood, err) != 0)
		return -1;
	if (stood == 0)
		return 0;
	if (stop_or_leave(freeze, err) != 0)
		return -1;
	/* One that lives again may be at work on what is in processing. */
	if (freeze->db && freeze->processes.n == 0 &&
	    worker_queue_counts(freeze->from, freeze->db, &counts, err) != 0)
		return -1;
	if (counts.processing > 0 && tidy_up(freeze, note, err) != 0)
		return -1;
	return worker_queue_forget(freeze->run, worker, WORKER_MOVE, err);
}

/* The queue first, since Broca reads it at once. */
static int
settle(struct freeze *freeze, struct plan_note *note, struct err *err)
{
	if (freeze->db && worker_queue_thaw(freeze->run, freeze->worker,
	    WORKER_MOVE, freeze->from, freeze->db, err) != 0)
		return -1;
	fault_point("worker_released");
	if (finish_stop(freeze, note, err) != 0)
		return -1;
	fault_point("worker_settled");
	return 0;
}

/* The source as it was before. */
static int
thaw_open(struct freeze *freeze, struct plan_note *note, int64_t *stood,
    struct err *err)
{
	const struct conf_worker *worker = freeze->worker;
	struct run *run = freeze->run;
	bool ours = worker_supervised(worker);

	/* What a reverse held at the target is of no account any more. */
	if (worker_queue_forget(run, worker, WORKER_REVERSE, err) != 0 ||
	    (ours && settle(freeze, note, err) != 0) ||
	    worker_note_stood(run, worker, stood, err) != 0 ||
	    worker_put_instant(run, worker, "stood-from", 0, err) != 0 ||
	    (ours && start_again(freeze, err) != 0))
		return -1;
	return worker_put_instant(run, worker, "reversing", 0, err);
}

static int
thaw(struct run *run, const struct conf_worker *worker,
    struct plan_note *note, struct err *err)
{
	struct freeze freeze;
	int64_t stood = 0;
	char *judged;
	int rc;

	if (freeze_open(run, worker, &freeze, err) != 0)
		return -1;
	rc = thaw_open(&freeze, note, &stood, err);
	judged = note->summary.len > 0 ?
	    mem_printf("; %s", buf_cstr(&note->summary)) : mem_strdup("");
	if (rc == 0)
		plan_say(note, '~', "%s:%s %s; stood %" PRId64 ".%" PRId64
		    " s%s", worker->from_host->name, worker->from_path,
		    worker_supervised(worker) ? "works as before" :
		    "is yours to start", stood / 1000, stood % 1000 / 100,
		    judged);
	free(judged);
	freeze_close(&freeze);
	return rc;
}

static int
freeze_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	return thaw(run, step->subject, note, err);
}

const struct step_kind worker_freeze_kind = {
	.word = "freeze",
	.probe = freeze_probe,
	.act = freeze_act,
	.undo = freeze_undo,
};
