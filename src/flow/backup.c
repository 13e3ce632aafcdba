#include "base/base.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/shown.h"
#include "flow/backup.h"
#include "flow/backup_agent.h"
#include "flow/backup_dir.h"
#include "flow/backup_jobs.h"
#include "flow/backup_look.h"
#include "flow/endpoint.h"
#include "io/fs.h"

#define ROUNDS 3	/* an agent that changes is read so often */
#define NAME_MAX_BYTES 60
#define SAVE_EACH 256	/* agents of an index that is always saved */

/* Why an entry is as it is. */
enum origin { ORIGIN_OLD, ORIGIN_KEPT, ORIGIN_LINKED, ORIGIN_READ };

struct making {
	const struct endpoint *at;
	const char *dir, *state_dir;
	const struct backup_census *census;
	int lock;
	unsigned int jobs;
	struct backup_index old;	/* of this directory; empty at first */
	struct backup_index since;	/* of another one */
	char *since_dir;
	struct backup_index index;	/* that is made */
	struct backup_look look;
	const struct backup_seen **todo;	/* of the look: to be read */
	size_t n_todo, n_done;
	bool *is_todo;			/* by the place in the look */
	uint64_t begun_ms, saving_ms;
	struct id_table archives;	/* in the list of old, then of since */
	struct backup_figures *figures;
};

/* "agent-... (Sage)", on one line; lives until the next call. */
static const char *
shown_agent(struct buf *out, const char *id, const char *name)
{
	buf_truncate(out, 0);
	buf_printf(out, "%s (", id);
	shown_text(out, name ? name : "", name ? strlen(name) : 0,
	    NAME_MAX_BYTES);
	buf_char(out, ')');
	return buf_cstr(out);
}

static int
save(struct making *m, struct err *err)
{
	uint64_t begun_ms = clock_ms();
	int rc = backup_dir_write(m->dir, BACKUP_INDEX_PARTIAL, &m->index,
	    err);

	m->saving_ms += clock_ms() - begun_ms;
	return rc;
}

/*
 * After each agent; of a long index not more often than takes a tenth of the
 * time, as the whole of it is written: a kill then costs some agents' reading.
 */
static int
save_one(struct making *m, struct err *err)
{
	if (m->index.n_entries > SAVE_EACH &&
	    10 * m->saving_ms > clock_ms() - m->begun_ms)
		return 0;
	return save(m, err);
}

static void
copy_text(char **to, const char *text)
{
	free(*to);
	*to = text ? mem_strdup(text) : NULL;
}

/* What an entry of another index says of its bundle. */
static void
copy_bundle(const struct backup_entry *from, struct backup_entry *to)
{
	struct backup_entry old = *to;

	*to = *from;
	to->id = old.id;
	to->name = old.name;
	to->print = old.print;
	to->path = to->digest = to->read_at = NULL;
	to->changed_during = to->failed = NULL;
	to->gone = false;
	copy_text(&to->path, from->path);
	copy_text(&to->digest, from->digest);
	copy_text(&to->read_at, from->read_at);
	backup_print_clear(&to->print);
	backup_print_copy(&from->print, &to->print);
	free(old.path);
	free(old.digest);
	free(old.read_at);
	free(old.changed_during);
	free(old.failed);
}

static bool
is_same(const struct backup_print *a, const struct backup_print *b)
{
	struct buf what = BUF_INIT(1024);
	bool same;

	backup_print_differences(a, b, &what);
	same = what.len == 0;
	buf_clear(&what);
	return same;
}

/*
 * An entry for an agent that was seen: with the bundle that is here, or that
 * another backup has, when it is as it was then.
 */
static int
begin_entry(struct making *m, const struct backup_seen *seen,
    struct err *err)
{
	const struct backup_entry *old = backup_index_find(&m->old, seen->id);
	const struct backup_entry *since = backup_index_find(&m->since,
	    seen->id);
	struct backup_entry *entry = backup_index_add(&m->index, seen->id);
	bool holds = false;

