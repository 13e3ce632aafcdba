#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "flow/backup.h"
#include "flow/endpoint.h"
#include "flow/plan.h"
#include "flow/postgres.h"
#include "flow/restore.h"
#include "flow/run.h"
#include "flow/upgrade_part.h"
#include "flow/upgrade_unlisted.h"
#include "io/journal.h"

#define TEXT_MAX 4096
/* What of the server is in no bundle, and gone with its database. */
#define LOSSES "; %" PRIu64 " kinds of things are in none: `losses' of " \
	BACKUP_INDEX
#define NAMED_MAX 600	/* bytes of agents in a message */

/*
 * Every agent of the old server into bundles.  Nothing is taken back: they
 * harm nobody, and whoever cancels may want them more than before.  Bundles of
 * other days are trusted by the rows of their agents alone.
 */
struct part {
	struct upgrade up;
	struct endpoint from;
	char *dir;
	struct postgres *pg;	/* that it is asked by, once it is */
	struct backup_census census;
};

static void
part_close(struct part *part)
{
	postgres_close(part->pg);
	endpoint_clear(&part->from);
	free(part->dir);
}

static int
part_open(struct part *part, struct run *run, const struct step *step,
    struct err *err)
{
	*part = (struct part){ 0 };
	if (upgrade_open(&part->up, run, step, err) != 0 ||
	    run_endpoint(run, part->up.conf->from, &part->from, err) != 0)
		return -1;
	part->dir = upgrade_backup_dir(&part->up);
	return 0;
}

/* Not before it is needed: once it is dropped nobody is there to ask. */
static int
open_census(struct part *part, struct err *err)
{
	if (postgres_open(&part->pg, part->up.run, part->up.conf->from, err)
	    != 0)
		return -1;
	part->census = (struct backup_census){ upgrade_rows, part->pg };
	return 0;
}

static bool
may_stay(const struct part *part, const char *id)
{
	const char *leave = part->up.conf->leave;

	return leave && str_has_word(leave, id);
}

/* Agents that are not in the backup and may not stay behind. */
struct lacking {
	struct buf who;		/* "agent-... (Sage): reason; ..." */
	struct buf ids;		/* as `leave' wants them */
	size_t n;
};

static void
lack(struct lacking *l, const char *id, const char *name, const char *what)
{
	l->n++;
	buf_printf(&l->ids, " %s", id);
	if (l->who.len > NAMED_MAX)
		return;
	buf_printf(&l->who, "%s%s (", l->who.len > 0 ? "; " : "", id);
	shown_text(&l->who, name ? name : "", name ? strlen(name) : 0, 60);
	buf_str(&l->who, "): ");
	shown_text(&l->who, what, strlen(what), 200);
}

static void
lacking_init(struct lacking *l)
{
	l->n = 0;
	buf_init(&l->who, TEXT_MAX);
	buf_init(&l->ids, TEXT_MAX);
}

static void
lacking_clear(struct lacking *l)
{
	buf_clear(&l->who);
	buf_clear(&l->ids);
}

/* By the index alone; agents: how many are in it. */
static void
find_lacking(const struct part *part, const struct backup_index *index,
    struct lacking *l, size_t *agents)
{
	const struct backup_entry *entry;

	*agents = 0;
	for (size_t i = 0; i < index->n_entries; i++) {
		entry = &index->entries[i];
		if (entry->gone)
			continue;
		*agents += entry->path != NULL;
		if ((entry->failed || !entry->path) &&
		    !may_stay(part, entry->id))
			lack(l, entry->id, entry->name, entry->failed ?
			    entry->failed : "it was not read");
	}
}

static int
refuse(const struct part *part, const struct lacking *l, struct err *err)
{
	return err_set(err, ERR_PARTIAL, "%zu agents of [letta %s] are not in "
	    "the backup %s: %s.  Put right what the server says, or write "
	    "`leave =%s' into [upgrade %s] if they may stay behind; nothing "
	    "was changed", l->n, part->up.conf->from->name, part->dir,
	    buf_cstr(&l->who), buf_cstr(&l->ids), part->up.conf->name);
}

/* Known before anything is stopped, not when the database is dropped. */
static int
check_fits(const struct part *part, struct err *err)
{
	return restore_fits(part->dir, &part->from, err) == 0 ? 0 :
	    err_ctx(err, "what is in %s could not be restored to [letta %s], "
	    "and nothing was stopped", part->dir, part->up.conf->to->name);
}

struct watch {
	const struct part *part;
	size_t n;
};

static int
count_change(void *ctx, const struct backup_change *change, struct err *err)
{
	struct watch *watch = ctx;

	(void)err;
	/* One that was read could be read again: it is no reason to stay. */
	watch->n += change->bundled || !may_stay(watch->part, change->id);
	return 0;
}

/*
 * What is in the index still holds.  Once `stop' has begun it is that step
 * which sees to it, and the server may be off.
 */
