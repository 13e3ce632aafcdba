#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/supervisor.h"
#include "flow/worker.h"
#include "flow/worker_queue.h"
#include "flow/worker_queue_back.h"
#include "flow/worker_service.h"
#include "flow/worker_smcp.h"
#include "flow/worker_stop.h"
#include "flow/worker_switch.h"
#include "flow/worker_twins.h"
#include "flow/worker_users.h"
#include "io/host.h"
#include "io/journal.h"

#define POLL_MS 200
#define MOVE_WAIT_MS 60000	/* for a waiting row to be taken */

struct start {
	struct run *run;
	const struct conf_worker *worker;
	struct host *from, *to;
	char *from_dir, *to_dir;	/* absolute */
	char *db;			/* at the target; NULL: there is none */
	char *ran;			/* the trees that ran: "broca smcp" */
	/* What is to start it there: of the source, or (home set) ours. */
	struct supervisors supervisors;
	char *home;
};

static void
start_close(struct start *start)
{
	supervisors_clear(&start->supervisors);
	free(start->home);
	free(start->from_dir);
	free(start->to_dir);
	free(start->db);
	free(start->ran);
}

static char *
absolute(struct host *host, const char *path)
{
	return conf_expand_home(path, host_facts(host)->home);
}

static int
start_open(struct run *run, const struct conf_worker *worker,
    struct start *start, struct err *err)
{
	char *key = run_key("worker", worker->name, "ran");
	int rc;

	*start = (struct start){ .run = run, .worker = worker };
	rc = run_host(run, worker->from_host, &start->from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &start->to, err);
	if (rc == 0) {
		start->from_dir = absolute(start->from, worker->from_path);
		start->to_dir = absolute(start->to, worker->to_path);
		rc = worker_find_db(start->to, worker, start->to_dir,
		    &start->db, err);
	}
	if (rc == 0)
		rc = journal_get(run->journal, key, &start->ran, err);
	if (rc == 0 && worker_service_is_ours(worker))
		rc = worker_service_list(run->conf, worker, start->to,
		    start->to_dir, &start->supervisors, &start->home, err);
	else if (rc == 0 && worker_supervised(worker))
		rc = supervisor_find(start->from, start->from_dir,
		    &start->supervisors, err);
	if (rc != 0)
		start_close(start);
	free(key);
	return rc;
}

static bool
did_run(const struct start *start, const char *tree)
{
	return start->ran && strstr(start->ran, tree);
}

static int
start_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	enum journal_state state;
	bool installed;

	if (worker_installed(run, worker, &installed, err) != 0 ||
	    journal_step_state(run->journal, step->name, &state, err) != 0)
		return -1;
	*found = !installed ? PLAN_WAITS :
	    state == JOURNAL_DONE ? PLAN_DONE : PLAN_TODO;
	plan_say(note, '+', "%s %s:%s%s", *found == PLAN_DONE ? "started" :
	    "start", worker->to_host->name, worker->to_path,
	    worker_supervised(worker) ? "" : " yourself: supervisor = none");
	return 0;
}

/* Those of the source that this job has turned off; or ours. */
static bool
is_moved(const struct start *start, const struct supervisor *one)
{
	return start->home || (one->disabled &&
	    str_eq(one->mark, start->run->mark));
}

/*
 * Cron and supervisord start what they are given, so what did not run is not
 * given to them; systemd starts it at the next boot.
 */
static bool
is_installed(const struct start *start, const struct supervisor *one)
{
	return is_moved(start, one) && (!start->home ||
	    one->kind == SUPERVISOR_SYSTEMD || did_run(start, one->tree));
}

static int
install_or_remove(struct start *start, const struct supervisor *one,
    bool install, struct err *err)
{
	char *home = NULL;
	const char *from = start->home ? start->to_dir : start->from_dir;
	int rc = 0;

	if (start->home)
		home = mem_strdup(start->home);
	else
		rc = supervisor_home(start->from, one, &home, err);
	if (rc == 0)
		rc = install ? supervisor_install(start->to, one, home, from,
		    start->to_dir, start->run->mark, err) :
		    supervisor_remove(start->to, one, home, from,
		    start->to_dir, start->run->mark, err);
	free(home);
	return rc;
}

