#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_switch.h"
#include "io/host.h"

/*
 * A stray crontab line, an operator's hand or a restored unit must not start
 * the source again: two pollers of one token take each other's messages.  So
 * the program that is started has another name there, and every way to start
 * it ends with `no such file'.  An .env moved aside would not do: Broca takes
 * the next one further up; nor would its pid file, which only Broca heeds.
 */
struct fence {
	struct host *from;
	const struct conf_worker *worker;
	size_t open;		/* programs that can be started */
	size_t shut;
};

/* Each program of the trees under both its names. */
static int
each_entry(struct fence *fence,
    int (*each)(struct fence *, const char *open, const char *shut,
    struct err *), struct err *err)
{
	const char *const *tree = fence->worker->trees;
	const char *entry;
	char *open, *shut;
	int rc = 0;

	for (; *tree && rc == 0; tree++) {
		entry = worker_entry(*tree);
		if (!entry)
			continue;
		open = mem_printf("%s/%s/%s", fence->worker->from_path, *tree,
		    entry);
		shut = mem_printf("%s/%s/" WORKER_FENCED "%s",
		    fence->worker->from_path, *tree, entry);
		rc = each(fence, open, shut, err);
		free(open);
		free(shut);
	}
	return rc;
}

static int
is_there(struct host *host, const char *path, bool *out, struct err *err)
{
	struct fs_meta meta;

	if (host_stat(host, path, &meta, err) != 0)
		return -1;
	*out = meta.type != FS_NONE;
	return 0;
}

static int
count_entry(struct fence *fence, const char *open, const char *shut,
    struct err *err)
{
	bool is_open, is_shut;

	if (is_there(fence->from, open, &is_open, err) != 0 ||
	    is_there(fence->from, shut, &is_shut, err) != 0)
		return -1;
	fence->open += is_open;
	fence->shut += is_shut;
	return 0;
}

static int
shut_entry(struct fence *fence, const char *open, const char *shut,
    struct err *err)
{
	bool is_open, is_shut;

	if (is_there(fence->from, open, &is_open, err) != 0 ||
	    is_there(fence->from, shut, &is_shut, err) != 0)
		return -1;
	if (is_open && is_shut)
		return err_set(err, ERR_STALE, "%s:%s and %s are both there: "
		    "somebody has put the first back; remove one of them",
		    fence->worker->from_host->name, open, shut);
	fence->shut += is_open || is_shut;
	if (is_open && host_rename(fence->from, open, shut, 0, err) != 0)
		return -1;
	fault_point("worker_fenced");
	return 0;
}

static int
open_entry(struct fence *fence, const char *open, const char *shut,
    struct err *err)
{
	bool is_open, is_shut;

	if (is_there(fence->from, open, &is_open, err) != 0 ||
	    is_there(fence->from, shut, &is_shut, err) != 0)
		return -1;
	/* The source has to work again, whatever somebody has put there. */
	if (is_open && is_shut) {
		log_warn("%s:%s: somebody has put it back while it was %s, "
		    "which is left there", fence->worker->from_host->name,
		    open, shut);
		return 0;
	}
	if (is_shut && host_rename(fence->from, shut, open, 0, err) != 0)
		return -1;
	fence->open += is_shut;
	fault_point("worker_unfenced");
	return 0;
}

static int
fence_open(struct run *run, const struct conf_worker *worker,
    struct fence *fence, struct err *err)
{
	*fence = (struct fence){ .worker = worker };
	return run_host(run, worker->from_host, &fence->from, err);
}

static int
fence_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct fence fence;

	if (!worker->fence) {
		plan_say(note, '~', "the source stays as it is: fence = no");
		*found = PLAN_DONE;
		return 0;
	}
	if (fence_open(run, worker, &fence, err) != 0 ||
	    each_entry(&fence, count_entry, err) != 0)
		return -1;
	*found = fence.open > 0 ? PLAN_TODO : PLAN_DONE;
	plan_say(note, '~', "%zu programs at %s:%s %s", fence.open +
	    fence.shut, worker->from_host->name, worker->from_path,
	    fence.open ? "get another name, so that nothing starts them" :
	    "cannot be started");
	return 0;
}

static int
fence_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct fence fence;

	if (fence_open(run, worker, &fence, err) != 0 ||
	    each_entry(&fence, shut_entry, err) != 0)
		return -1;
	plan_say(note, '~', "%zu programs at %s:%s are " WORKER_FENCED
	    "NAME now", fence.shut, worker->from_host->name,
	    worker->from_path);
	return 0;
}

static int
fence_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	const struct conf_worker *worker = step->subject;
	struct fence fence;

	if (fence_open(run, worker, &fence, err) != 0 ||
	    each_entry(&fence, open_entry, err) != 0)
		return -1;
	plan_say(note, '~', "%zu programs at %s:%s have their names back",
	    fence.open, worker->from_host->name, worker->from_path);
	return 0;
}

const struct step_kind worker_fence_kind = {
	.word = "fence",
	.probe = fence_probe,
	.act = fence_act,
	.undo = fence_undo,
};
