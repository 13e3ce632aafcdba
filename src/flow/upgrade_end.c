#include "base/base.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/verdict.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/upgrade.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_marker.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_since.h"
#include "io/host.h"
#include "io/journal.h"

#define COMPLETED "completed"	/* as switch_refuse_completed asks for it */
#define ADVICE_MAX 320

/* The one of the run; its host is not asked for. */
static bool
of_run(struct run *run, struct upgrade *up)
{
	*up = (struct upgrade){ .run = run, .conf = run->conf->upgrades };
	return run->conf->n_upgrades > 0;
}

int
upgrade_stays(struct run *run, char **backup, char **dump, struct err *err)
{
	struct upgrade up;
	struct fs_meta meta;
	char *path;

	*backup = *dump = NULL;
	if (!of_run(run, &up))
		return err_set(err, ERR_USAGE, "job %s upgrades nothing",
		    run->conf->name);
	path = upgrade_dump_path(&up);
	if (run_host(run, up.conf->from->host, &up.host, err) != 0 ||
	    host_stat(up.host, path, &meta, err) != 0) {
		free(path);
		return -1;
	}
	*backup = upgrade_backup_dir(&up);
	*dump = meta.type == FS_FILE ? mem_printf("%s:%s",
	    host_name(up.host), path) : mem_strdup("");
	free(path);
	return 0;
}

int
upgrade_rebuilt(struct run *run, bool *out, struct err *err)
{
	struct upgrade up;

	*out = true;
	return of_run(run, &up) ? upgrade_done(&up, &upgrade_database_kind,
	    out, err) : 0;
}

/* Whether the job has a fact of that word. */
static int
has_fact(struct run *run, const char *word, bool *out, struct err *err)
{
	struct upgrade up;
	char *value = NULL;
	int rc = 0;

	if (of_run(run, &up))
		rc = upgrade_get(&up, word, &value, err);
	*out = value != NULL;
	free(value);
	return rc;
}

int
upgrade_has_stopped(struct run *run, bool *out, struct err *err)
{
	return has_fact(run, UPGRADE_STOP_WAS, out, err);
}

int
upgrade_was_stopped(struct run *run, bool *out, struct err *err)
{
	return has_fact(run, UPGRADE_STOP_CENSUS, out, err);
}

static int
is_completed(struct run *run, bool *out, struct err *err)
{
	char *text = NULL;

	if (journal_get(run->journal, COMPLETED, &text, err) != 0)
		return -1;
	*out = text != NULL;
	free(text);
	return 0;
}

/* What the journal alone knows; *needs: the way back may need the dump. */
static int
back_by_journal(const struct upgrade *up, enum upgrade_back *out, bool *needs,
    struct err *err)
{
	bool completed, kept;
	uint64_t was;

	if (is_completed(up->run, &completed, err) != 0 ||
	    upgrade_since_kept(up, &kept, err) != 0 ||
	    upgrade_oid(up, "database.was", &was, err) != 0)
		return -1;
	*out = completed ? UPGRADE_BACK_NONE :
	    kept ? UPGRADE_BACK_DROPS : UPGRADE_BACK_WHOLE;
	*needs = was != 0 && !completed;
	return 0;
}

/* Its file is not there: as long as nobody can say more, that counts. */
static int
without_dump(const struct upgrade *up, enum upgrade_back *out,
    struct err *err)
{
	const enum upgrade_back otherwise = *out;
	bool needs;

	*out = UPGRADE_BACK_GONE;
	if (upgrade_needs_copy(up, &needs, err) != 0)
		return -1;
	if (!needs)
		*out = otherwise;
	return 0;
}

int
upgrade_back(struct run *run, enum upgrade_back *out, struct err *err)
{
	struct fs_meta meta = { .type = FS_NONE };
	struct upgrade up;
	bool needs;
	char *path;
	int rc;

	*out = UPGRADE_BACK_NONE;
	if (!of_run(run, &up))
		return 0;
	if (back_by_journal(&up, out, &needs, err) != 0 ||
	    run_host(run, up.conf->from->host, &up.host, err) != 0)
		return -1;
	path = upgrade_dump_path(&up);
	rc = needs ? host_stat(up.host, path, &meta, err) : 0;
	if (rc == 0 && needs && meta.type != FS_FILE)
		rc = without_dump(&up, out, err);
	free(path);
	return rc;
}

static void
advise(enum upgrade_back back, const char *job, char advice[ADVICE_MAX])
{
	if (back == UPGRADE_BACK_GONE)
		(void)snprintf(advice, ADVICE_MAX, "The safety copy is gone, "
		    "so nothing leads back to the old server; the same "
		    "command once more goes on from here");
	else if (back == UPGRADE_BACK_DROPS)
		(void)snprintf(advice, ADVICE_MAX, "`sanctumctl letta "
		    "rollback %s' brings the old server back as it was, and "
		    "drops what was written to the new one since its restore; "
		    "the same command once more goes on from here", job);
	else
		(void)snprintf(advice, ADVICE_MAX, "Nothing of the old "
		    "server is lost: `sanctumctl letta rollback %s' brings "
		    "it back as it was; the same command once more goes on "
		    "from here", job);
}

