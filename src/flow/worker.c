#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/worker.h"
#include "flow/agent.h"
#include "flow/agent_delta.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/worker.h"
#include "flow/worker_smcp.h"
#include "flow/worker_switch.h"
#include "flow/worker_users.h"
#include "io/db.h"
#include "io/host.h"
#include "io/journal.h"

void
worker_plan(struct plan *plan, const struct conf_worker *worker)
{
	if (worker->account)
		plan_add(plan, "worker", worker->name, &worker_account_kind,
		    worker);
	plan_add(plan, "worker", worker->name, &worker_copy_kind, worker);
	plan_add(plan, "worker", worker->name, &worker_snapshot_kind, worker);
	plan_add(plan, "worker", worker->name, &worker_env_kind, worker);
	plan_add(plan, "worker", worker->name, &worker_venv_kind, worker);
	plan_add(plan, "worker", worker->name, &worker_users_kind, worker);
	plan_add(plan, "worker", worker->name, &worker_smcp_kind, worker);
}

void
worker_plan_switch(struct plan *plan, const struct conf_worker *worker,
    bool with_agent)
{
	const char *name = worker->name;

	plan_add_late(plan, "worker", name, &worker_freeze_kind, worker);
	if (with_agent)
		plan_add_late(plan, "worker", name, &agent_delta_kind, worker);
	plan_add_late(plan, "worker", name, &worker_final_kind, worker);
	plan_add_late(plan, "worker", name, &worker_install_kind, worker);
	plan_add_late(plan, "worker", name, &worker_fence_kind, worker);
	if (with_agent)
		plan_add_late(plan, "agent", worker->agent->name,
		    &agent_promote_late_kind, worker);
	plan_add_late(plan, "worker", name, &worker_start_kind, worker);
}

char *
worker_staging(const struct run *run, const struct conf_worker *worker)
{
	return mem_printf("%s.sanctumctl-%s", worker->to_path, run->mark);
}

char *
worker_path(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

char *
worker_row_counts(const struct db_report *report)
{
	struct buf text = BUF_INIT(65536);

	for (size_t i = 0; i < report->n_tables; i++)
		buf_printf(&text, "%s%s=%" PRIu64, i ? " " : "",
		    report->tables[i].name, report->tables[i].rows);
	return buf_take(&text);
}

int
worker_agent_id(struct run *run, const struct conf_worker *worker, char **id,
    struct err *err)
{
	if (worker->agent)
		return agent_target_id(run, worker->agent, id, err);
	*id = mem_strdup(worker->agent_id);
	return 0;
}

bool
worker_has_broca(const struct conf_worker *worker)
{
	return conf_worker_has(worker, "broca");
}

int
worker_find_db(struct host *host, const struct conf_worker *worker,
    const char *dir, char **path, struct err *err)
{
	struct fs_meta meta;
	int rc;

	*path = worker_path(dir, WORKER_DB);
	rc = host_stat(host, *path, &meta, err);
	if (rc != 0 || meta.type == FS_NONE || !worker_has_broca(worker)) {
		free(*path);
		*path = NULL;
	}
	return rc;
}

/*
 * Which of two directories is the new one, after a kill or after a month?
 * Names cannot tell, since install exchanges them; the one that holds the
 * file .sanctumctl-MARK is.  It is the first thing that the new directory
 * holds and goes with it through every rename, so that a directory without
 * it, whatever its name, is somebody's data: it is never written to and
 * never removed.
 *
 * What each instant of a job leaves, S the staging name and T the target's;
 * "new" is the marked directory, "old" what was at T before or nothing:
 *
 *     before copy                    T old             S nothing
 *     copy makes S: it is made and   T old             S nothing
 *       marked under the scrap name
 *     copy has renamed scrap to S,   T old             S new
 *       which must not exist; until
 *       install is over
 *     install, with an old: one      T new             S old
 *       RENAME_EXCHANGE
 *     install, without: one rename   T new             S nothing
 *       that replaces nothing
 *     undo of install: the same in   T old             S new
 *       one instant back
 *     undo of copy has renamed S to  T old             S nothing
 *       scrap, and removes that
 *
 * So S exists unmarked only while T is marked.  The scrap name is given to
 * nothing but a directory of ours that has no data yet, or one that was seen
 * to hold the mark: it may be removed at sight, and is, before it is used.
 *
 * Any other state means that the mark was taken away (`git clean') or that
 * somebody renamed: then nothing is known, and each step refuses.  One such
 * state looks like the first line: T was installed with no old, and its mark
 * is gone.  There the journal decides: once install was begun and not taken
 * back, an unmarked T without S is refused, too.  (S was there when install
 * began, and only undo of copy, which comes after undo of install was
 * recorded, takes it away.)  Where neither is there, nothing can be lost.
 */
static int
refuse_place(const struct run *run, const struct conf_worker *worker,
    const struct worker_place *place, const char *why, struct err *err)
{
	const char *host = worker->to_host->name;
	char *staging = worker_staging(run, worker);

	(void)err_set(err, ERR_STALE, "%s:%s (%s) and %s:%s (%s): %s; nothing "
	    "was touched.  This job knows what it put there by the file "
	    ".sanctumctl-%s: put it back into that directory, or give the "
	    "job another name in [job]", host, worker->to_path,
	    !place->target ? "not there" :
	    place->installed ? "holds the mark" : "without the mark",
	    host, staging, !place->staging ? "not there" :
	    place->staged ? "holds the mark" : "without the mark", why,
	    run->mark);
	free(staging);
	return -1;
}

static int
check_place(struct run *run, const struct conf_worker *worker,
    const struct worker_place *place, struct err *err)
{
	char *step = run_key("worker", worker->name, "install");
	enum journal_state state;
	bool begun;
	int rc;

	rc = journal_step_state(run->journal, step, &state, err);
	free(step);
	if (rc != 0)
		return -1;
	begun = state == JOURNAL_BEGUN || state == JOURNAL_DONE;
	if (place->installed && place->staged)
		return refuse_place(run, worker, place, "both claim to be "
		    "what this job put there", err);
	if (!place->installed && place->staging && !place->staged)
		return refuse_place(run, worker, place, begun ?
		    "they may have changed places already, so that the "
		    "second is what was there before" :
		    "the second is not this job's", err);
	if (!place->installed && !place->staging && place->target && begun)
		return refuse_place(run, worker, place, "the journal says "
		    "that the first was put there by this job, or was going "
		    "to be", err);
	return 0;
}

char *
worker_marker(const struct run *run, const char *dir)
{
	return mem_printf("%s/.sanctumctl-%s", dir, run->mark);
}

/* Both directories, and the mark in each. */
static int
look(const struct run *run, const struct conf_worker *worker,
    struct host *to, const char *staging, struct worker_place *out,
    struct err *err)
{
	char *target_mark = worker_marker(run, worker->to_path);
	char *staging_mark = worker_marker(run, staging);
	const char *const paths[] = {
		worker->to_path, target_mark, staging, staging_mark
	};
	struct fs_meta metas[4];
	int rc;

	rc = host_stat_all(to, paths, 4, metas, err);
	if (rc == 0)
		*out = (struct worker_place) {
			.target = metas[0].type != FS_NONE,
			.installed = metas[1].type != FS_NONE,
			.staging = metas[2].type != FS_NONE,
			.staged = metas[3].type != FS_NONE,
		};
	free(staging_mark);
	free(target_mark);
	return rc;
}

int
worker_place(struct run *run, const struct conf_worker *worker,
    struct worker_place *out, struct err *err)
{
	char *staging = worker_staging(run, worker);
	struct host *to;
	int rc;

	rc = run_host(run, worker->to_host, &to, err);
	if (rc == 0)
		rc = look(run, worker, to, staging, out, err);
	if (rc == 0)
		rc = check_place(run, worker, out, err);
	free(staging);
	return rc;
}

int
worker_installed(struct run *run, const struct conf_worker *worker, bool *out,
    struct err *err)
{
	struct worker_place place;

	if (worker_place(run, worker, &place, err) != 0)
		return -1;
	*out = place.installed;
	return 0;
}

#define LEFT_NAMES 20

struct left_walk {
	const struct conf_worker *worker;
	struct worker_left *left;
};

static void
add_name(struct buf *names, uint64_t *n, const char *path)
{
	if (*n < LEFT_NAMES) {
		buf_str(names, *n ? ", " : "");
		str_printable(names, path, strlen(path));
	} else if (*n == LEFT_NAMES)
		buf_str(names, ", ...");
	*n += 1;
}

/* Has a step of its own, or is ours. */
static bool
has_step(const char *path)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	return str_eq(last, ".env") || str_eq(path, WORKER_DB) ||
	    str_starts(path, WORKER_DB "-") ||
	    str_starts(last, ".sanctumctl-");
}