	entry->name = mem_strdup(seen->name);
	if (old && backup_agent_holds(m->dir, old, &holds, err) != 0)
		return -1;
	if (holds) {
		copy_bundle(old, entry);
		m->figures->kept += is_same(&entry->print, &seen->print);
	}
	if (since && !is_same(&entry->print, &seen->print) &&
	    is_same(&since->print, &seen->print)) {
		if (backup_agent_link(m->since_dir, m->dir, since, &holds,
		    err) != 0)
			return -1;
		if (holds) {
			copy_bundle(since, entry);
			m->figures->linked++;
		}
	}
	return 0;
}

/* Agents that are not at the server any more: what is here of them stays. */
static int
keep_gone(struct making *m, struct err *err)
{
	const struct backup_entry *old;
	struct backup_entry *entry;
	bool holds;

	for (size_t i = 0; i < m->old.n_entries; i++) {
		old = &m->old.entries[i];
		if (backup_index_find(&m->index, old->id))
			continue;
		if (backup_agent_holds(m->dir, old, &holds, err) != 0)
			return -1;
		if (!holds)
			continue;
		entry = backup_index_add(&m->index, old->id);
		copy_text(&entry->name, old->name);
		copy_bundle(old, entry);
		entry->gone = true;
	}
	return 0;
}

static struct backup_entry *
entry_of(struct making *m, const char *id)
{
	const struct backup_entry *found = backup_index_find(&m->index, id);

	return found ? &m->index.entries[found - m->index.entries] : NULL;
}

static int
do_one(void *ctx, size_t i, struct buf *answer, bool *fatal, struct err *err)
{
	struct making *m = ctx;

	(void)close(m->lock);
	return backup_agent_read(m->at, &m->look, m->todo[i], m->dir,
	    m->state_dir, answer, fatal, err);
}

static int
did_one(void *ctx, size_t i, const struct buf *answer,
    const struct err *failed, struct err *err)
{
	struct making *m = ctx;
	const struct backup_seen *seen = m->todo[i];
	struct backup_entry *entry = entry_of(m, seen->id);
	struct buf shown = BUF_INIT(4096);
	int rc = 0;

	if (failed) {
		copy_text(&entry->failed, failed->text);
		log_warn("%s could not be read: %s", shown_agent(&shown,
		    seen->id, seen->name), failed->text);
	} else {
		backup_print_clear(&entry->print);
		backup_print_copy(&seen->print, &entry->print);
		rc = backup_agent_take(answer, entry, err);
		copy_text(&entry->name, seen->name);
		copy_text(&entry->failed, NULL);
		entry->tools = seen->n_tools;
		m->figures->read++;
	}
	buf_clear(&shown);
	progress_at(++m->n_done);
	return rc == 0 ? save_one(m, err) : -1;
}

/* Those of the last look that are not in the index as they are now. */
static int
list_todo(struct making *m, struct err *err)
{
	const struct backup_entry *entry;

	free(m->todo);
	free(m->is_todo);
	m->todo = mem_zero(m->look.n_agents + 1, sizeof(*m->todo));
	m->is_todo = mem_zero(m->look.n_agents + 1, sizeof(*m->is_todo));
	m->n_todo = 0;
	for (size_t i = 0; i < m->look.n_agents; i++) {
		if (!backup_index_find(&m->index, m->look.agents[i].id) &&
		    begin_entry(m, &m->look.agents[i], err) != 0)
			return -1;
		entry = backup_index_find(&m->index, m->look.agents[i].id);
		m->is_todo[i] = !entry->failed && !is_same(&entry->print,
		    &m->look.agents[i].print);
		if (m->is_todo[i])
			m->todo[m->n_todo++] = &m->look.agents[i];
	}
	return 0;
}

