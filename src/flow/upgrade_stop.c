#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/backup.h"
#include "flow/endpoint.h"
#include "flow/plan.h"
#include "flow/port_owner.h"
#include "flow/postgres.h"
#include "flow/postgres_census.h"
#include "flow/run.h"
#include "flow/runtime.h"
#include "flow/runtime_part.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_service.h"
#include "io/host.h"

#define ROUNDS 3		/* of: backed up, stopped, and written to */
#define GONE_MS 90000
#define UP_MS (UINT64_C(4) * 60 * 1000)
#define DEAD_MS 20000
#define PAUSE_MS 300
#define LOOK_EACH 10		/* pauses between two questions to a manager */
#define CENSUS_MAX (8 * 1024 * 1024)
#define WHO_MAX 600

/* A fact: it is gone, and the census held to the end. */
#define DOWN "down"

struct stop {
	struct upgrade up;
	struct upgrade_service service;
	struct postgres *pg;
	struct buf who;		/* that has written, as words */
};

static int
stop_open(struct stop *stop, struct run *run, const struct step *step,
    struct err *err)
{
	*stop = (struct stop){ 0 };
	buf_init(&stop->who, 8 * WHO_MAX);
	if (upgrade_open(&stop->up, run, step, err) != 0)
		return -1;
	return upgrade_service_find(&stop->service, &stop->up, err);
}

static void
stop_close(struct stop *stop)
{
	upgrade_service_clear(&stop->service);
	postgres_close(stop->pg);
	buf_clear(&stop->who);
}

/* What its manager says may be some time old. */
static int
look_again(struct stop *stop, struct err *err)
{
	upgrade_service_clear(&stop->service);
	return upgrade_service_find(&stop->service, &stop->up, err);
}