static int
install_all(struct start *start, struct err *err)
{
	const struct supervisor *one;
	int rc = 0;

	if (start->home)
		rc = worker_service_prepare(start->run->conf,
		    start->worker, start->to, start->to_dir, err);
	for (size_t i = 0; i < start->supervisors.n && rc == 0; i++) {
		one = &start->supervisors.list[i];
		if (!is_installed(start, one))
			continue;
		rc = install_or_remove(start, one, true, err);
		fault_point("worker_supervisor_installed");
	}
	return rc;
}

/* Whether it starts something that ran, and is not there yet. */
static bool
is_wanted(const struct start *start, const struct supervisor *one,
    const struct worker_processes *processes)
{
	const char *const *tree = start->worker->trees;

	for (; *tree; tree++) {
		if (did_run(start, *tree) && worker_starts_tree(one, *tree) &&
		    !worker_process_of(processes, *tree))
			return true;
	}
	return false;
}

static int
start_all(struct start *start, struct err *err)
{
	struct worker_processes processes = { 0 };
	struct supervisors there = { 0 };
	const struct supervisor *one;
	int rc;

	/* A killed run, or cron's minute, may have been here before. */
	rc = worker_processes(start->to, start->to_dir, start->worker->trees,
	    &processes, err);
	if (rc == 0)
		rc = supervisor_find(start->to, start->to_dir, &there, err);
	for (size_t i = 0; i < there.n && rc == 0; i++) {
		one = &there.list[i];
		if (!one->disabled && is_wanted(start, one, &processes))
			rc = supervisor_start(start->to, one, err);
		fault_point("worker_supervisor_started");
	}
	supervisors_clear(&there);
	worker_processes_clear(&processes);
	return rc;
}

static int
await_alive(struct start *start, struct err *err)
{
	const struct conf_worker *worker = start->worker;
	const char *missing;

	if (worker_await(start->to, start->to_dir, worker->trees, start->ran ?
	    start->ran : "", WORKER_LIVE_MS, &missing, err) != 0)
		return -1;
	if (!missing)
		return 0;
	return err_set(err, ERR_AGAIN, "%s:%s/%s: started, and no process of "
	    "it is there after %d s; look at its log there, then run the "
	    "same command again, or `reverse' to go back",
	    worker->to_host->name, worker->to_path, missing,
	    WORKER_LIVE_MS / 1000);
}

/*
 * A process that is alive is no health (its queue loop may have died at the
 * start); a waiting row that is taken is.
 */
static int
await_move(struct start *start, uint64_t before, struct err *err)
{
	const uint64_t deadline_ms = clock_ms() + MOVE_WAIT_MS;
	struct worker_queue_counts counts;

	progress_begin("wait for a row of the queue to move", "rows", 0);
	for (;;) {
		if (stop_check(err) != 0 || worker_queue_counts(start->to,
		    start->db, &counts, err) != 0) {
			progress_end();
			return -1;
		}
		if (counts.pending < before || counts.processing > 0) {
			progress_end();
			return 0;
		}
		if (clock_left_ms(deadline_ms) == 0)
			break;
		clock_sleep_ms(POLL_MS);
	}
	progress_end();
	return err_set(err, ERR_AGAIN, "%s:%s: Broca is alive, and none of %"
	    PRIu64 " waiting rows was taken in %d s; look at its log there, "
	    "then run the same command again, or `reverse' to go back",
	    start->worker->to_host->name, start->db, before,
	    MOVE_WAIT_MS / 1000);
}

static int forget_supervisors(struct start *, struct err *);

/*
 * Nothing was started after all, if that is certain: then the source can be.
 */
static void
not_started(struct start *start)
{
	const struct conf_worker *worker = start->worker;
	struct worker_processes processes = { 0 };
	struct err ignored = ERR_INIT;

	if (forget_supervisors(start, &ignored) != 0 ||
	    worker_processes(start->to, start->to_dir, worker->trees,
	    &processes, &ignored) != 0 || (processes.n == 0 &&
	    worker_put_instant(start->run, worker, "started", 0,
	    &ignored) != 0))
		err_clear(&ignored);
	worker_processes_clear(&processes);
}

/*
 * What is installed may be started at once, by cron's minute, and what the
 * target has answered then must not be asked again at the source: so the
 * journal has it as started before.
 */
static int
install_started(struct start *start, bool again, struct err *err)
{
	if (!again && worker_put_instant(start->run, start->worker,
	    "started", clock_epoch_ms(), err) != 0)
		return -1;
	if (install_all(start, err) == 0)
		return 0;
	if (!again)
		not_started(start);
	return -1;
}

