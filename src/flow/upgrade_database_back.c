#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/upgrade_database.h"
#include "flow/upgrade_others.h"
#include "flow/upgrade_rebuild.h"
#include "io/host.h"

#define WORDS_MAX 2048

/* What came back is what was dumped. */
static int
prove_restored(const struct upgrade_rebuild *r, const char *name,
    struct err *err)
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
restore(struct upgrade_rebuild *r, const char *name, struct err *err)
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
		rc = upgrade_rebuild_aside(r, name, "database.back", &aside,
		    err);
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
keep_for_back(const struct upgrade_rebuild *r, struct err *err)
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
bring_back(struct upgrade_rebuild *r, struct err *err)
{
	char *old = upgrade_aside(&r->up, UPGRADE_OLD);
	char *name = upgrade_aside(&r->up, UPGRADE_RESTORED);
	uint64_t aside = 0;
	bool kept;
	int rc;

	if (r->now != 0 && r->now != r->made)
		rc = upgrade_rebuild_stranger(r, err);
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
forget(const struct upgrade_rebuild *r, struct err *err)
{
	static const char *const asides[] = { UPGRADE_NEW, UPGRADE_OLD,
	    UPGRADE_RESTORED };
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

int
upgrade_database_undo(struct run *run, const struct step *step,
    struct plan_note *note, struct err *err)
{
	struct upgrade_rebuild r;
	bool touched;
	int rc;

	rc = upgrade_rebuild_open(&r, run, step, err);
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
	upgrade_rebuild_close(&r);
	return rc;
}
