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
#include "flow/upgrade_database.h"
#include "flow/upgrade_losses.h"
#include "flow/upgrade_others.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_unlisted.h"
#include "io/host.h"

#define TEXT_MAX (16 * 1024 * 1024)
#define WORDS_MAX 2048
#define NEW "new"
#define OLD "old"
#define RESTORED "restore"

/*
 * The new database is made whole beside the old one, and takes its name only
 * then.  The old one gets a name that no client knows, is looked at once more
 * when nobody can write to it any more, and is dropped last: until then the
 * way back is its name.  The rollback restores beside what is there, so a
 * pg_restore that fails leaves that as it is.  Each is told by its oid, since
 * all have the name at some time.
 */
struct rebuild {
	struct upgrade up;
	struct postgres *pg;
	uint64_t was, made, back;	/* facts; 0: none */
	uint64_t now;			/* what has the name; 0: nothing */
};

static void
close_it(struct rebuild *r)
{
	postgres_close(r->pg);
}

/* close it in any case. */
static int
open_it(struct rebuild *r, struct run *run, const struct step *step,
    struct err *err)
{
	*r = (struct rebuild){ 0 };
	if (upgrade_open(&r->up, run, step, err) != 0 ||
	    postgres_open(&r->pg, run, r->up.conf->from, err) != 0 ||
	    upgrade_oid(&r->up, "database.was", &r->was, err) != 0 ||
	    upgrade_oid(&r->up, "database.made", &r->made, err) != 0 ||
	    upgrade_oid(&r->up, "database.back", &r->back, err) != 0)
		return -1;
	return postgres_oid(r->pg, NULL, &r->now, err);
}

/* As kept; NULL: they were not. */
static int
kept_properties(const struct rebuild *r, char **out, struct err *err)
{
	char *path = upgrade_properties_path(&r->up);
	struct buf sql = BUF_INIT(TEXT_MAX);
	struct fs_meta meta = { 0 };
	int rc = host_stat(r->up.host, path, &meta, err);

	*out = NULL;
	if (rc == 0 && meta.type == FS_FILE)
		rc = host_read(r->up.host, path, &sql, NULL, err);
	if (rc == 0 && sql.len > 0)
		*out = buf_take(&sql);
	buf_clear(&sql);
	free(path);
	return rc;
}

static int
properties(const struct rebuild *r, char **out, struct err *err)
{
	struct buf sql = BUF_INIT(TEXT_MAX);
	int rc;

	if (kept_properties(r, out, err) != 0)
		return -1;
	if (*out)
		return 0;
	rc = postgres_properties(r->pg, &sql, err);
	if (rc == 0)
		*out = buf_take(&sql);
	buf_clear(&sql);
	return rc;
}

static int
keep_properties(const struct rebuild *r, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	char *path = upgrade_properties_path(&r->up), *sql = NULL;
	int rc = properties(r, &sql, err);

	if (rc == 0)
		rc = host_replace(r->up.host, path, sql, strlen(sql), &meta,
		    err);
	free(sql);
	free(path);
	return rc;
}

static int
parse(const struct rebuild *r, const struct conf_letta *letta,
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
check_meant(const struct rebuild *r, struct err *err)
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

/* Indented, as a note's diff is. */
static void
put_lines(struct buf *out, const char *text)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		buf_str(out, "    ");
		str_printable(out, text, len);
		buf_char(out, '\n');
	}
}

/* All that apply and `rollback' run, in the names of this job. */
static void
put_statements(const struct rebuild *r, const char *sql, struct buf *out)
{
	const char *name = postgres_database(r->pg);
	char *made = upgrade_aside(&r->up, NEW);
	char *old = upgrade_aside(&r->up, OLD);
	char *restored = upgrade_aside(&r->up, RESTORED);

	postgres_make_text(sql, made, true, out);
	postgres_rename_text(name, old, out);
	buf_str(out, "-- its rows counted once more\n");
	postgres_rename_text(made, name, out);
	postgres_drop_text(old, out);
	buf_str(out, "-- every other database: its sums before and after\n"
	    "-- rollback, with the copy restored into the first:\n");
	postgres_make_text(sql, restored, false, out);
	postgres_swap_text(restored, name, out);
	free(restored);
	free(old);
	free(made);
}

static int
say_statements(const struct rebuild *r, struct plan_note *note,
    struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char *sql = NULL;
	int rc = properties(r, &sql, err);

	if (rc == 0) {
		put_statements(r, sql, &text);
		put_lines(&note->diff, buf_cstr(&text));
		if (r->now != 0 && r->now != r->made) {
			buf_str(&note->diff, "    -- gone with it, beside its "
			    "agents:\n");
			rc = upgrade_losses(r->pg, &note->diff, err);
		}
		if (!r->up.run->conf->break_glass)
			buf_str(&note->diff, "    -- not without `break_glass "
			    "= yes' in [job]\n");
	}
	buf_clear(&text);
	free(sql);
	return rc;
}

