#ifndef FLOW_UPGRADE_REBUILD_H
#define FLOW_UPGRADE_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "flow/upgrade_part.h"

struct err;
struct plan_note;
struct postgres;
struct run;
struct step;

/* For the step `database', there (upgrade_database.c) and back. */

/* Databases of the job, by upgrade_aside. */
#define UPGRADE_NEW "new"
#define UPGRADE_OLD "old"
#define UPGRADE_RESTORED "restore"

/*
 * The new database is made whole beside the old one, and takes its name only
 * then.  The old one gets a name that no client knows, is looked at once more
 * when nobody can write to it any more, and is dropped last: until then the
 * way back is its name.  The rollback restores beside what is there, so a
 * pg_restore that fails leaves that as it is.  Each is told by its oid, since
 * all have the name at some time.
 */
struct upgrade_rebuild {
	struct upgrade up;
	struct postgres *pg;
	uint64_t was, made, back;	/* facts; 0: none */
	uint64_t now;			/* what has the name; 0: nothing */
};

/* close it in any case. */
int upgrade_rebuild_open(struct upgrade_rebuild *, struct run *,
    const struct step *, struct err *) MUST_CHECK;
void upgrade_rebuild_close(struct upgrade_rebuild *);

/*
 * The SQL that makes a database like the old one (postgres_properties), the
 * caller frees it: as kept beside the dump, NULL when it was not; that, or of
 * the database as it is; and keep it.
 */
int upgrade_rebuild_kept(const struct upgrade_rebuild *, char **out,
    struct err *) MUST_CHECK;
int upgrade_rebuild_properties(const struct upgrade_rebuild *, char **out,
    struct err *) MUST_CHECK;
int upgrade_rebuild_keep(const struct upgrade_rebuild *, struct err *)
    MUST_CHECK;

/* All that apply and `rollback' run, in the names of this job; what is lost. */
int upgrade_rebuild_say(const struct upgrade_rebuild *, struct plan_note *,
    struct err *) MUST_CHECK;

/*
 * Make a database of this name, whole, and note its oid as `word': empty for
 * "database.made", else out of the safety copy.
 */
int upgrade_rebuild_aside(const struct upgrade_rebuild *, const char *name,
    const char *word, uint64_t *oid, struct err *) MUST_CHECK;

/* ERR_STALE: what has the name is none of this job's. */
int upgrade_rebuild_stranger(const struct upgrade_rebuild *, struct err *);

/* The way back (upgrade_database_back.c). */
int upgrade_database_undo(struct run *, const struct step *,
    struct plan_note *, struct err *) MUST_CHECK;

#endif /* !FLOW_UPGRADE_REBUILD_H */
