#include "base/base.h"

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
#include "flow/run.h"
#include "flow/supervisor.h"
#include "flow/worker.h"
#include "flow/worker_switch.h"
#include "io/host.h"
#include "io/journal.h"

/*
 * What a switch is made of, in milliseconds: ending a Broca at rest and
 * starting it, walking the trees twice on both ends, and reading sanctum.db
 * once on both.  Measured on two cores with 40 ms between the hosts.
 */
#define DRAIN_POLL_MS 300
#define PREDICT_FIXED_MS 3000
#define PREDICT_ENTRIES_PER_MS 8
#define PREDICT_DB_BYTES_PER_MS (400 * 1024)

bool
worker_supervised(const struct conf_worker *worker)
{
	return worker->supervisor != CONF_SUPERVISOR_NONE;
}

bool
worker_starts_tree(const struct supervisor *one, const char *tree)
{
	if (one->kind == SUPERVISOR_NONE || one->kind == SUPERVISOR_SCREEN)
		return false;
	return !one->tree || str_eq(one->tree, tree);
}

int
worker_drain(struct run *run, const struct conf_worker *worker,
    enum worker_way way, struct host *host, const char *db, bool *busy,
    struct err *err)
{
	const uint64_t deadline_ms = clock_ms() +
	    (uint64_t)worker->stop_wait * 1000;
	uint64_t working = 0;
	int rc;

	progress_begin("wait for messages in processing", "messages", 0);
	for (;;) {
		rc = stop_check(err);
		if (rc == 0)
			rc = worker_queue_hold(run, worker, way, host, db,
			    err);
		if (rc == 0)
			rc = worker_queue_working(host, db, worker->stop_wait,
			    &working, err);
		if (rc != 0 || working == 0 ||
		    clock_left_ms(deadline_ms) == 0)
			break;
		progress_at(working);
		clock_sleep_ms(DRAIN_POLL_MS);
	}
	progress_end();
	*busy = working > 0;
	if (rc == 0 && *busy)
		log_warn("%" PRIu64 " messages are still in processing after "
		    "%u s; they are judged by the agent's messages",
		    working, worker->stop_wait);
	return rc;
}

/* A fact of the journal that is milliseconds since 1970; 0 without it. */
static int
get_instant(struct run *run, const struct conf_worker *worker,
    const char *what, int64_t *out, struct err *err)
{
	char *key = run_key("worker", worker->name, what);
	char *text = NULL;
	uint64_t ms;
	int rc;

	rc = journal_get(run->journal, key, &text, err);
	*out = 0;
	if (rc == 0 && text && str_u64(text, INT64_MAX, &ms))
		*out = (int64_t)ms;
	free(text);
	free(key);
	return rc;
}

int
worker_put_instant(struct run *run, const struct conf_worker *worker,
    const char *what, int64_t ms, struct err *err)
{
	char *key = run_key("worker", worker->name, what);
	char *text = ms ? mem_printf("%" PRId64, ms) : mem_strdup("");
	int rc;

	rc = journal_put(run->journal, key, text, err);
	free(text);
	free(key);
	return rc;
}

int
worker_stood_ms(struct run *run, const struct conf_worker *worker,
    int64_t *out, struct err *err)
{
	int64_t from;

	if (get_instant(run, worker, "stood-from", &from, err) != 0)
		return -1;
	*out = from > 0 ? clock_epoch_ms() - from : 0;
	/* A clock that was set back must not look as if nothing stood. */
	if (*out < 0)
		*out = 1;
	return 0;
}

int
worker_freeze_check(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	const unsigned int most = run->conf->max_freeze;
	int64_t stood;

	if (worker_stood_ms(run, worker, &stood, err) != 0)
		return -1;
	if (stood <= (int64_t)most * 1000)
		return 0;
	return err_set(err, ERR_AGAIN, "[worker %s] has been standing for %"
	    PRId64 " s, and max_freeze is %u s", worker->name, stood / 1000,
	    most);
}

int
worker_note_stopper(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	char *key = run_key("worker", worker->name, "stopper");
	int rc = journal_put(run->journal, key, run->nonce, err);

	free(key);
	return rc;
}

