#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/upgrade.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_part.h"
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

void
upgrade_advise(struct run *run, const char *job, struct err *err)
{
	struct err ignored = ERR_INIT, cause = *err;
	char advice[ADVICE_MAX];
	bool stopped = false;
	int room;

	if (upgrade_has_stopped(run, &stopped, &ignored) != 0 || !stopped)
		return;
	(void)snprintf(advice, sizeof(advice), "Nothing of the old server is "
	    "lost: `sanctumctl letta rollback %s' brings it back as it was; "
	    "the same command once more goes on from here", job);
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

int
upgrade_complete(struct run *run, struct err *err)
{
	struct upgrade up;
	char *kept, *dump, *properties;
	int rc;

	if (!of_run(run, &up))
		return err_set(err, ERR_USAGE, "job %s upgrades nothing",
		    run->conf->name);
	if (check_done(run, err) != 0 ||
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
	free(properties);
	free(dump);
	free(kept);
	return rc;
}