static int
database_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	char *proven = NULL;
	struct rebuild r;
	int rc;

	*found = PLAN_TODO;
	rc = open_it(&r, run, step, err);
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
		rc = say_statements(&r, note, err);
	}
	free(proven);
	close_it(&r);
	return rc;
}

/* Nobody has written to it since: a rollback could not bring that back. */
static int
check_unchanged(const struct rebuild *r, const char *db, struct err *err)
{
	struct buf moved = BUF_INIT(WORDS_MAX);
	int rc = upgrade_dump_moved(&r->up, r->pg, db, &moved, err);

	if (rc == 0 && moved.len > 0)
		rc = err_set(err, ERR_STALE, "%s: has changed since its "
		    "safety copy was made: %s; nothing was dropped.  Stop "
		    "whoever writes to it, remove the copy, then run the "
		    "same command again", postgres_where(r->pg),
		    buf_cstr(&moved));
	buf_clear(&moved);
	return rc;
}

/* What is asked before anything is made or dropped. */
static int
prepare(struct rebuild *r, struct err *err)
{
	int rc;

	rc = postgres_check_rights(r->pg, err);
	if (rc == 0)
		rc = check_unchanged(r, NULL, err);
	if (rc == 0)
		rc = upgrade_unlisted_check_backup(&r->up, r->pg, err);
	if (rc == 0)
		rc = upgrade_others_keep(&r->up, r->pg, err);
	if (rc == 0)
		rc = keep_properties(r, err);
	if (rc == 0 && r->was == 0) {
		rc = upgrade_put_oid(&r->up, "database.was", r->now, err);
		r->was = r->now;
	}
	return rc;
}

/* Make it beside, whole, and note its oid as `word'. */
static int
make_aside(const struct rebuild *r, const char *name, const char *word,
    uint64_t *oid, struct err *err)
{
	bool fresh = str_eq(word, "database.made");
	char *sql = NULL, *path = NULL;
	int rc;

	rc = kept_properties(r, &sql, err);
	if (rc == 0 && !sql)
		rc = err_set(err, ERR_DATA, "how %s was made is not known: "
		    "the file beside its safety copy is not there",
		    postgres_where(r->pg));
	if (rc == 0)
		rc = postgres_make(r->pg, sql, name, fresh, err);
	path = upgrade_dump_path(&r->up);
	if (rc == 0 && !fresh)
		rc = postgres_restore(r->pg, path, name, POSTGRES_ALL, err);
	if (rc == 0)
		rc = postgres_oid(r->pg, name, oid, err);
	if (rc == 0)
		rc = upgrade_put_oid(&r->up, word, *oid, err);
	fault_point("database_whole");
	free(path);
	free(sql);
	return rc;
}

static int
refuse_stranger(const struct rebuild *r, struct err *err)
{
	return err_set(err, ERR_STALE, "%s: is a database that this job has "
	    "neither found nor made; it was left as it is.  Rename it, then "
	    "run the same command again", postgres_where(r->pg));
}

