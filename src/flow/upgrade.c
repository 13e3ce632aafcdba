#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/backup.h"
#include "flow/plan.h"
#include "flow/postgres_census.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/upgrade.h"
#include "flow/upgrade_part.h"
#include "io/journal.h"

#define BACKUPS "/var/backups/sanctumctl"
#define BACKUP_DIR "backup.dir"		/* a fact: the day is of its begin */

/* A step of the whole, and one of the new server as of a node's. */
static void
add(struct plan *plan, const struct conf_upgrade *upgrade,
    const struct step_kind *kind)
{
	plan_add(plan, "upgrade", upgrade->name, kind, upgrade);
}

static void
add_new(struct plan *plan, const struct conf_upgrade *upgrade,
    const struct step_kind *kind)
{
	plan_add(plan, "letta", upgrade->to->name, kind, upgrade->to);
}

/* While the old server works. */
static void
add_before(struct plan *plan, const struct conf_upgrade *upgrade)
{
	add(plan, upgrade, &upgrade_look_kind);
	add(plan, upgrade, &upgrade_backup_kind);
	if (upgrade->to->runtime == CONF_RUNTIME_COMPOSE) {
		add(plan, upgrade, &upgrade_pull_kind);
	} else {
		add_new(plan, upgrade, &runtime_account_kind);
		add_new(plan, upgrade, &runtime_install_kind);
	}
	add(plan, upgrade, &upgrade_rehearse_kind);
}

/* The new one, in the place of the old. */
static void
add_server(struct plan *plan, const struct conf_upgrade *upgrade)
{
	if (upgrade->to->runtime == CONF_RUNTIME_COMPOSE) {
		add(plan, upgrade, &upgrade_compose_kind);
		return;
	}
	add_new(plan, upgrade, &runtime_environment_kind);
	add_new(plan, upgrade, &runtime_schema_kind);
	add_new(plan, upgrade, &runtime_service_kind);
	add_new(plan, upgrade, &runtime_ready_kind);
}

/* In this order; the header says what each does. */
void
upgrade_plan(struct plan *plan, const struct conf_upgrade *upgrade)
{
	add_before(plan, upgrade);
	add(plan, upgrade, &upgrade_stop_kind);
	add(plan, upgrade, &upgrade_dump_kind);
	add(plan, upgrade, &upgrade_database_kind);
	add_server(plan, upgrade);
	add(plan, upgrade, &upgrade_sequence_kind);
	add(plan, upgrade, &upgrade_restore_kind);
	add(plan, upgrade, &upgrade_open_kind);
	add(plan, upgrade, &upgrade_clients_kind);
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

/* A backup is for years, and whoever has settled a job removes its state. */
static char *
default_backup_dir(const struct upgrade *up)
{
	const char *base = getenv("XDG_DATA_HOME");
	const char *job = up->run->conf->name;
	char *home = run_local_path("~/.local/share");
	char *day = backup_dir_name(), *dir;

	if (geteuid() == 0)
		dir = mem_printf(BACKUPS "/%s/%s", job, day);
	else
		dir = mem_printf("%s/sanctumctl/backups/%s/%s",
		    base && *base == '/' ? base : home, job, day);
	free(day);
	free(home);
	return dir;
}

/* A journal that cannot be read fails whatever comes next. */
char *
upgrade_backup_dir(const struct upgrade *up)
{
	struct err ignored = ERR_INIT;
	char *noted = NULL;

	if (up->conf->backup)
		return run_local_path(up->conf->backup);
	if (upgrade_get(up, BACKUP_DIR, &noted, &ignored) == 0 && noted)
		return noted;
	return default_backup_dir(up);
}

int
upgrade_backup_note(const struct upgrade *up, const char *dir,
    struct err *err)
{
	return up->conf->backup ? 0 : upgrade_put(up, BACKUP_DIR, dir, err);
}

int
upgrade_rows(void *postgres, struct buf *out, struct err *err)
{
	return postgres_agents(postgres, NULL, out, err);
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
