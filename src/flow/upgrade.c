#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/upgrade.h"
#include "flow/upgrade_part.h"
#include "io/journal.h"

/* Of the new server, while the old one works, and in its place. */
static const struct step_kind *const before[] = {
	&runtime_account_kind, &runtime_install_kind
};
static const struct step_kind *const behind[] = {
	&runtime_environment_kind, &runtime_schema_kind,
	&runtime_service_kind, &runtime_ready_kind
};

#define N_BEFORE (sizeof(before) / sizeof(*before))
#define N_BEHIND (sizeof(behind) / sizeof(*behind))

static void
add_runtime(struct plan *plan, const struct conf_upgrade *upgrade,
    const struct step_kind *const *kinds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		plan_add(plan, "letta", upgrade->to->name, kinds[i],
		    upgrade->to);
}

/* In this order; the header says what each does. */
void
upgrade_plan(struct plan *plan, const struct conf_upgrade *upgrade)
{
	const bool compose = upgrade->to->runtime == CONF_RUNTIME_COMPOSE;

	plan_add(plan, "upgrade", upgrade->name, &upgrade_look_kind, upgrade);
	/* backup */
	if (!compose)
		add_runtime(plan, upgrade, before, N_BEFORE);
	else
		plan_add(plan, "upgrade", upgrade->name, &upgrade_pull_kind,
		    upgrade);
	/* rehearse */
	plan_add(plan, "upgrade", upgrade->name, &upgrade_stop_kind, upgrade);
	/* dump */
	/* database */
	if (!compose)
		add_runtime(plan, upgrade, behind, N_BEHIND);
	else
		plan_add(plan, "upgrade", upgrade->name,
		    &upgrade_compose_kind, upgrade);
	/* sequence */
	/* restore */
	/* clients */
}

int
upgrade_open(struct upgrade *up, struct run *run, const struct step *step,
    struct err *err)
{
	*up = (struct upgrade){ .run = run, .conf = step->subject };
	return run_host(run, up->conf->from->host, &up->host, err);
}

int
upgrade_get(const struct upgrade *up, const char *word, char **out,
    struct err *err)
{
	char *key = run_key("upgrade", up->conf->name, word);
	int rc;

	*out = NULL;
	rc = journal_get(up->run->journal, key, out, err);
	if (rc == 0 && *out && !**out) {
		free(*out);
		*out = NULL;
	}
	free(key);
	return rc;
}

int
upgrade_put(const struct upgrade *up, const char *word, const char *value,
    struct err *err)
{
	char *key = run_key("upgrade", up->conf->name, word);
	int rc = journal_put(up->run->journal, key, value, err);

	free(key);
	return rc;
}

static int
state_of(const struct upgrade *up, const struct step_kind *kind,
    enum journal_state *state, struct err *err)
{
	char *name = run_key("upgrade", up->conf->name, kind->word);
	int rc = journal_step_state(up->run->journal, name, state, err);

	free(name);
	return rc;
}

int
upgrade_done(const struct upgrade *up, const struct step_kind *kind,
    bool *out, struct err *err)
{
	enum journal_state state;

	*out = false;
	if (state_of(up, kind, &state, err) != 0)
		return -1;
	*out = state == JOURNAL_DONE;
	return 0;
}

int
upgrade_begun(const struct upgrade *up, const struct step_kind *kind,
    bool *out, struct err *err)
{
	enum journal_state state;

	*out = false;
	if (state_of(up, kind, &state, err) != 0)
		return -1;
	*out = state == JOURNAL_BEGUN || state == JOURNAL_DONE;
	return 0;
}

char *
upgrade_backup_dir(const struct upgrade *up)
{
	const char *own = journal_path(up->run->journal);

	if (up->conf->backup)
		return run_local_path(up->conf->backup);
	return mem_printf("%.*s/backup",
	    (int)(strrchr(own, '/') - own), own);
}

int
upgrade_break_glass(const struct upgrade *up, struct err *err)
{
	if (up->run->conf->break_glass)
		return 0;
	return err_set(err, ERR_USAGE, "%s: this drops the database of "
	    "[letta %s] and makes it anew; `plan' shows the statements.  "
	    "Write `break_glass = yes' into [job] if that is meant; nothing "
	    "was changed", up->run->conf->path, up->conf->from->name);
}