static int
census(struct stop *stop, struct buf *out, struct err *err)
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
	struct stop *stop = ctx;
	const char *leave = stop->up.conf->leave;
	struct buf *who = &stop->who;

	(void)err;
	if (who->len > WHO_MAX || (!change->bundled && leave &&
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
holds_backup(struct stop *stop, bool *out, struct err *err)
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
holds_still(struct stop *stop, const char *before, bool *out, struct err *err)
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
back_up_again(const struct stop *stop, struct err *err)
{
	char *name = run_key("upgrade", stop->up.conf->name,
	    upgrade_backup_kind.word);
	const struct step step = { .name = name,
	    .kind = &upgrade_backup_kind, .subject = stop->up.conf };
	struct plan_note note = { .glyph = '+' };
	int rc;

	buf_init(&note.summary, 8 * WHO_MAX);
	buf_init(&note.diff, CENSUS_MAX);
	rc = upgrade_backup_kind.act(stop->up.run, &step, &note, err);
	buf_clear(&note.diff);
	buf_clear(&note.summary);
	free(name);
	return rc;
}

/* Gone is what listens nowhere and is no process any more. */
static int
await_gone(const struct stop *stop, const struct port_owner *was,
    struct err *err)
{
	const uint64_t end_ms = clock_ms() + GONE_MS;
	const unsigned int port = stop->up.conf->from->port;
	struct port_owner now;
	bool there;

	for (;;) {
		there = false;
		if (was->pid != 0 && host_signal(stop->up.host, was->pid,
		    was->start, 0, &there, err) != 0)
			return -1;
		if (port_owner_find(stop->up.host, port, &now, err) != 0)
			return -1;
		if (!there && !now.listens)
			return 0;
		if (clock_left_ms(end_ms) == 0)
			return err_set(err, ERR_FAILED, "%s: %s was told to "
			    "stop %s, and %d seconds later process %ld %s",
			    host_name(stop->up.host),
			    upgrade_service_word(&stop->service),
			    stop->service.name, GONE_MS / 1000, there ?
			    (long)was->pid : (long)now.pid, there ?
			    "lives" : "listens on its port");
		if (stop_check(err) != 0)
			return -1;
		clock_sleep_ms(PAUSE_MS);
	}
}

static int
turn_off(struct stop *stop, struct err *err)
{
	struct port_owner owner;

	if (port_owner_find(stop->up.host, stop->up.conf->from->port, &owner,
	    err) != 0 || upgrade_service_off(&stop->service, err) != 0)
		return -1;
	return await_gone(stop, &owner, err);
}

/* What it was is written before it is told, and not over what is there. */
static int
note_was(const struct stop *stop, struct err *err)
{
	char *was = NULL;
	int rc = upgrade_get(&stop->up, UPGRADE_STOP_WAS, &was, err);

	if (rc == 0 && !was)
		rc = upgrade_put(&stop->up, UPGRADE_STOP_WAS,
		    stop->service.enabled ? "enabled" : "plain", err);
	free(was);
	return rc;
}

/* Its last words, when it does not come back. */
static int
fail_words(const struct stop *stop, const char *what, struct err *err)
{
	char *words = upgrade_service_words(&stop->service);

	(void)err_set(err, ERR_FAILED, "%s: %s %s of the old server %s%s%s; "
	    "look at its log, then run the same command again",
	    host_name(stop->up.host), upgrade_service_word(&stop->service),
	    stop->service.name, what, *words ? "; it said: " : "", words);
	free(words);
	return -1;
}

static int
await_old(struct stop *stop, const char *version, struct err *err)
{
	const struct runtime rt = { .run = stop->up.run,
	    .letta = stop->up.conf->from, .host = stop->up.host };
	const uint64_t end_ms = clock_ms() + UP_MS;
	uint64_t dead_ms = 0;
	char now[RUNTIME_VERSION_SIZE];

	for (unsigned int i = 0;; i++) {
		/* While it starts it may answer anything. */
		if (runtime_version(&rt, now, err) != 0) {
			if (err->kind != ERR_DATA)
				return -1;
			err_clear(err);
		}
		if (*now && str_eq(now, version))
			return 0;
		/* Managers are programs that take their time, too. */
		if (stop_check(err) != 0 ||
		    (i % LOOK_EACH == 0 && look_again(stop, err) != 0))
			return -1;
		if (stop->service.active)
			dead_ms = 0;
		else if (dead_ms == 0)
			dead_ms = clock_ms() + DEAD_MS;
		if (dead_ms != 0 && clock_left_ms(dead_ms) == 0)
			return fail_words(stop, "does not stay up", err);
		if (clock_left_ms(end_ms) == 0)
			return fail_words(stop, "does not answer within 4 "
			    "minutes", err);
		clock_sleep_ms(PAUSE_MS);
	}
}

/* As it was before this job; a version that is not noted was never seen. */
static int
turn_on(struct stop *stop, struct err *err)
{
	char *was = NULL, *version = NULL;
	int rc;

	rc = look_again(stop, err);
	if (rc == 0)
		rc = upgrade_get(&stop->up, UPGRADE_STOP_WAS, &was, err);
	if (rc == 0)
		rc = upgrade_get(&stop->up, "old", &version, err);
	if (rc == 0 && was) {
		rc = upgrade_service_on(&stop->service,
		    str_eq(was, "enabled"), err);
		if (rc == 0)
			rc = await_old(stop, version ? version : "", err);
	}
	if (rc == 0)
		rc = upgrade_put(&stop->up, UPGRADE_STOP_WAS, "", err);
	free(version);
	free(was);
	return rc;
}

/*
 * One round: a census, the bundles are what is there, off, and both are so
 * still.  What is written in between is seen by the one or the other.
 * *quiet is false when somebody has written, who says so.
 */
static int
try_round(struct stop *stop, bool *quiet, struct err *err)
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
			rc = note_was(stop, err);
		if (rc == 0)
			rc = turn_off(stop, err);
		*quiet = false;
		if (rc == 0)
			rc = holds_still(stop, buf_cstr(&before), quiet, err);
	}
	buf_clear(&before);
	return rc;
}