static int
read_todo(struct making *m, struct err *err)
{
	const struct backup_work work = { do_one, did_one, m };
	int rc;

	m->n_done = 0;
	progress_begin("read agents", "agents", m->n_todo);
	rc = backup_jobs(&work, m->n_todo, m->jobs, err);
	progress_end();
	return rc;
}

static bool
was_read(void *ctx, const char *id)
{
	const struct making *m = ctx;
	const struct backup_seen *seen = backup_look_find(&m->look, id);

	return seen && m->is_todo[seen - m->look.agents];
}

/* By the marks that the list of agents gives, and a census. */
static bool
may_be(const struct backup_index *index, const struct backup_seen *seen)
{
	const struct backup_entry *entry = backup_index_find(index, seen->id);
	char *const *then, *const *now = seen->print.marks;

	if (!entry || !entry->path)
		return false;
	then = entry->print.marks;
	for (size_t i = 0; i < BACKUP_MARKS; i++) {
		if (i != BACKUP_MARK_MESSAGE && i != BACKUP_MARK_PASSAGE &&
		    !(then[i] && now[i] && str_eq(then[i], now[i])))
			return false;
	}
	return true;
}

static bool
may_hold(void *ctx, const struct backup_seen *seen)
{
	const struct making *m = ctx;

	return may_be(&m->old, seen) || may_be(&m->since, seen);
}

/* Which agents had an archive, by another index. */
static const struct jdoc *
attached(const struct backup_index *index)
{
	return jdoc_get(index->rest, "attached_archives");
}

static void
note_archives(struct making *m)
{
	const struct jdoc *lists[] = { attached(&m->old), attached(&m->since) };
	const char *id;
	size_t at = 0;

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < jdoc_len(lists[i]); k++, at++) {
			id = jdoc_get_str(jdoc_at(lists[i], k), "id");
			if (id)
				(void)id_table_add(&m->archives, id, at);
		}
	}
}

/*
 * An archive is one of an agent's while nothing of the agent has changed: what
 * it loses with it are passages.  One without any may be told a run late.
 */
static const char *
find_holder(void *ctx, const char *archive)
{
	const struct making *m = ctx;
	size_t n_old = jdoc_len(attached(&m->old)), at;
	const struct backup_index *index = &m->old;
	const struct backup_entry *entry;
	const struct backup_seen *seen;
	const char *id;

	if (!id_table_find(&m->archives, archive, &at))
		return NULL;
	if (at >= n_old) {
		index = &m->since;
		at -= n_old;
	}
	id = jdoc_get_str(jdoc_at(attached(index), at), "agent_id");
	entry = id ? backup_index_find(index, id) : NULL;
	seen = id ? backup_look_find(&m->look, id) : NULL;
	return entry && seen && is_same(&entry->print, &seen->print) ? id :
	    NULL;
}

/* Nobody had a conversation when they were read, and now somebody has. */
static void
forget_messages(struct making *m)
{
	for (size_t i = 0; i < m->n_todo; i++)
		copy_text(&entry_of(m, m->todo[i]->id)->print.marks[
		    BACKUP_MARK_MESSAGE], NULL);
}

/*
 * Whole of those that were read, which takes its time and may have met two
 * states of one; of the others the list of agents (and a census, when there is
 * one) is enough: what is here of them is of one time, which is before.
 */
static int
look_again(struct making *m, struct err *err)
{
	const struct backup_look_how how = {
		.states = true, .before = &m->look, .again = was_read,
		.ctx = m, .census = m->census,
	};
	struct backup_look look;

	if (backup_look(m->at, &how, &look, err) != 0)
		return -1;
	if (m->look.no_conversations && !look.no_conversations)
		forget_messages(m);
	backup_look_clear(&m->look);
	m->look = look;
	return 0;
}

