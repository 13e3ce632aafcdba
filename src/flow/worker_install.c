#include "base/base.h"

#include "base/err.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "io/host.h"

static int
install_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker);
	const char *name = worker->to_host->name;
	struct worker_place place;
	int rc;

	rc = worker_place(run, worker, &place, err);
	if (rc == 0) {
		*found = place.installed ? PLAN_DONE : PLAN_TODO;
		if (place.installed)
			plan_say(note, '+', "%s:%s is in its place", name,
			    worker->to_path);
		else if (place.target)
			plan_say(note, '~', "put in place of %s:%s, which is "
			    "kept as %s", name, worker->to_path, staging);
		else
			plan_say(note, '+', "put in place: %s:%s", name,
			    worker->to_path);
	}
	free(staging);
	return rc;
}

/* One rename; why it is enough stands in worker.c. */
static int
install_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker);
	struct worker_place place;
	struct host *to;
	int rc;

	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = worker_place(run, worker, &place, err);
	if (rc == 0 && !place.staged)
		rc = err_set(err, ERR_STALE, "%s:%s is gone; run the same "
		    "command again", worker->to_host->name, staging);
	if (rc == 0)
		rc = host_rename(to, staging, worker->to_path, place.target,
		    err);
	if (rc == 0 && place.target)
		plan_say(note, '~', "%s:%s is new; what was there is %s",
		    worker->to_host->name, worker->to_path, staging);
	else if (rc == 0)
		plan_say(note, '+', "%s:%s", worker->to_host->name,
		    worker->to_path);
	free(staging);
	return rc;
}

/*
 * Back into the staging name, where undoing the copy removes it; a tree that
 * was there before returns to its place in the same instant.
 */
static int
install_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	char *staging = worker_staging(run, worker);
	struct worker_place place;
	struct host *to;
	bool kept = false;
	int rc;

	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = worker_place(run, worker, &place, err);
	if (rc == 0)
		kept = place.installed ? place.staging : place.target;
	if (rc == 0 && place.installed)
		rc = host_rename(to, worker->to_path, staging, kept, err);
	if (rc == 0)
		plan_say(note, '-', "%s:%s is %s", worker->to_host->name,
		    worker->to_path, kept ? "what it was before" : "gone");
	free(staging);
	return rc;
}

const struct step_kind worker_install_kind = {
	.word = "install",
	.probe = install_probe,
	.act = install_act,
	.undo = install_undo,
};