/* A run that was killed has stopped it: the census of then still counts. */
static int
was_quiet(struct stop *stop, bool *quiet, struct err *err)
{
	struct port_owner none = { 0 };
	char *before = NULL;
	int rc;

	*quiet = false;
	rc = upgrade_service_off(&stop->service, err);
	if (rc == 0)
		rc = await_gone(stop, &none, err);
	if (rc == 0)
		rc = upgrade_get(&stop->up, UPGRADE_STOP_CENSUS, &before, err);
	if (rc == 0 && before)
		rc = holds_still(stop, before, quiet, err);
	free(before);
	return rc;
}

static int
refuse_writers(const struct stop *stop, struct err *err)
{
	return err_set(err, ERR_AGAIN, "%s: somebody writes to the old server "
	    "again and again, so no backup of it is its last state: %s.  "
	    "The server runs as before.  Stop these clients (workers that "
	    "name these agents, people at work), then run the same command "
	    "again", host_name(stop->up.host), buf_cstr(&stop->who));
}

/* Until nobody has written between backup and stop. */
static int
stop_quietly(struct stop *stop, struct err *err)
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
			if (turn_on(stop, err) != 0 ||
			    back_up_again(stop, err) != 0) {
				rc = -1;
				break;
			}
		}
		rc = look_again(stop, err);
		if (rc == 0)
			rc = try_round(stop, &quiet, err);
	}
	free(was);
	if (rc == 0 && !quiet && turn_on(stop, err) != 0)
		rc = -1;
	else if (rc == 0 && !quiet)
		rc = refuse_writers(stop, err);
	return rc;
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

static int
stop_probe(struct run *run, const struct step *step, struct plan_note *note,
    enum plan_found *found, struct err *err)
{
	const struct conf_upgrade *conf = step->subject;
	struct stop stop;
	bool down = false, replaced = false;
	int rc;

	*found = PLAN_TODO;
	plan_say(note, '~', "stop the old server, if nobody has written to "
	    "it since the backup%s", run->conf->break_glass ? "" : "; needs "
	    "`break_glass = yes' in [job]");
	rc = stop_open(&stop, run, step, err);
	if (rc == 0)
		rc = is_down(&stop.up, &down, err);
	if (rc == 0 && down)
		rc = is_replaced(&stop.up, &replaced, err);
	if (rc == 0 && down && (replaced || !stop.service.active)) {
		*found = PLAN_DONE;
		plan_say(note, '~', "%s %s is stopped",
		    upgrade_service_word(&stop.service), stop.service.name);
	} else if (rc == 0) {
		buf_printf(&note->diff, "    %s %s on %s\n",
		    upgrade_service_word(&stop.service), stop.service.name,
		    conf->from->host->name);
	}
	stop_close(&stop);
	return rc;
}

/* One that somebody has started since: what it serves is dropped by now? */
static int
stop_again(struct stop *stop, struct err *err)
{
	bool dropped;

	if (upgrade_begun(&stop->up, &upgrade_database_kind, &dropped, err)
	    != 0)
		return -1;
	if (dropped)
		return turn_off(stop, err);
	if (upgrade_put(&stop->up, DOWN, "", err) != 0 ||
	    stop_quietly(stop, err) != 0)
		return -1;
	return upgrade_put(&stop->up, DOWN, "yes", err);
}

static int
stop_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct stop stop;
	bool down = false;
	int rc;

	rc = stop_open(&stop, run, step, err);
	if (rc == 0)
		rc = upgrade_break_glass(&stop.up, err);
	if (rc == 0)
		rc = postgres_open(&stop.pg, run, stop.up.conf->from, err);
	if (rc == 0)
		rc = is_down(&stop.up, &down, err);
	if (rc == 0 && down)
		rc = stop_again(&stop, err);
	else if (rc == 0)
		rc = stop_quietly(&stop, err);
	if (rc == 0 && !down)
		rc = upgrade_put(&stop.up, DOWN, "yes", err);
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
	struct stop stop;
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
		rc = turn_on(&stop, err);
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
