#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/endpoint.h"
#include "flow/plan.h"
#include "flow/restore.h"
#include "flow/restore_ids.h"
#include "flow/run.h"
#include "flow/upgrade.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_since.h"
#include "io/fs.h"
#include "io/journal.h"

/* The nested job, beside the journal of the upgrade. */
#define NESTED "restore"
/* Of which database the nested job is: when that was made. */
#define OF "restore.database"

/* The step at work; its nested job. */
struct restoring {
	struct upgrade up;
	char *state_dir;
	char *job;
	char *made;		/* when the database was, or "" */
	bool there;		/* the job is, and is of that database */
};

static void
restoring_clear(struct restoring *r)
{
	free(r->state_dir);
	free(r->job);
	free(r->made);
}

struct wanted {
	const char *step;
	char *begun_at;
};

static int
take_begun(void *ctx, const struct journal_step *step, struct err *err)
{
	struct wanted *wanted = ctx;

	(void)err;
	if (str_eq(step->name, wanted->step) && !wanted->begun_at)
		wanted->begun_at = mem_strdup(step->begun_at);
	return 0;
}

/*
 * A rollback takes the database away with all that was restored to it, and
 * leaves the nested job, which would find its agents gone.  So that is of the
 * database which was made when its step was begun; of another one it is
 * forgotten.
 */
static int
find_made(struct restoring *r, struct err *err)
{
	char *name = run_key("upgrade", r->up.conf->name,
	    upgrade_database_kind.word);
	struct wanted wanted = { .step = name };
	int rc = journal_steps(r->up.run->journal, take_begun, &wanted, err);

	r->made = wanted.begun_at ? wanted.begun_at : mem_strdup("");
	free(name);
	return rc;
}

static int
restoring_open(struct restoring *r, struct run *run,
    const struct conf_upgrade *conf, struct err *err)
{
	struct fs_meta meta = { .type = FS_NONE };
	char *of = NULL;
	int rc;

	*r = (struct restoring){ .up = { .run = run, .conf = conf } };
	r->state_dir = run_dir(run);
	r->job = mem_printf("%s/" NESTED "/job.conf", r->state_dir);
	rc = find_made(r, err);
	if (rc == 0)
		rc = upgrade_get(&r->up, OF, &of, err);
	if (rc == 0)
		rc = fs_stat(r->job, &meta, err);
	r->there = rc == 0 && meta.type == FS_FILE && of &&
	    str_eq(of, r->made);
	free(of);
	return rc;
}

/* A line a step, as the job itself has no other while this one works. */
static void
show(void *ctx, const struct plan_event *event)
{
	(void)ctx;
	if (event->type == PLAN_EVENT_BEGIN)
		log_detail("restore: %s", event->step);
	else if (event->type == PLAN_EVENT_END && event->acted)
		log_info("restore: %s: %s", event->step,
		    buf_cstr(&event->note->summary));
}

static const struct plan_watch watch = { .event = show };
static const struct plan_watch quiet = { 0 };

/* It is done once what the database holds is counted, too. */
static int
look(struct restoring *r, struct plan_note *note, enum plan_found *found,
    struct err *err)
{
	struct endpoint to = { 0 };
	bool kept = false;
	size_t todo = 0;
	int rc;

	rc = run_endpoint(r->up.run, r->up.conf->to, &to, err);
	if (rc == 0)
		rc = restore_look(r->job, &to, &quiet, &todo, err);
	if (rc == 0)
		rc = upgrade_since_kept(&r->up, &kept, err);
	endpoint_clear(&to);
	if (rc != 0)
		return -1;
	todo += !kept;
	if (todo == 0)
		plan_say(note, '+', "every agent of the backup is there");
	else
		plan_say(note, '+', "restore the agents of the backup: %zu "
		    "steps are left", todo);
	*found = todo == 0 ? PLAN_DONE : PLAN_TODO;
	return 0;
}

static int
restore_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	const struct conf_upgrade *conf = step->subject;
	struct restoring r;
	bool ready = false;
	int rc;

	rc = restoring_open(&r, run, conf, err);
	if (rc == 0)
		rc = upgrade_done(&r.up, &upgrade_sequence_kind, &ready, err);
	if (rc == 0 && ready && r.there) {
		rc = look(&r, note, found, err);
	} else if (rc == 0) {
		*found = ready ? PLAN_TODO : PLAN_WAITS;
		plan_say(note, '+', "restore every agent of the backup to %s; "
		    "a name that no server takes is mapped, and each gets "
		    "its own once its verdict is `same'.  Each gets another "
		    "id: a worker follows by `sanctumctl worker repoint DIR "
		    "NEW_ID'", conf->to->name);
	}
	restoring_clear(&r);
	return rc;
}

