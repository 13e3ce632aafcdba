#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/backup.h"
#include "flow/endpoint.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/postgres_census.h"
#include "flow/run.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "flow/upgrade_stop.h"
#include "io/host.h"

#define ROUNDS 3		/* of: backed up, stopped, and written to */
#define CENSUS_MAX (8 * 1024 * 1024)

static int
census(struct upgrade_stop *stop, struct buf *out, struct err *err)
{
	buf_clear(out);
	if (postgres_census(stop->pg, NULL, out, err) != 0)
		return -1;
	return buf_check(out, "the census of the database", err);
}

/* Who has written; what may stay behind and is in no bundle does not count. */
static int
note_change(void *ctx, const struct backup_change *change, struct err *err)
{
	struct upgrade_stop *stop = ctx;
	const char *leave = stop->up.conf->leave;
	struct buf *who = &stop->who;

	(void)err;
	if (who->len > UPGRADE_STOP_WHO_MAX || (!change->bundled && leave &&
	    str_has_word(leave, change->id)))
		return 0;
	if (who->len > 0)
		buf_str(who, "; ");
	buf_printf(who, "agent %s", change->id);
	if (change->name) {
		buf_str(who, " (");
		str_printable(who, change->name, strlen(change->name));
		buf_char(who, ')');
	}
	buf_str(who, ": ");
	str_printable(who, change->what, strlen(change->what));
	return 0;
}

/* Whether the bundles are what the server holds; who: what is not. */
static int
holds_backup(struct upgrade_stop *stop, bool *out, struct err *err)
{
	char *dir = upgrade_backup_dir(&stop->up);
	const struct backup_census rows = { upgrade_rows, stop->pg };
	struct endpoint at = { 0 };
	int rc;

	buf_clear(&stop->who);
	rc = run_endpoint(stop->up.run, stop->up.conf->from, &at, err);
	if (rc == 0)
		rc = backup_changed(&at, dir, &rows, note_change, stop, err);
	*out = rc == 0 && stop->who.len == 0;
	endpoint_clear(&at);
	free(dir);
	return rc;
}

/*
 * It is off: whether its database is as it was by the census of before, and
 * each agent's rows are those of its bundle.  The one sees what was made, the
 * other what was edited and kept its date.
 */
static int
holds_still(struct upgrade_stop *stop, const char *before, bool *out,
    struct err *err)
{
	const struct backup_census rows = { upgrade_rows, stop->pg };
	struct buf now = BUF_INIT(CENSUS_MAX);
	char *dir = upgrade_backup_dir(&stop->up);
	int rc;

	buf_clear(&stop->who);
	rc = census(stop, &now, err);
	if (rc == 0 && postgres_census_moved(before, buf_cstr(&now),
	    &stop->who) == 0)
		rc = backup_rows_changed(dir, &rows, note_change, stop, err);
	*out = rc == 0 && stop->who.len == 0;
	free(dir);
	buf_clear(&now);
	return rc;
}

/* By its own step, which knows what may stay behind. */
static int
back_up_again(const struct upgrade_stop *stop, struct err *err)
{
	char *name = run_key("upgrade", stop->up.conf->name,
	    upgrade_backup_kind.word);
	const struct step step = { .name = name,
	    .kind = &upgrade_backup_kind, .subject = stop->up.conf };
	struct plan_note note = { .glyph = '+' };
	int rc;

	buf_init(&note.summary, 8 * UPGRADE_STOP_WHO_MAX);
	buf_init(&note.diff, CENSUS_MAX);
	rc = upgrade_backup_kind.act(stop->up.run, &step, &note, err);
	buf_clear(&note.diff);
	buf_clear(&note.summary);
	free(name);
	return rc;
}

/*
 * One round: a census, the bundles are what is there, off, and both are so
 * still.  What is written in between is seen by the one or the other.
 * *quiet is false when somebody has written, who says so.
 */
static int
try_round(struct upgrade_stop *stop, bool *quiet, struct err *err)
{
	struct buf before = BUF_INIT(CENSUS_MAX);
	int rc;

	*quiet = false;
	rc = census(stop, &before, err);
	if (rc == 0)
		rc = holds_backup(stop, quiet, err);
	if (rc == 0 && *quiet) {
		rc = upgrade_put(&stop->up, UPGRADE_STOP_CENSUS,
		    buf_cstr(&before), err);
		if (rc == 0)
			rc = upgrade_stop_note(stop, err);
		if (rc == 0)
			rc = upgrade_stop_off(stop, err);
		*quiet = false;
		if (rc == 0)
			rc = holds_still(stop, buf_cstr(&before), quiet, err);
	}
	buf_clear(&before);
	return rc;
}

int
upgrade_stop_holds(struct upgrade_stop *stop, bool *out, struct err *err)
{
	char *before = NULL;
	int rc = upgrade_get(&stop->up, UPGRADE_STOP_CENSUS, &before, err);

	*out = false;
	if (rc == 0 && before)
		rc = holds_still(stop, before, out, err);
	free(before);
	return rc;
}

/* A run that was killed has stopped it: the census of then still counts. */
static int
was_quiet(struct upgrade_stop *stop, bool *quiet, struct err *err)
{
	*quiet = false;
	if (upgrade_stop_off_again(stop, err) != 0)
		return -1;
	return upgrade_stop_holds(stop, quiet, err);
}

static int
refuse_writers(const struct upgrade_stop *stop, struct err *err)
{
	return err_set(err, ERR_AGAIN, "%s: somebody writes to the old server "
	    "again and again, so no backup of it is its last state: %s.  "
	    "The server runs as before.  Stop these clients (workers that "
	    "name these agents, people at work), then run the same command "
	    "again", host_name(stop->up.host), buf_cstr(&stop->who));
}

/* Until nobody has written between backup and stop. */
int
upgrade_stop_quietly(struct upgrade_stop *stop, struct err *err)
{
	bool quiet = false;
	char *was = NULL;
	int rc;

	rc = upgrade_get(&stop->up, UPGRADE_STOP_WAS, &was, err);
	if (rc == 0 && was && !stop->service.active)
		rc = was_quiet(stop, &quiet, err);
	for (int i = 0; rc == 0 && !quiet && i < ROUNDS; i++) {
		if (i > 0 || (was && !stop->service.active)) {
			log_warn("written to since the backup, which is made "
			    "again: %s", buf_cstr(&stop->who));
			if (upgrade_stop_on(stop, err) != 0 ||
			    back_up_again(stop, err) != 0) {
				rc = -1;
				break;
			}
		}
		rc = upgrade_stop_look(stop, err);
		if (rc == 0)
			rc = try_round(stop, &quiet, err);
	}
	free(was);
	if (rc == 0 && !quiet && upgrade_stop_on(stop, err) != 0)
		rc = -1;
	else if (rc == 0 && !quiet)
		rc = refuse_writers(stop, err);
	return rc;
}