int
worker_is_stopper(struct run *run, const struct conf_worker *worker,
    bool *out, struct err *err)
{
	char *key = run_key("worker", worker->name, "stopper");
	char *text = NULL;
	int rc = journal_get(run->journal, key, &text, err);

	*out = text && str_eq(text, run->nonce);
	free(text);
	free(key);
	return rc;
}

int
worker_freeze_predict(struct run *run, const struct conf_worker *worker,
    uint64_t *ms, struct err *err)
{
	char *scope = run_key("worker", worker->name, "source");
	char *path = worker_path(worker->from_path, WORKER_DB);
	struct fs_meta meta = { .type = FS_NONE };
	uint64_t entries = 0;
	struct host *from;
	int rc;

	rc = journal_count(run->journal, scope, &entries, err);
	if (rc == 0)
		rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0 && worker_has_broca(worker))
		rc = host_stat(from, path, &meta, err);
	*ms = PREDICT_FIXED_MS + entries / PREDICT_ENTRIES_PER_MS;
	if (rc == 0 && meta.type == FS_FILE)
		*ms += meta.size_bytes / PREDICT_DB_BYTES_PER_MS;
	free(path);
	free(scope);
	return rc;
}

int
worker_note_stood(struct run *run, const struct conf_worker *worker,
    int64_t *stood_ms, struct err *err)
{
	if (worker_stood_ms(run, worker, stood_ms, err) != 0)
		return -1;
	/* A run that was killed behind this has noted it. */
	if (*stood_ms == 0)
		return get_instant(run, worker, "stood-ms", stood_ms, err);
	return worker_put_instant(run, worker, "stood-ms", *stood_ms, err);
}

int
worker_freeze_figures(struct run *run, const struct conf_worker *worker,
    struct worker_freeze_figures *out, struct err *err)
{
	*out = (struct worker_freeze_figures){ 0 };
	if (get_instant(run, worker, "predicted-ms", &out->predicted_ms,
	    err) != 0 ||
	    get_instant(run, worker, "stood-ms", &out->stood_ms, err) != 0 ||
	    worker_stood_ms(run, worker, &out->standing_ms, err) != 0)
		return -1;
	return 0;
}

int
worker_reversing(struct run *run, const struct conf_worker *worker,
    bool *out, struct err *err)
{
	int64_t since;

	if (get_instant(run, worker, "reversing", &since, err) != 0)
		return -1;
	*out = since > 0;
	return 0;
}

int
worker_started(struct run *run, const struct conf_worker *worker,
    int64_t *out, struct err *err)
{
	return get_instant(run, worker, "started", out, err);
}

char *
worker_sums_path(const struct run *run, const struct conf_worker *worker,
    bool target)
{
	return mem_printf("~/.cache/sanctumctl/sums-%s-%s-%s", run->mark,
	    worker->name, target ? "target" : "source");
}

/* Sums on both ends, which a switch believes or makes anew. */
int
worker_sums_remove(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	char *from_sums = worker_sums_path(run, worker, false);
	char *to_sums = worker_sums_path(run, worker, true);
	struct host *from, *to;
	int rc;

	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = host_remove(from, from_sums, err);
	if (rc == 0)
		rc = host_remove(to, to_sums, err);
	free(from_sums);
	free(to_sums);
	return rc;
}

/* What was at the target before has the staging name, and no mark. */
int
worker_complete(struct run *run, const struct conf_worker *worker,
    struct err *err)
{
	char *staging = worker_staging(run, worker);
	struct worker_place place;
	struct host *to;
	int rc;

	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = worker_place(run, worker, &place, err);
	if (rc == 0 && !place.installed)
		rc = err_set(err, ERR_STALE, "[worker %s] is not switched "
		    "yet: run `apply' or `switch' first", worker->name);
	if (rc == 0 && place.staging)
		rc = host_remove(to, staging, err);
	fault_point("worker_completed");
	if (rc == 0)
		rc = worker_sums_remove(run, worker, err);
	free(staging);
	return rc;
}