static int
count_changed(struct part *part, const struct backup_index *index,
    size_t *out, struct err *err)
{
	struct watch watch = { .part = part };
	bool stopping;

	*out = 0;
	if (upgrade_begun(&part->up, &upgrade_stop_kind, &stopping, err) != 0)
		return -1;
	if (stopping)
		return 0;
	if (check_fits(part, err) != 0)
		return -1;
	if (open_census(part, err) != 0 ||
	    upgrade_unlisted_check(&part->up, part->pg, index, &part->from,
	    err) != 0 || backup_changed(&part->from, part->dir,
	    &part->census, count_change, &watch, err) != 0)
		return -1;
	*out = watch.n;
	return 0;
}

static int
look(struct part *part, struct plan_note *note, enum plan_found *found,
    struct err *err)
{
	struct backup_index index = { 0 };
	size_t agents, changed = 0;
	struct lacking l;
	int rc;

	*found = PLAN_TODO;
	rc = backup_index_read(part->dir, &index, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		plan_say(note, '+', "every agent of %s into bundles below %s",
		    part->from.name, part->dir);
		return 0;
	}
	if (rc != 0)
		return -1;
	lacking_init(&l);
	find_lacking(part, &index, &l, &agents);
	if (index.ended_at && l.n == 0)
		rc = count_changed(part, &index, &changed, err);
	if (rc == 0 && index.ended_at && l.n == 0 && changed == 0)
		*found = PLAN_DONE;
	plan_say(note, '+', "%zu agents of %s in bundles below %s" LOSSES,
	    agents, part->from.name, part->dir,
	    (uint64_t)jdoc_len(jdoc_get(index.rest, "losses")));
	if (*found == PLAN_TODO)
		plan_say(note, '~', "the backup of %s below %s brought up to "
		    "date: %zu agents have changed since, %zu are not in it"
		    "%s", part->from.name, part->dir, changed, l.n,
		    index.ended_at ? "" : ", and it has not come to its end");
	lacking_clear(&l);
	backup_index_clear(&index);
	return rc;
}

static int
backup_probe(struct run *run, const struct step *step,
    struct plan_note *note, enum plan_found *found, struct err *err)
{
	struct part part;
	int rc = part_open(&part, run, step, err);

	if (rc == 0)
		rc = look(&part, note, found, err);
	part_close(&part);
	return rc;
}

/* The first fault ends it: half a backup is none to rebuild from. */
static int
found_fault(void *ctx, const char *file, const char *what, struct err *err)
{
	const struct part *part = ctx;

	return err_set(err, ERR_DATA, "%s/%s: %s; run `sanctumctl letta check "
	    "%s', take away what is damaged, and run the same command again",
	    part->dir, file, what, part->dir);
}

/* What was made is whole, and all of it is there. */
static int
judge(struct part *part, struct err *err)
{
	struct backup_index index = { 0 };
	struct backup_figures figures;
	struct lacking l;
	size_t agents;
	int rc;

	if (backup_index_read(part->dir, &index, err) != 0)
		return -1;
	lacking_init(&l);
	find_lacking(part, &index, &l, &agents);
	rc = l.n > 0 ? refuse(part, &l, err) : 0;
	if (rc == 0 && index.refused)
		rc = err_set(err, ERR_PARTIAL, "[letta %s] has agents whose "
		    "id is not agent-UUID, and no bundle can be made of them: "
		    "%s; nothing was changed.  They would be lost: "
		    "copy by hand what you need of them, delete them there, "
		    "then run the same command again",
		    part->up.conf->from->name, index.refused);
	if (rc == 0)
		rc = upgrade_unlisted_check(&part->up, part->pg, &index,
		    &part->from, err);
	if (rc == 0)
		rc = backup_check(part->dir, found_fault, part, &figures,
		    err);
	if (rc == 0)
		rc = check_fits(part, err);
	lacking_clear(&l);
	backup_index_clear(&index);
	return rc;
}

static int
make(struct part *part, struct plan_note *note, struct err *err)
{
	char *state_dir = run_dir(part->up.run);
	const struct backup_options options = { .state_dir = state_dir,
	    .census = &part->census };
	struct backup_figures f;
	int rc;

	rc = open_census(part, err);
	if (rc == 0)
		rc = upgrade_backup_note(&part->up, part->dir, err);
	if (rc == 0)
		rc = backup_make(&part->from, part->dir, &options, &f,
		    err);
	/* Who has failed is told by the index; who was written to, by stop. */
	if (rc != 0 && err->kind == ERR_PARTIAL) {
		log_detail("%s", err->text);
		err_clear(err);
		rc = 0;
	}
	if (rc == 0)
		rc = judge(part, err);
	if (rc == 0)
		plan_say(note, '+', "%" PRIu64 " agents of %s with %" PRIu64
		    " messages and %" PRIu64 " passages in bundles below %s: "
		    "%" PRIu64 " read now; every file is what its sum says"
		    LOSSES, f.agents, part->from.name, f.messages,
		    f.passages, part->dir, f.read, f.losses);
	free(state_dir);
	return rc;
}

static int
backup_act(struct run *run, const struct step *step, struct plan_note *note,
    struct err *err)
{
	struct part part;
	int rc = part_open(&part, run, step, err);

	if (rc == 0)
		rc = make(&part, note, err);
	part_close(&part);
	return rc;
}

const struct step_kind upgrade_backup_kind = {
	.word = "backup",
	.probe = backup_probe,
	.act = backup_act,
};