/* Read what changed, look whether it did again, and so on. */
static int
read_rounds(struct making *m, struct err *err)
{
	if (list_todo(m, err) != 0 || keep_gone(m, err) != 0)
		return -1;
	log_info("%s: %zu agents; %" PRIu64 " as they were, %" PRIu64
	    " linked, %zu to be read", m->at->name, m->look.n_agents,
	    m->figures->kept, m->figures->linked, m->n_todo);
	for (int i = 0; i < ROUNDS && m->n_todo > 0; i++) {
		if (save(m, err) != 0 || read_todo(m, err) != 0 ||
		    look_again(m, err) != 0 || list_todo(m, err) != 0)
			return -1;
		if (m->n_todo > 0 && i + 1 < ROUNDS)
			log_info("%zu agents changed while they were read, "
			    "and are read again", m->n_todo);
	}
	return 0;
}

static void
judge_entry(struct making *m, struct backup_entry *entry)
{
	const struct backup_seen *seen = backup_look_find(&m->look,
	    entry->id);
	struct buf what = BUF_INIT(1024), shown = BUF_INIT(4096);

	copy_text(&entry->changed_during, NULL);
	entry->gone = !seen;
	if (seen && entry->path && !entry->failed)
		backup_print_differences(&entry->print, &seen->print, &what);
	if (seen && !entry->path && !entry->failed)
		copy_text(&entry->failed, "it was made while the backup was "
		    "being made; the same command reads it");
	if (what.len > 0) {
		copy_text(&entry->changed_during, buf_cstr(&what));
		log_warn("%s changed while it was read, and again: %s",
		    shown_agent(&shown, entry->id, entry->name),
		    buf_cstr(&what));
		/* Like nothing: it may be changed back by the next run. */
		backup_print_clear(&entry->print);
	}
	buf_clear(&shown);
	buf_clear(&what);
}

static void
count_entry(const struct backup_entry *entry, struct backup_figures *f)
{
	f->gone += entry->gone;
	f->agents += !entry->gone;
	f->failed += entry->failed != NULL && !entry->gone;
	f->changed += entry->changed_during != NULL;
	if (!entry->path || entry->gone)
		return;
	f->messages += entry->messages;
	f->passages += entry->passages;
	f->blocks += entry->blocks;
	f->conversations += entry->conversations;
	f->identities += entry->identities;
}

/* One that was deleted before it was read is of no use to anybody. */
static bool
is_of_use(const struct backup_entry *entry)
{
	return entry->path || !entry->gone;
}

static int
finish(struct making *m, struct err *err)
{
	char now[CLOCK_TEXT_SIZE], *partial;
	int rc;

	for (size_t i = 0; i < m->index.n_entries; i++)
		judge_entry(m, &m->index.entries[i]);
	backup_index_keep(&m->index, is_of_use);
	for (size_t i = 0; i < m->index.n_entries; i++)
		count_entry(&m->index.entries[i], m->figures);
	m->index.shared = m->look.shared;
	m->index.n_shared = m->look.n_shared;
	m->look.shared = NULL;
	m->look.n_shared = 0;
	m->figures->losses = jdoc_len(jdoc_get(m->index.rest, "losses"));
	m->index.refused = m->look.refused;
	m->look.refused = NULL;
	m->figures->refused = m->look.n_refused;
	clock_utc(now);
	m->index.ended_at = mem_strdup(now);
	rc = backup_dir_write(m->dir, BACKUP_INDEX, &m->index, err);
	partial = mem_printf("%s/" BACKUP_INDEX_PARTIAL, m->dir);
	if (rc == 0)
		rc = fs_remove(partial, err);
	free(partial);
	return rc;
}

static void
begin_index(struct making *m)
{
	char now[CLOCK_TEXT_SIZE];

	clock_utc(now);
	m->index.program = mem_strdup("sanctumctl " PACKAGE_VERSION);
	m->index.begun_at = mem_strdup(now);
	m->index.server = mem_strdup(m->at->name);
	m->index.url = mem_strdup(m->at->url);
	m->index.letta = mem_strdup(m->look.caps.version);
	m->index.rest = m->look.rest;
	m->look.rest = NULL;
}

