#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/pg_uri.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/run.h"
#include "flow/upgrade.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_others.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_rebuild.h"
#include "flow/upgrade_stop.h"
#include "flow/upgrade_unlisted.h"

#define TEXT_MAX (16 * 1024 * 1024)
#define WORDS_MAX 2048

static int
parse(const struct upgrade_rebuild *r, const struct conf_letta *letta,
    struct pg_uri *out, struct err *err)
{
	const struct secret *given = run_secret(r->up.run, &letta->database);

	if (!given)
		return err_set(err, ERR_USAGE, "`database' of [letta %s] was "
		    "not fetched", letta->name);
	if (pg_uri_parse(secret_bytes(given), secret_len(given), out, err) ==
	    0)
		return 0;
	return err_ctx(err, "`database' of [letta %s]", letta->name);
}

/* What is rebuilt is what the new server uses, whatever each section says. */
static int
check_meant(const struct upgrade_rebuild *r, struct err *err)
{
	const struct conf_letta *from = r->up.conf->from;
	const struct conf_letta *to = r->up.conf->to;
	struct pg_uri a = { 0 }, b = { 0 };
	int rc;

	if (!from->database.ref || !to->database.ref)
		return 0;
	rc = parse(r, from, &a, err);
	if (rc == 0)
		rc = parse(r, to, &b, err);
	if (rc == 0 && !pg_uri_is_same(&a, &b))
		rc = err_set(err, ERR_USAGE, "`database' of [letta %s] is "
		    "another one than that of [letta %s], which would be "
		    "rebuilt and not used; leave it out; nothing was changed",
		    to->name, from->name);
	pg_uri_clear(&b);
	pg_uri_clear(&a);
	return rc;
}

static int
database_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	char *proven = NULL;
	struct upgrade_rebuild r;
	int rc;

	*found = PLAN_TODO;
	rc = upgrade_rebuild_open(&r, run, step, err);
	if (rc == 0)
		rc = check_meant(&r, err);
	if (rc == 0)
		rc = upgrade_get(&r.up, "database.proven", &proven, err);
	if (rc == 0 && proven && r.made != 0 && r.now == r.made) {
		*found = PLAN_DONE;
		plan_say(note, '~', "%s is the new one", postgres_where(r.pg));
	} else if (rc == 0) {
		plan_say(note, '~', "%s is dropped and made anew, with the "
		    "extension vector", postgres_where(r.pg));
		rc = upgrade_rebuild_say(&r, note, err);
	}
	free(proven);
	upgrade_rebuild_close(&r);
	return rc;
}

/* Nobody has written to it since: a rollback could not bring that back. */
static int
check_unchanged(const struct upgrade_rebuild *r, const char *db,
    struct err *err)
{
	struct buf moved = BUF_INIT(WORDS_MAX);
	int rc = upgrade_dump_moved(&r->up, r->pg, db, &moved, err);

	if (rc == 0 && moved.len > 0)
		rc = err_set(err, ERR_STALE, "%s: has changed since its "
		    "safety copy was made: %s; nothing was dropped.  Stop "
		    "whoever writes to it, then run the same command again, "
		    "which backs up and copies it anew",
		    postgres_where(r->pg), buf_cstr(&moved));
	buf_clear(&moved);
	return rc;
}

/*
 * Nor since `stop', to any agent that comes back from its bundle alone; asked
 * again, since the copy has taken its time, and its census sees no row that
 * was edited where it is.
 */
static int
check_backup(const struct upgrade_rebuild *r, struct err *err)
{
	struct upgrade_stop stop = { .up = r->up, .pg = r->pg };
	bool stopped = false, holds = true;
	int rc;

	buf_init(&stop.who, 8 * UPGRADE_STOP_WHO_MAX);
	rc = upgrade_was_stopped(r->up.run, &stopped, err);
	if (rc == 0 && stopped)
		rc = upgrade_stop_holds(&stop, &holds, err);
	if (rc == 0 && !holds)
		rc = err_set(err, ERR_AGAIN, "%s: has changed since the old "
		    "server was stopped, and its backup does not have that: "
		    "%s; nothing was dropped.  Stop whoever writes to it, "
		    "then run the same command again, which backs up and "
		    "copies it anew", postgres_where(r->pg),
		    buf_cstr(&stop.who));
	buf_clear(&stop.who);
	return rc;
}