/* A host that is away says nothing of the dump. */
void
upgrade_advise(struct run *run, const char *job, struct err *err)
{
	struct err ignored = ERR_INIT, cause = *err;
	char advice[ADVICE_MAX];
	enum upgrade_back back;
	bool stopped = false;
	int room;

	if (upgrade_has_stopped(run, &stopped, &ignored) != 0 || !stopped)
		return;
	if (upgrade_back(run, &back, &ignored) != 0)
		err_clear(&ignored);
	if (back == UPGRADE_BACK_NONE)
		return;
	advise(back, job, advice);
	room = ERR_TEXT_MAX - (int)strlen(advice) - 4;
	(void)err_set(err, cause.kind, "%.*s.  %s", room, cause.text, advice);
	err->transient = cause.transient;
}

/* A job that is half way needs its way back. */
static int
check_done(struct run *run, struct err *err)
{
	struct plan plan = { 0 };
	enum journal_state state;
	int rc = 0;

	upgrade_plan(&plan, run->conf->upgrades);
	for (size_t i = 0; rc == 0 && i < plan.n_steps; i++) {
		rc = journal_step_state(run->journal, plan.steps[i].name,
		    &state, err);
		if (rc == 0 && state != JOURNAL_DONE)
			rc = err_set(err, ERR_STALE, "step %s is not done: "
			    "run `apply' first; nothing was removed",
			    plan.steps[i].name);
	}
	plan_clear(&plan);
	return rc;
}

/* The server was the same once, or the job would not be at its end. */
static void
warn_different(const struct upgrade *up, const struct verdict *verdict)
{
	const struct verdict_check *check;

	for (size_t i = 0; i < verdict->n_checks; i++) {
		check = &verdict->checks[i];
		if (check->state == VERDICT_DIFFERENT)
			log_warn("%s: differs since the restore, and the "
			    "safety copy goes all the same, as --discard "
			    "says: %s (%s)", up->conf->to->name, check->name,
			    check->reason);
	}
}

static int
refuse_different(const struct verdict *verdict, struct err *err)
{
	const struct verdict_check *check = NULL;

	for (size_t i = 0; !check && i < verdict->n_checks; i++) {
		if (verdict->checks[i].state == VERDICT_DIFFERENT)
			check = &verdict->checks[i];
	}
	return err_set(err, ERR_VERDICT, "the verdict on the new server is "
	    "not `same'%s%s%s%s%s; nothing was removed, `verify' shows every "
	    "check.  If clients have changed that since the restore, "
	    "`complete --discard' rests on the verdict that there was then",
	    check ? ": " : "", check ? check->name : "", check ? " (" : "",
	    check ? check->reason : "", check ? ")" : "");
}

/*
 * What cannot be taken back any more must be what the bundles are, or have
 * been so: of this database, once all of them were restored to it.
 */
static int
check_same(const struct upgrade *up, struct err *err)
{
	struct verdict verdict = { 0 };
	enum verdict_state state;
	bool proven = false;
	int rc;

	rc = upgrade_verify(up->run, up->conf, &verdict, err);
	if (rc == 0 && up->run->discard)
		rc = upgrade_since_kept(up, &proven, err);
	state = verdict_overall(&verdict);
	if (rc == 0 && state == VERDICT_DIFFERENT && proven)
		warn_different(up, &verdict);
	else if (rc == 0 && state != VERDICT_SAME)
		rc = refuse_different(&verdict, err);
	verdict_clear(&verdict);
	return rc;
}

/* Once: an end that was interrupted has been. */
static int
check_proven(const struct upgrade *up, struct err *err)
{
	bool completed;

	if (is_completed(up->run, &completed, err) != 0)
		return -1;
	return completed ? 0 : check_same(up, err);
}

int
upgrade_complete(struct run *run, struct err *err)
{
	struct upgrade up;
	char *kept, *dump, *properties;
	int rc;

	if (!of_run(run, &up))
		return err_set(err, ERR_USAGE, "job %s upgrades nothing",
		    run->conf->name);
	if (check_done(run, err) != 0 || check_proven(&up, err) != 0 ||
	    run_host(run, up.conf->from->host, &up.host, err) != 0 ||
	    journal_put(run->journal, COMPLETED, "yes", err) != 0)
		return -1;
	kept = mem_printf(RUNTIME_ENV ".sanctumctl-%s", run->mark);
	dump = upgrade_dump_path(&up);
	properties = upgrade_properties_path(&up);
	rc = host_remove(up.host, kept, err);
	if (rc == 0)
		rc = host_remove(up.host, properties, err);
	if (rc == 0)
		rc = host_remove(up.host, dump, err);
	if (rc == 0)
		rc = upgrade_marker_remove(&up, err);
	free(properties);
	free(dump);
	free(kept);
	return rc;
}