static int
bring_up(struct start *start, bool again, struct plan_note *note,
    uint64_t *waiting, struct err *err)
{
	struct worker_queue_counts counts = { 0 };
	int rc = 0;

	if (start->db)
		rc = worker_queue_counts(start->to, start->db, &counts, err);
	*waiting = counts.pending;
	if (rc == 0)
		rc = install_started(start, again, err);
	if (rc == 0)
		rc = start_all(start, err);
	if (rc == 0)
		rc = await_alive(start, err);
	if (rc == 0 && *waiting > 0 && did_run(start, "broca"))
		rc = await_move(start, *waiting, err);
	if (rc == 0 && did_run(start, "smcp"))
		rc = worker_smcp_connect(start->run, start->worker, note,
		    err);
	return rc;
}

/* Another live Broca with this token or agent: then no third one. */
static int
refuse_twins(struct start *start, struct err *err)
{
	struct buf why = BUF_INIT(4096);
	bool found = false;
	int rc = 0;

	if (start->db && worker_supervised(start->worker))
		rc = worker_twins(start->from, start->from_dir, start->to,
		    start->to_dir, true, &found, &why, err);
	if (rc == 0 && found)
		rc = err_set(err, ERR_STALE, "a second Broca would take this "
		    "one's messages: %s; stop it first", buf_cstr(&why));
	buf_clear(&why);
	return rc;
}

static int
check_before(struct start *start, bool again, struct err *err)
{
	const struct conf_worker *worker = start->worker;

	bool stopper;

	if (refuse_twins(start, err) != 0)
		return -1;
	if (again)
		return 0;
	if (start->db && worker_users_detach(start->run, worker, start->to,
	    start->db, err) != 0)
		return -1;
	if (worker_is_stopper(start->run, worker, &stopper, err) != 0)
		return -1;
	/* Going back would let it stand for longer. */
	if (!stopper)
		return 0;
	return worker_freeze_check(start->run, worker, err);
}

/* They are of no more use; a later switch makes them anew. */
static void
drop_sums(struct run *run, const struct conf_worker *worker)
{
	struct err err = ERR_INIT;

	if (worker_sums_remove(run, worker, &err) != 0)
		log_warn("[worker %s] ~/.cache/sanctumctl/sums-* may be left "
		    "on the hosts: %s", worker->name, err.text);
	fault_point("worker_sums_dropped");
}

static int
start_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct start start;
	uint64_t waiting = 0;
	int64_t stood = 0;
	int64_t again = 0;
	int rc;

	if (worker_started(run, worker, &again, err) != 0 ||
	    start_open(run, worker, &start, err) != 0)
		return -1;
	rc = check_before(&start, again > 0, err);
	if (rc == 0 && worker_supervised(worker))
		rc = bring_up(&start, again > 0, note, &waiting,
		    err);
	else if (rc == 0)
		rc = worker_put_instant(run, worker, "started",
		    clock_epoch_ms(), err);
	if (rc == 0)
		rc = worker_note_stood(run, worker, &stood, err);
	if (rc == 0)
		rc = worker_put_instant(run, worker, "stood-from", 0, err);
	if (rc == 0)
		drop_sums(run, worker);
	if (rc == 0 && !worker_supervised(worker))
		plan_say(note, '+', "%s:%s is yours to start",
		    worker->to_host->name, worker->to_path);
	else if (rc == 0)
		plan_say(note, '+', "%s alive on %s; %" PRIu64 " rows "
		    "waited%s; stood %" PRId64 ".%" PRId64 " s",
		    start.ran && *start.ran ? start.ran : "nothing ran: "
		    "nothing is", worker->to_host->name, waiting,
		    waiting && did_run(&start, "broca") ?
		    ", and one was seen to move" : "", stood / 1000,
		    stood % 1000 / 100);
	start_close(&start);
	return rc;
}

/* Those whose end ends the process, too, or the others. */
static int
disable_those(struct start *start, bool that_stop, struct err *err)
{
	struct supervisors there = { 0 };
	int rc;

	rc = supervisor_find(start->to, start->to_dir, &there, err);
	for (size_t i = 0; i < there.n && rc == 0; i++) {
		if (supervisor_disable_stops(&there.list[i]) != that_stop)
			continue;
		rc = supervisor_disable(start->to, &there.list[i],
		    start->run->mark, err);
		fault_point("worker_target_disabled");
	}
	supervisors_clear(&there);
	return rc;
}

