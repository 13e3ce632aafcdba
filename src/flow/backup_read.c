#include "base/base.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/backup_print.h"
#include "core/jdoc.h"
#include "core/pg_tally.h"
#include "flow/backup.h"
#include "flow/backup_look.h"
#include "io/fs.h"

static int
read_one(const char *dir, const char *name, struct backup_index *index,
    struct err *err)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct buf text = BUF_INIT(BACKUP_INDEX_MAX);
	int rc;

	*index = (struct backup_index){ 0 };
	rc = fs_read(path, &text, NULL, err);
	if (rc == 0 && backup_index_parse(buf_cstr(&text), text.len, index,
	    err) != 0)
		rc = err_ctx(err, "%s", path);
	buf_clear(&text);
	free(path);
	return rc;
}

/* What a stopped run has read wins; of the others the older index tells. */
static void
lay_over(struct backup_index *under, struct backup_index *over)
{
	struct backup_entry *entry;

	for (size_t i = 0; i < over->n_entries; i++) {
		if (!over->entries[i].path &&
		    backup_index_find(under, over->entries[i].id))
			continue;
		entry = backup_index_add(under, over->entries[i].id);
		free(entry->id);
		*entry = over->entries[i];
		over->entries[i] = (struct backup_entry){ 0 };
	}
	free(under->ended_at);
	under->ended_at = NULL;
	backup_index_clear(over);
}

int
backup_index_read(const char *dir, struct backup_index *index,
    struct err *err)
{
	struct backup_index partial = { 0 };
	struct err second = ERR_INIT;
	int rc;

	rc = read_one(dir, BACKUP_INDEX, index, err);
	if (rc != 0 && err->kind != ERR_MISSING)
		return -1;
	if (read_one(dir, BACKUP_INDEX_PARTIAL, &partial, &second) != 0) {
		if (second.kind == ERR_MISSING)
			return rc;
		*err = second;
		backup_index_clear(index);
		return -1;
	}
	if (rc == 0)
		lay_over(index, &partial);
	else
		*index = partial;
	err_clear(err);
	return 0;
}

char *
backup_bundle_path(const char *dir, const struct backup_entry *entry)
{
	return entry->path ? mem_printf("%s/%s", dir, entry->path) : NULL;
}

/* Whoever asks for changes is told of each agent at most once. */
struct asking {
	int (*each)(void *ctx, const struct backup_change *, struct err *);
	void *ctx;
};

static int
tell(const struct asking *a, const struct backup_entry *entry,
    const char *id, const char *name, const char *what, struct err *err)
{
	const struct backup_change change = {
		.id = id, .name = name ? name : "", .what = what,
		.bundled = entry && entry->path && !entry->failed,
	};

	return a->each(a->ctx, &change, err);
}

static int
compare(const struct asking *a, const struct backup_index *index,
    const struct backup_seen *seen, struct err *err)
{
	const struct backup_entry *entry = backup_index_find(index,
	    seen->id);
	struct buf what = BUF_INIT(1024);
	int rc = 0;

	if (!entry)
		return tell(a, NULL, seen->id, seen->name, "new", err);
	if (!entry->path)
		return tell(a, entry, seen->id, seen->name, entry->failed ?
		    entry->failed : "it has no bundle", err);
	backup_print_differences(&entry->print, &seen->print, &what);
	if (what.len > 0)
		rc = tell(a, entry, seen->id, seen->name, buf_cstr(&what),
		    err);
	buf_clear(&what);
	return rc;
}

static int
compare_all(const struct asking *a, const struct backup_index *index,
    const struct backup_look *look, struct err *err)
{
	const struct backup_entry *entry;

	if (look->n_refused > 0)
		return err_set(err, ERR_DATA, "%zu agents have an id that is "
		    "not agent-UUID and are in no backup: %s", look->n_refused,
		    look->refused);
	for (size_t i = 0; i < look->n_agents; i++) {
		if (compare(a, index, &look->agents[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < index->n_entries; i++) {
		entry = &index->entries[i];
		if (!entry->gone && !backup_look_find(look, entry->id) &&
		    tell(a, entry, entry->id, entry->name, "gone", err) != 0)
			return -1;
	}
	return 0;
}

int
backup_changed(const struct endpoint *at, const char *dir,
    const struct backup_census *census,
    int (*each)(void *ctx, const struct backup_change *, struct err *),
    void *ctx, struct err *err)
{
	const struct backup_look_how how = { .census = census };
	const struct asking asking = { each, ctx };
	struct backup_index index;
	struct backup_look look;
	int rc;

	if (backup_index_read(dir, &index, err) != 0)
		return -1;
	rc = backup_look(at, &how, &look, err);
	if (rc == 0) {
		rc = compare_all(&asking, &index, &look, err);
		backup_look_clear(&look);
	}
	backup_index_clear(&index);
	return rc;
}

static int
compare_rows(const struct asking *a, const struct backup_entry *entry,
    const struct pg_tally *tally, struct err *err)
{
	const struct pg_tally_line *rows = pg_tally_find(tally, entry->id);
	const char *then = entry->print.marks[BACKUP_MARK_ROWS];
	char *now = rows ? backup_look_rows_mark(rows) : NULL;
	int rc = 0;

	if (!entry->gone && entry->path && (!now || !then ||
	    !str_eq(then, now)))
		rc = tell(a, entry, entry->id, entry->name,
		    backup_mark_word(BACKUP_MARK_ROWS), err);
	free(now);
	return rc;
}

int
backup_rows_changed(const char *dir, const struct backup_census *census,
    int (*each)(void *ctx, const struct backup_change *, struct err *),
    void *ctx, struct err *err)
{
	struct buf text = BUF_INIT(BACKUP_CENSUS_MAX);
	const struct asking asking = { each, ctx };
	struct pg_tally tally = { 0 };
	struct backup_index index;
	int rc;

	if (backup_index_read(dir, &index, err) != 0)
		return -1;
	rc = backup_look_rows(census, &text, &tally, err);
	for (size_t i = 0; i < index.n_entries && rc == 0; i++)
		rc = compare_rows(&asking, &index.entries[i], &tally, err);
	pg_tally_clear(&tally);
	buf_clear(&text);
	backup_index_clear(&index);
	return rc;
}