/* What is asked before anything is made or dropped. */
static int
prepare(struct upgrade_rebuild *r, struct err *err)
{
	int rc;

	rc = postgres_check_rights(r->pg, err);
	if (rc == 0)
		rc = check_unchanged(r, NULL, err);
	if (rc == 0)
		rc = check_backup(r, err);
	if (rc == 0)
		rc = upgrade_unlisted_check_backup(&r->up, r->pg, err);
	if (rc == 0)
		rc = upgrade_others_keep(&r->up, r->pg, err);
	if (rc == 0)
		rc = upgrade_rebuild_keep(r, err);
	if (rc == 0 && r->was == 0) {
		rc = upgrade_put_oid(&r->up, "database.was", r->now, err);
		r->was = r->now;
	}
	return rc;
}

/* Under a name that no client knows: what it holds now, it held last. */
static int
last_look(const struct upgrade_rebuild *r, const char *old, struct err *err)
{
	struct err second = ERR_INIT;

	if (check_unchanged(r, old, err) == 0)
		return 0;
	if (postgres_rename(r->pg, old, postgres_database(r->pg), &second) ==
	    0)
		return -1;
	return err_ctx(err, "(and %s could not have its name again, which "
	    "`rollback' gives it: %.200s)", old, second.text);
}

/* A kill between leaves no database of that name, and the next run goes on. */
static int
take_place(const struct upgrade_rebuild *r, const char *made, struct err *err)
{
	char *old = upgrade_aside(&r->up, UPGRADE_OLD);
	uint64_t aside = 0;
	int rc = 0;

	if (r->now != 0)
		rc = postgres_rename(r->pg, postgres_database(r->pg), old,
		    err);
	fault_point("database_aside");
	if (rc == 0)
		rc = postgres_oid(r->pg, old, &aside, err);
	if (rc == 0 && aside != 0 && aside == r->was)
		rc = last_look(r, old, err);
	if (rc == 0)
		rc = postgres_rename(r->pg, made, postgres_database(r->pg),
		    err);
	fault_point("database_placed");
	free(old);
	return rc;
}

static int
drop_old(const struct upgrade_rebuild *r, struct err *err)
{
	char *old = upgrade_aside(&r->up, UPGRADE_OLD);
	uint64_t aside = 0;
	int rc = postgres_oid(r->pg, old, &aside, err);

	if (rc == 0 && aside != 0)
		rc = postgres_scratch_drop(r->pg, old, err);
	free(old);
	return rc;
}

/* Whatever was done before a kill, go on from there. */
static int
rebuild(struct upgrade_rebuild *r, struct err *err)
{
	char *name = upgrade_aside(&r->up, UPGRADE_NEW);
	uint64_t aside = 0;
	int rc = 0;

	if (r->now != 0 && r->was != 0 && r->now != r->was) {
		rc = upgrade_rebuild_stranger(r, err);
	} else if (r->now != 0) {
		rc = upgrade_dump_is_whole(&r->up, r->pg, err);
		if (rc == 0)
			rc = prepare(r, err);
	} else if (r->was == 0) {
		rc = err_set(err, ERR_MISSING, "%s: is not there",
		    postgres_where(r->pg));
	}
	if (rc == 0)
		rc = postgres_oid(r->pg, name, &aside, err);
	if (rc == 0 && (aside == 0 || aside != r->made))
		rc = upgrade_rebuild_aside(r, name, "database.made", &r->made,
		    err);
	if (rc == 0)
		rc = take_place(r, name, err);
	free(name);
	return rc;
}

static int
database_act(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct buf words = BUF_INIT(TEXT_MAX);
	struct upgrade_rebuild r;
	bool dumped = false;
	int rc;

	rc = upgrade_rebuild_open(&r, run, step, err);
	if (rc == 0)
		rc = upgrade_break_glass(&r.up, err);
	if (rc == 0)
		rc = upgrade_done(&r.up, &upgrade_dump_kind, &dumped, err);
	if (rc == 0 && !dumped)
		rc = err_set(err, ERR_STALE, "%s: there is no safety copy of "
		    "it; nothing was dropped", postgres_where(r.pg));
	if (rc == 0 && (r.made == 0 || r.now != r.made))
		rc = rebuild(&r, err);
	if (rc == 0)
		rc = drop_old(&r, err);
	if (rc == 0)
		rc = upgrade_others_compare(&r.up, r.pg, &words, err);
	if (rc == 0)
		rc = upgrade_put(&r.up, "database.proven", "yes", err);
	if (rc == 0)
		plan_say(note, '~', "%s was dropped and made anew; %s",
		    postgres_where(r.pg), buf_cstr(&words));
	buf_clear(&words);
	upgrade_rebuild_close(&r);
	return rc;
}

const struct step_kind upgrade_database_kind = {
	.word = "database",
	.probe = database_probe,
	.act = database_act,
	.undo = upgrade_database_undo,
};