static int
forget_supervisors(struct start *start, struct err *err)
{
	const struct supervisor *one;
	int rc = 0;

	for (size_t i = 0; i < start->supervisors.n && rc == 0; i++) {
		one = &start->supervisors.list[i];
		if (!is_moved(start, one))
			continue;
		rc = install_or_remove(start, one, false, err);
		fault_point("worker_target_removed");
	}
	return rc;
}

static int
stop_target(struct start *start, struct err *err)
{
	const struct conf_worker *worker = start->worker;
	struct worker_processes processes;
	bool busy = false;
	size_t killed;
	int rc;

	if (disable_those(start, false, err) != 0 ||
	    worker_processes(start->to, start->to_dir, worker->trees,
	    &processes, err) != 0)
		return -1;
	rc = processes.n > 0 && start->db ? worker_drain(start->run, worker,
	    WORKER_REVERSE, start->to, start->db, &busy, err) : 0;
	worker_processes_clear(&processes);
	if (rc == 0)
		rc = disable_those(start, true, err);
	if (rc == 0)
		rc = worker_stop(start->to, start->to_dir, worker->trees,
		    busy, &killed, err);
	return rc;
}

/* With `supervisor = none' it is ended by somebody else, before. */
static int
refuse_running(struct start *start, struct err *err)
{
	const struct conf_worker *worker = start->worker;
	struct worker_processes processes;
	int rc;

	rc = worker_processes(start->to, start->to_dir, worker->trees,
	    &processes, err);
	if (rc == 0)
		rc = worker_refuse_running(&processes, worker, start->to,
		    worker->to_path, err);
	worker_processes_clear(&processes);
	return rc;
}

/* What the target has queued and answered, into the source at rest. */
static int
bring_back(struct start *start, struct plan_note *note, struct err *err)
{
	struct run *run = start->run;
	const struct conf_worker *worker = start->worker;
	char *source_db;
	int rc;

	if (worker_queue_hold(run, worker, WORKER_REVERSE, start->to,
	    start->db, err) != 0 ||
	    worker_queue_judge(run, worker, WORKER_REVERSE, start->to,
	    start->db, note, err) != 0)
		return -1;
	source_db = worker_path(start->from_dir, WORKER_DB);
	rc = worker_queue_back(run, worker, start->to, start->db,
	    start->from, source_db, !run->discard, note, err);
	free(source_db);
	return rc;
}

/* Behind what came back, if there is something. */
static void
say_stands(const struct conf_worker *worker, struct plan_note *note)
{
	char *back = note->summary.len > 0 ?
	    mem_printf("; %s", buf_cstr(&note->summary)) : mem_strdup("");

	plan_say(note, '-', "%s:%s stands%s", worker->to_host->name,
	    worker->to_path, back);
	free(back);
}

/* From here on the source is to be brought back, and nothing else. */
static int
begin_reverse(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	bool begun;

	if (worker_reversing(run, worker, &begun, err) != 0)
		return -1;
	if (begun)
		return 0;
	if (worker_put_instant(run, worker, "stood-from", clock_epoch_ms(),
	    err) != 0)
		return -1;
	return worker_put_instant(run, worker, "reversing", clock_epoch_ms(),
	    err);
}

/*
 * The target stops, as the source did, and what it has queued and answered
 * since goes back into the source's database, which is at rest.
 */
static int
start_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct start start;
	int64_t started;
	bool installed;
	int rc;

	/* A target without the mark is not this job's to stop or to read. */
	if (worker_installed(run, worker, &installed, err) != 0 ||
	    worker_started(run, worker, &started, err) != 0 ||
	    start_open(run, worker, &start, err) != 0)
		return -1;
	rc = started > 0 ? begin_reverse(run, worker, err) : 0;
	if (rc == 0)
		rc = worker_supervised(worker) ? stop_target(&start, err) :
		    refuse_running(&start, err);
	if (rc == 0 && started > 0 && start.db)
		rc = bring_back(&start, note, err);
	if (rc == 0 && worker_supervised(worker))
		rc = forget_supervisors(&start, err);
	if (rc == 0)
		rc = worker_smcp_disconnect(run, worker, note, err);
	if (rc == 0)
		rc = worker_put_instant(run, worker, "started", 0, err);
	if (rc == 0)
		say_stands(worker, note);
	start_close(&start);
	return rc;
}

const struct step_kind worker_start_kind = {
	.word = "start",
	.probe = start_probe,
	.act = start_act,
	.undo = start_undo,
};