/* The index that is there, and one of another backup of the server. */
static int
read_old(struct making *m, const char *since, struct err *err)
{
	int rc;

	rc = backup_index_read(m->dir, &m->old, err);
	if (rc != 0 && err->kind == ERR_MISSING) {
		err_clear(err);
		rc = 0;
	}
	if (rc == 0 && m->old.url && !str_eq(m->old.url, m->at->url))
		rc = err_set(err, ERR_USAGE, "%s is a backup of %s, not of "
		    "%s; nothing was written, give another directory",
		    m->dir, m->old.url, m->at->url);
	if (rc == 0 && since)
		m->since_dir = mem_strdup(since);
	else if (rc == 0)
		rc = backup_dir_newest(m->dir, m->at->url, &m->since_dir,
		    err);
	if (rc == 0 && m->since_dir)
		rc = backup_index_read(m->since_dir, &m->since, err);
	if (rc == 0 && m->since.url && !str_eq(m->since.url, m->at->url))
		rc = err_set(err, ERR_USAGE, "%s is a backup of %s, not of "
		    "%s; nothing was read, give another --since",
		    m->since_dir, m->since.url, m->at->url);
	return rc;
}

static int
make(struct making *m, const char *since, struct err *err)
{
	const struct backup_look_how first = {
		.rest = true, .states = true, .may_hold = may_hold,
		.holder = find_holder, .ctx = m,
		.census = m->census,
	};

	if (read_old(m, since, err) != 0 ||
	    backup_agent_sweep(m->dir, err) != 0)
		return -1;
	note_archives(m);
	if (backup_look(m->at, &first, &m->look, err) != 0)
		return -1;
	begin_index(m);
	return read_rounds(m, err) == 0 ? finish(m, err) : -1;
}

static int
verdict(const struct making *m, struct err *err)
{
	const struct backup_figures *f = m->figures;

	if (f->refused > 0)
		return err_set(err, ERR_PARTIAL, "%s: %" PRIu64 " agents were "
		    "not read, their ids are not agent-UUID: %s; %" PRIu64
		    " of %" PRIu64 " others could not be read, and %" PRIu64
		    " changed while they were", m->dir, f->refused,
		    m->index.refused, f->failed, f->agents, f->changed);
	if (f->failed == 0 && f->changed == 0)
		return 0;
	return err_set(err, ERR_PARTIAL, "%s: %" PRIu64 " of %" PRIu64
	    " agents could not be read, and %" PRIu64 " changed while they "
	    "were; " BACKUP_INDEX " says which and why, and the same command "
	    "reads them again", m->dir, f->failed, f->agents, f->changed);
}

int
backup_make(const struct endpoint *at, const char *dir,
    const struct backup_options *options, struct backup_figures *figures,
    struct err *err)
{
	struct making m = {
		.at = at, .dir = dir, .state_dir = options->state_dir,
		.jobs = options->jobs ? options->jobs : BACKUP_JOBS,
		.figures = figures, .lock = -1, .census = options->census,
		.begun_ms = clock_ms(),
	};
	int rc;

	*figures = (struct backup_figures){ 0 };
	if (options->keep > 0 && backup_dir_dated(dir, err) != 0)
		return -1;
	rc = backup_dir_open(dir, &m.lock, err);
	if (rc == 0)
		rc = make(&m, options->since, err);
	/* An index is there: one agent does not keep old backups for ever. */
	if (rc == 0 && options->keep > 0)
		rc = backup_dir_retain(dir, at->url, options->keep,
		    &figures->removed, err);
	if (rc == 0)
		rc = verdict(&m, err);
	if (m.lock >= 0)
		(void)close(m.lock);
	backup_index_clear(&m.old);
	backup_index_clear(&m.since);
	backup_index_clear(&m.index);
	backup_look_clear(&m.look);
	free(m.since_dir);
	free(m.todo);
	free(m.is_todo);
	id_table_clear(&m.archives);
	return rc;
}
