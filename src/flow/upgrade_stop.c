#include "base/base.h"

#include "base/err.h"
#include "core/conf.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_marker.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "flow/upgrade_stop.h"

/* A fact: it is gone, and the census held to the end. */
#define DOWN "down"

static int
stop_open(struct upgrade_stop *stop, struct run *run, const struct step *step,
    struct err *err)
{
	*stop = (struct upgrade_stop){ 0 };
	buf_init(&stop->who, 8 * UPGRADE_STOP_WHO_MAX);
	if (upgrade_open(&stop->up, run, step, err) != 0)
		return -1;
	return upgrade_service_find(&stop->service, &stop->up, err);
}

static void
stop_close(struct upgrade_stop *stop)
{
	upgrade_service_clear(&stop->service);
	postgres_close(stop->pg);
	buf_clear(&stop->who);
}

/* What its manager says may be some time old. */
int
upgrade_stop_look(struct upgrade_stop *stop, struct err *err)
{
	upgrade_service_clear(&stop->service);
	return upgrade_service_find(&stop->service, &stop->up, err);
}

/* Whether the new server's service, which may have its name, is in place. */
static int
is_replaced(const struct upgrade *up, bool *out, struct err *err)
{
	const struct runtime rt = { .run = up->run, .letta = up->conf->to,
	    .host = up->host };

	if (up->conf->to->runtime == CONF_RUNTIME_COMPOSE)
		return upgrade_begun(up, &upgrade_compose_kind, out, err);
	return runtime_begun(&rt, runtime_service_kind.word, out, err);
}

static int
is_down(const struct upgrade *up, bool *out, struct err *err)
{
	char *down = NULL;
	int rc = upgrade_get(up, DOWN, &down, err);

	*out = down != NULL;
	free(down);
	return rc;
}

/*
 * One that is off: whether nobody has written meanwhile, whoever may have had
 * it run for that.  What comes after the old database cannot tell.
 */
static int
is_last(struct upgrade_stop *stop, bool *out, struct err *err)
{
	if (postgres_open(&stop->pg, stop->up.run, stop->up.conf->from, err)
	    != 0 || upgrade_is_rebuilt(&stop->up, stop->pg, out, err) != 0)
		return -1;
	return *out ? 0 : upgrade_stop_holds(stop, out, err);
}

static int
stop_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_upgrade *conf = step->subject;
	struct upgrade_stop stop;
	bool down = false, last = false;
	int rc;

	*found = PLAN_TODO;
	plan_say(note, '~', "stop the old server, if nobody has written to "
	    "it since the backup%s", run->conf->break_glass ? "" : "; needs "
	    "`break_glass = yes' in [job]");
	rc = stop_open(&stop, run, step, err);
	if (rc == 0)
		rc = is_down(&stop.up, &down, err);
	if (rc == 0 && down)
		rc = is_replaced(&stop.up, &last, err);
	if (rc == 0 && down && !last && !stop.service.active)
		rc = is_last(&stop, &last, err);
	if (rc == 0 && last) {
		*found = PLAN_DONE;
		plan_say(note, '~', "%s %s is stopped",
		    upgrade_service_word(&stop.service), stop.service.name);
	} else if (rc == 0) {
		buf_printf(&note->diff, "    %s %s on %s\n",
		    upgrade_service_word(&stop.service), stop.service.name,
		    conf->from->host->name);
		if (stop.who.len > 0)
			buf_printf(&note->diff, "    written to since it was "
			    "stopped, and backed up again: %s\n",
			    buf_cstr(&stop.who));
	}
	stop_close(&stop);
	return rc;
}

/*
 * One that somebody has started since: as long as the old database has its
 * name, what was written to it is to be backed up, and copied, too.
 */
static int
stop_again(struct upgrade_stop *stop, struct err *err)
{
	bool rebuilt;

	if (upgrade_is_rebuilt(&stop->up, stop->pg, &rebuilt, err) != 0)
		return -1;
	if (rebuilt)
		return upgrade_stop_off(stop, err);
	if (upgrade_dump_forget(&stop->up, err) != 0 ||
	    upgrade_put(&stop->up, DOWN, "", err) != 0 ||
	    upgrade_stop_quietly(stop, err) != 0)
		return -1;
	return upgrade_put(&stop->up, DOWN, "yes", err);
}

/* Nothing is under way while the old server runs as before. */
static int
leave_marker(const struct upgrade_stop *stop, struct err *err)
{
	struct err first = *err;
	char *was = NULL;
	int rc = upgrade_get(&stop->up, UPGRADE_STOP_WAS, &was, err);

	if (rc == 0 && !was)
		rc = upgrade_marker_remove(&stop->up, err);
	free(was);
	if (rc != 0)
		return err_ctx(err, "%s; and then", first.text);
	*err = first;
	return -1;
}

static int
stop_or_again(struct upgrade_stop *stop, struct err *err)
{
	bool down = false;

	if (upgrade_marker_put(&stop->up, stop->pg, err) != 0 ||
	    is_down(&stop->up, &down, err) != 0)
		return -1;
	if (down)
		return stop_again(stop, err);
	if (upgrade_stop_quietly(stop, err) != 0)
		return leave_marker(stop, err);
	return upgrade_put(&stop->up, DOWN, "yes", err);
}

static int
stop_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct upgrade_stop stop;
	int rc;

	rc = stop_open(&stop, run, step, err);
	if (rc == 0)
		rc = upgrade_break_glass(&stop.up, err);
	if (rc == 0)
		rc = postgres_open(&stop.pg, run, stop.up.conf->from, err);
	if (rc == 0)
		rc = stop_or_again(&stop, err);
	if (rc == 0)
		plan_say(note, '~', "%s %s; nothing was written to its "
		    "database since the backup",
		    upgrade_service_word(&stop.service), stop.service.name);
	stop_close(&stop);
	return rc;
}

/* The last of a rollback. */
static int
stop_undo(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct upgrade_stop stop;
	char *was = NULL, *version = NULL;
	int rc;

	rc = stop_open(&stop, run, step, err);
	if (rc == 0)
		rc = upgrade_get(&stop.up, UPGRADE_STOP_WAS, &was, err);
	if (rc == 0 && !was)
		plan_say(note, '-', "the old server was not stopped");
	if (rc == 0 && was)
		rc = upgrade_put(&stop.up, DOWN, "", err);
	if (rc == 0 && was)
		rc = upgrade_stop_on(&stop, err);
	/* The end of the way back, or of nothing that was begun. */
	if (rc == 0)
		rc = upgrade_marker_remove(&stop.up, err);
	if (rc == 0 && was)
		rc = upgrade_get(&stop.up, "old", &version, err);
	if (rc == 0 && was)
		plan_say(note, '-', "%s %s runs, Letta %s answers",
		    upgrade_service_word(&stop.service), stop.service.name,
		    version ? version : "");
	free(version);
	free(was);
	stop_close(&stop);
	return rc;
}

const struct step_kind upgrade_stop_kind = {
	.word = "stop",
	.probe = stop_probe,
	.act = stop_act,
	.undo = stop_undo,
};