/* Under a name that no client knows: what it holds now, it held last. */
static int
last_look(const struct rebuild *r, const char *old, struct err *err)
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
take_place(const struct rebuild *r, const char *made, struct err *err)
{
	char *old = upgrade_aside(&r->up, OLD);
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
drop_old(const struct rebuild *r, struct err *err)
{
	char *old = upgrade_aside(&r->up, OLD);
	uint64_t aside = 0;
	int rc = postgres_oid(r->pg, old, &aside, err);

	if (rc == 0 && aside != 0)
		rc = postgres_scratch_drop(r->pg, old, err);
	free(old);
	return rc;
}

/* Whatever was done before a kill, go on from there. */
static int
rebuild(struct rebuild *r, struct err *err)
{
	char *name = upgrade_aside(&r->up, NEW);
	uint64_t aside = 0;
	int rc = 0;

	if (r->now != 0 && r->was != 0 && r->now != r->was) {
		rc = refuse_stranger(r, err);
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
		rc = make_aside(r, name, "database.made", &r->made, err);
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
	struct rebuild r;
	bool dumped = false;
	int rc;

	rc = open_it(&r, run, step, err);
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
	close_it(&r);
	return rc;
}

/* What came back is what was dumped. */
static int
prove_restored(const struct rebuild *r, const char *name, struct err *err)
{
	struct buf moved = BUF_INIT(WORDS_MAX);
	int rc = upgrade_dump_moved(&r->up, r->pg, name, &moved, err);

	if (rc == 0 && moved.len > 0)
		rc = err_set(err, ERR_VERDICT, "%s: what was restored is not "
		    "what was dumped: %s; %s is as it was",
		    postgres_where(r->pg), buf_cstr(&moved),
		    postgres_database(r->pg));
	buf_clear(&moved);
	return rc;
}

/* The old database out of its copy, beside what has its name now. */
static int
restore(struct rebuild *r, const char *name, struct err *err)
{
	struct err ignored = ERR_INIT;
	uint64_t aside = 0;
	bool whole;
	int rc;

	rc = postgres_oid(r->pg, name, &aside, err);
	if (rc != 0)
		return -1;
	/* Killed behind that: it is whole, but was perhaps not proven. */
	whole = aside != 0 && aside == r->back;
	if (!whole)
		rc = upgrade_dump_is_whole(&r->up, r->pg, err);
	if (rc == 0 && !whole)
		rc = make_aside(r, name, "database.back", &aside, err);
	if (rc == 0)
		rc = prove_restored(r, name, err);
	if (rc == 0)
		return 0;
	if (whole && err->kind != ERR_VERDICT)
		return -1;
	/* Half of it takes room, and is of no use. */
	if (upgrade_put(&r->up, "database.back", "", &ignored) != 0 ||
	    postgres_scratch_drop(r->pg, name, &ignored) != 0)
		err_clear(&ignored);
	return err_ctx(err, "the rollback stands where it was, `rollback' "
	    "goes on with it; if there is no room for both databases, drop "
	    "%s first", postgres_database(r->pg));
}

/* A neighbour whom we cannot look at does not keep the old server down. */
static int
keep_for_back(const struct rebuild *r, struct err *err)
{
	struct err why = ERR_INIT;

	if (upgrade_others_keep(&r->up, r->pg, &why) == 0)
		return 0;
	log_warn("%s: the other databases of its server are not compared: %s",
	    postgres_where(r->pg), why.text);
	return upgrade_put(&r->up, "database.others", "", err);
}

/* The old one itself, as long as it was not dropped; else out of its copy. */
static int
bring_back(struct rebuild *r, struct err *err)
{
	char *old = upgrade_aside(&r->up, OLD);
	char *name = upgrade_aside(&r->up, RESTORED);
	uint64_t aside = 0;
	bool kept;
	int rc;

	if (r->now != 0 && r->now != r->made)
		rc = refuse_stranger(r, err);
	else
		rc = postgres_oid(r->pg, old, &aside, err);
	kept = aside != 0 && aside == r->was;
	if (rc == 0 && !kept)
		rc = restore(r, name, err);
	if (rc == 0)
		rc = keep_for_back(r, err);
	if (rc == 0)
		rc = postgres_swap(r->pg, kept ? old : name,
		    postgres_database(r->pg), err);
	fault_point("database_back");
	free(name);
	free(old);
	return rc;
}

/* Halves of a kill, and every fact: a later apply begins anew. */
static int
forget(const struct rebuild *r, struct err *err)
{
	static const char *const asides[] = { NEW, OLD, RESTORED };
	static const char *const words[] = { "database.proven",
	    "database.others", "database.acknowledged", "database.made",
	    "database.was", "database.back" };
	char *name;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 3; i++) {
		name = upgrade_aside(&r->up, asides[i]);
		rc = postgres_scratch_drop(r->pg, name, err);
		free(name);
	}
	for (size_t i = 0; rc == 0 && i < sizeof(words) / sizeof(*words);
	    i++)
		rc = upgrade_put(&r->up, words[i], "", err);
	name = upgrade_properties_path(&r->up);
	if (rc == 0)
		rc = host_remove(r->up.host, name, err);
	free(name);
	return rc;
}

static int
database_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct rebuild r;
	bool touched;
	int rc;

	rc = open_it(&r, run, step, err);
	touched = rc == 0 && r.was != 0 && r.now != r.was;
	if (touched && (r.back == 0 || r.now != r.back))
		rc = bring_back(&r, err);
	if (rc == 0 && touched)
		upgrade_others_tell(&r.up, r.pg);
	if (rc == 0)
		rc = forget(&r, err);
	if (rc == 0)
		plan_say(note, '-', touched ? "%s, as it was dumped" :
		    "%s was not dropped yet", postgres_where(r.pg));
	close_it(&r);
	return rc;
}

const struct step_kind upgrade_database_kind = {
	.word = "database",
	.probe = database_probe,
	.act = database_act,
	.undo = database_undo,
};