/* The job of this database, made or found. */
static int
prepare(struct restoring *r, const struct endpoint *to, struct err *err)
{
	char *backup = upgrade_backup_dir(&r->up), *job = NULL;
	const struct restore_options options = { .state_dir = r->state_dir,
		.name = NESTED, .leave = r->up.conf->leave };
	int rc = 0;

	if (!r->there)
		rc = restore_forget(r->job, err);
	if (rc == 0 && !r->there)
		rc = upgrade_put(&r->up, OF, r->made, err);
	if (rc == 0)
		rc = restore_job(backup, to, &options, &job, err);
	free(job);
	free(backup);
	return rc;
}

static void
say_totals(const struct restore_totals *totals, struct plan_note *note)
{
	struct buf others = BUF_INIT(4096);

	restore_others(totals, &others);
	plan_say(note, '+', "%" PRIu64 " of %" PRIu64 " agents are restored, "
	    "each compared with its bundle and the same; %" PRIu64 " others "
	    "are there%s%s", totals->restored, totals->agents,
	    totals->others, totals->others > 0 ? ": " : "",
	    buf_cstr(&others));
	buf_clear(&others);
}

static int
restore_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct restore_totals totals = { 0 };
	struct endpoint to = { 0 };
	struct restoring r;
	int rc;

	rc = restoring_open(&r, run, step->subject, err);
	if (rc == 0)
		rc = upgrade_break_glass(&r.up, err);
	if (rc == 0)
		rc = run_endpoint(run, r.up.conf->to, &to, err);
	if (rc == 0)
		rc = prepare(&r, &to, err);
	if (rc == 0)
		rc = restore_run(r.job, &to, &watch, &totals, err);
	if (rc == 0)
		rc = upgrade_since_keep(&r.up, err);
	if (rc == 0)
		say_totals(&totals, note);
	restore_totals_clear(&totals);
	endpoint_clear(&to);
	restoring_clear(&r);
	return rc;
}

/* Agents cannot outlive their database, and that goes next. */
static int
restore_step_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	(void)run;
	(void)step;
	(void)err;
	plan_say(note, '-', "what was restored goes with the database; the "
	    "bundles stay");
	return 0;
}

const struct step_kind upgrade_restore_kind = {
	.word = "restore",
	.probe = restore_probe,
	.act = restore_act,
	.undo = restore_step_undo,
};

char *
upgrade_ids_path(const struct run *run)
{
	char *dir = run_dir(run), *job = mem_printf("%s/" NESTED "/job.conf",
	    dir);
	char *path = restore_ids_path(job);

	free(job);
	free(dir);
	return path;
}

/* Whether the job was rolled back: then the old server is what counts. */
static int
is_rolled_back(const struct upgrade *up, bool *out, struct err *err)
{
	char *name = run_key("upgrade", up->conf->name,
	    upgrade_stop_kind.word);
	enum journal_state state;
	int rc = journal_step_state(up->run->journal, name, &state, err);

	*out = rc == 0 && state == JOURNAL_UNDONE;
	free(name);
	return rc;
}

static int
verify_new(struct restoring *r, struct verdict *verdict, struct err *err)
{
	char *backup = upgrade_backup_dir(&r->up);
	struct endpoint to = { 0 };
	int rc;

	rc = run_endpoint(r->up.run, r->up.conf->to, &to, err);
	if (rc == 0)
		rc = restore_verify(r->job, &to, verdict, err);
	if (rc == 0)
		rc = restore_add_without(backup, r->up.conf->leave, verdict,
		    err);
	free(backup);
	endpoint_clear(&to);
	return rc;
}

int
upgrade_verify(struct run *run, const struct conf_upgrade *conf,
    struct verdict *verdict, struct err *err)
{
	struct restoring r;
	bool back = false, begun = false;
	int rc;

	rc = restoring_open(&r, run, conf, err);
	if (rc == 0)
		rc = is_rolled_back(&r.up, &back, err);
	if (rc == 0)
		rc = upgrade_begun(&r.up, &upgrade_restore_kind, &begun, err);
	if (rc == 0 && back)
		rc = upgrade_verify_old(run, conf, verdict, err);
	else if (rc == 0 && begun && r.there)
		rc = verify_new(&r, verdict, err);
	else if (rc == 0)
		verdict_add(verdict, "restore", VERDICT_DIFFERENT, 0, 0,
		    "not restored yet: run `apply' first");
	restoring_clear(&r);
	return rc;
}

int
upgrade_verify_old(struct run *run, const struct conf_upgrade *conf,
    struct verdict *verdict, struct err *err)
{
	struct endpoint from = { 0 };
	struct restoring r;
	char *backup = NULL;
	int rc;

	rc = restoring_open(&r, run, conf, err);
	if (rc == 0)
		rc = run_endpoint(run, conf->from, &from, err);
	if (rc == 0) {
		backup = upgrade_backup_dir(&r.up);
		rc = restore_compare(backup, &from, r.state_dir, true,
		    verdict, err);
		if (rc == 0)
			rc = restore_add_without(backup, conf->leave,
			    verdict, err);
		free(backup);
	}
	endpoint_clear(&from);
	restoring_clear(&r);
	return rc;
}