static int
look_beside(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct left_walk *walk = ctx;

	(void)err;
	if (*entry->path && entry->type == 'd' &&
	    !conf_worker_has(walk->worker, entry->path))
		add_name(&walk->left->beside, &walk->left->n_beside,
		    entry->path);
	return 0;
}

static int
look_inside(void *ctx, const struct tree_entry *entry, struct err *err)
{
	struct left_walk *walk = ctx;

	(void)err;
	if (*entry->path && worker_leaves(entry->path,
	    walk->worker->git) &&
	    !has_step(entry->path))
		add_name(&walk->left->inside, &walk->left->n_inside,
		    entry->path);
	return 0;
}

/*
 * Two walks that enter next to nothing.  Unlike the copy they look at what is
 * passed over, where a socket or an absolute link is no fault of the worker's
 * and only ends the listing.
 */
int
worker_look_left(struct run *run, const struct conf_worker *worker,
    struct worker_left *left, struct err *err)
{
	static const char *const first[] = { "*/*", NULL };
	static const char *const second[] = { "*/*/*", NULL };
	struct left_walk walk = { .worker = worker, .left = left };
	struct tree_rules beside = { .exclude = first };
	struct tree_rules inside = { .exclude = second, .top = worker->trees };
	struct host *from;
	int rc;

	*left = (struct worker_left){ 0 };
	buf_init(&left->beside, 256 * 1024);
	buf_init(&left->inside, 256 * 1024);
	buf_init(&left->unknown, 8 * 1024);
	rc = run_host(run, worker->from_host, &from, err);
	if (rc == 0)
		rc = host_walk(from, worker->from_path, &beside, look_beside,
		    &walk, err);
	if (rc == 0)
		rc = host_walk(from, worker->from_path, &inside, look_inside,
		    &walk, err);
	if (rc != 0 && err->kind == ERR_DATA) {
		str_printable(&left->unknown, err->text, strlen(err->text));
		err_clear(err);
		rc = 0;
	}
	if (rc != 0)
		worker_left_clear(left);
	return rc;
}

void
worker_left_clear(struct worker_left *left)
{
	buf_clear(&left->beside);
	buf_clear(&left->inside);
	buf_clear(&left->unknown);
}
