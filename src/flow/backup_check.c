#include "base/base.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "core/shown.h"
#include "flow/backup.h"
#include "flow/bundle.h"
#include "io/fs.h"

#define DEPTH_MAX 4	/* directories in each other: DIR/agents/ID/tools */

struct check {
	int (*found)(void *ctx, const char *file, const char *what,
	    struct err *);
	void *ctx;
	const char *dir;
	const struct backup_index *index;
	const struct backup_entry *entry;	/* that is looked at */
};

static int
report(struct check *c, const char *file, const char *what, struct err *err)
{
	return shown_finding(c->found, c->ctx, file, what, err);
}

/* What is wrong with the data is a finding; all else ends the check. */
static int
settle(struct check *c, const char *file, int rc, struct err *err)
{
	struct err own;

	if (rc == 0 || (err->kind != ERR_DATA && err->kind != ERR_MISSING))
		return rc;
	own = *err;
	err_clear(err);
	return report(c, file, own.text, err);
}

/* Names of a directory, to be walked after it was listed. */
struct names {
	char **list;
	size_t n;
};

static void
take_name(void *ctx, const char *name)
{
	struct names *names = ctx;

	names->list = mem_grow(names->list, names->n + 1,
	    sizeof(*names->list));
	names->list[names->n++] = mem_strdup(name);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
list_names(const char *path, struct names *names, struct err *err)
{
	*names = (struct names){ 0 };
	if (fs_list(path, take_name, names, err) != 0)
		return -1;
	if (names->n > 0)
		qsort(names->list, names->n, sizeof(*names->list), by_text);
	return 0;
}

static void
names_clear(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

static int
check_mode(struct check *c, const char *file, const struct fs_meta *meta,
    struct err *err)
{
	mode_t wanted = meta->type == FS_DIR ? 0700 : 0600;
	char *what;
	int rc;

	if (meta->type != FS_DIR && meta->type != FS_FILE)
		return report(c, file, "neither a file nor a directory", err);
	if (meta->mode == wanted)
		return 0;
	what = mem_printf("mode %04o; it must be %04o, or others of this "
	    "machine may read or change it", (unsigned int)meta->mode,
	    (unsigned int)wanted);
	rc = report(c, file, what, err);
	free(what);
	return rc;
}

/* Modes of everything below. */
static int
walk(struct check *c, const char *file, int depth, struct err *err)
{
	char *path = mem_printf("%s/%s", c->dir, file), *below;
	struct names names = { 0 };
	struct fs_meta meta;
	int rc;

	rc = fs_stat(path, &meta, err);
	if (rc == 0 && meta.type != FS_NONE)
		rc = check_mode(c, file, &meta, err);
	if (rc == 0 && meta.type == FS_DIR && depth < DEPTH_MAX)
		rc = list_names(path, &names, err);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		below = mem_printf("%s%s%s", file, *file ? "/" : "",
		    names.list[i]);
		rc = walk(c, below, depth + 1, err);
		free(below);
	}
	names_clear(&names);
	free(path);
	return rc;
}

/* What a folder of the backup has that the index does not name. */
static int
find_strays(struct check *c, const char *folder,
    bool (*known)(const struct check *, const char *name), struct err *err)
{
	char *path = mem_printf("%s/%s", c->dir, folder), *file;
	struct names names = { 0 };
	int rc;

	rc = settle(c, folder, list_names(path, &names, err), err);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		if (known(c, names.list[i]))
			continue;
		file = mem_printf("%s%s", folder, names.list[i]);
		rc = report(c, file, "the index does not name it", err);
		free(file);
	}
	names_clear(&names);
	free(path);
	return rc;
}

static bool
is_of_backup(const struct check *c, const char *name)
{
	(void)c;
	return str_eq(name, "agents") || str_eq(name, BACKUP_INDEX) ||
	    str_eq(name, BACKUP_INDEX_PARTIAL);
}

static bool
is_of_agents(const struct check *c, const char *name)
{
	const struct backup_entry *entry = backup_index_find(c->index, name);

	return entry && entry->path;
}

static int
found_in_bundle(void *ctx, const char *file, const char *what,
    struct err *err)
{
	struct check *c = ctx;
	char *path = mem_printf("%s/%s", c->entry->path, file);
	int rc = report(c, path, what, err);

	free(path);
	return rc;
}

static int
compare_counts(struct check *c, const struct bundle_figures *f,
    struct err *err)
{
	const struct backup_entry *e = c->entry;
	const struct {
		const char *what;
		uint64_t index, bundle;
	} counts[] = {
		{ "messages", e->messages, f->messages },
		{ "passages", e->passages, f->passages },
		{ "blocks", e->blocks, f->blocks },
		{ "conversations", e->conversations, f->conversations },
		{ "identities", e->identities, f->identities },
		{ "losses", e->losses, f->losses },
	};
	char *what;
	int rc = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts) && rc == 0;
	    i++) {
		if (counts[i].index == counts[i].bundle)
			continue;
		what = mem_printf("%" PRIu64 " %s; the index says %" PRIu64,
		    counts[i].bundle, counts[i].what, counts[i].index);
		rc = report(c, e->path, what, err);
		free(what);
	}
	return rc;
}

static int
check_digest(struct check *c, const char *path, struct err *err)
{
	char *digest = NULL;
	int rc;

	rc = bundle_digest(path, &digest, err);
	if (rc == 0 && (!c->entry->digest ||
	    !str_eq(digest, c->entry->digest)))
		rc = report(c, c->entry->path, "it is not the bundle that "
		    "the index names: its manifest is another", err);
	else
		rc = settle(c, c->entry->path, rc, err);
	free(digest);
	return rc;
}

static int
check_entry(struct check *c, struct backup_figures *figures, struct err *err)
{
	char *path = backup_bundle_path(c->dir, c->entry);
	struct bundle_figures f;
	struct fs_meta meta;
	int rc;

	rc = fs_stat(path, &meta, err);
	if (rc == 0 && meta.type != FS_DIR)
		rc = report(c, c->entry->path, meta.type == FS_NONE ?
		    "the index names it, and it is not there" :
		    "it is a link or a file and no bundle; nothing behind it "
		    "was read", err);
	else if (rc == 0) {
		rc = bundle_check(path, found_in_bundle, c, &f, err);
		if (rc == 0)
			rc = check_digest(c, path, err);
		if (rc == 0)
			rc = compare_counts(c, &f, err);
		figures->messages += f.messages;
		figures->passages += f.passages;
		figures->blocks += f.blocks;
		figures->conversations += f.conversations;
		figures->identities += f.identities;
		figures->files += f.files;
		figures->bytes += f.bytes;
	}
	free(path);
	return rc;
}

static int
check_entries(struct check *c, struct backup_figures *figures,
    struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < c->index->n_entries && rc == 0; i++) {
		c->entry = &c->index->entries[i];
		figures->agents += !c->entry->gone;
		figures->gone += c->entry->gone;
		figures->failed += c->entry->failed && !c->entry->gone;
		figures->changed += c->entry->changed_during != NULL;
		rc = stop_check(err);
		if (rc == 0 && c->entry->path)
			rc = check_entry(c, figures, err);
	}
	return rc;
}

/* Not one that leads elsewhere: of that the walk tells, and no more. */
static int
has_agents(const struct check *c, bool *out, struct err *err)
{
	char *path = mem_printf("%s/agents", c->dir);
	struct fs_meta meta;
	int rc;

	rc = fs_stat(path, &meta, err);
	*out = rc == 0 && (meta.type == FS_DIR || meta.type == FS_NONE);
	free(path);
	return rc;
}

static int
check_all(struct check *c, struct backup_figures *figures, struct err *err)
{
	bool agents;

	if (!c->index->ended_at && report(c, BACKUP_INDEX_PARTIAL, "a backup "
	    "was begun here and has not come to its end; the same command "
	    "goes on", err) != 0)
		return -1;
	if (has_agents(c, &agents, err) != 0 ||
	    find_strays(c, "", is_of_backup, err) != 0 || (agents &&
	    find_strays(c, BACKUP_AGENTS, is_of_agents, err) != 0) ||
	    walk(c, "", 0, err) != 0)
		return -1;
	return agents ? check_entries(c, figures, err) : 0;
}

int
backup_check(const char *dir,
    int (*found)(void *ctx, const char *file, const char *what,
    struct err *), void *ctx, struct backup_figures *figures,
    struct err *err)
{
	struct check c = { .found = found, .ctx = ctx, .dir = dir };
	struct backup_index index;
	int rc;

	*figures = (struct backup_figures){ 0 };
	if (backup_index_read(dir, &index, err) != 0) {
		if (err->kind == ERR_MISSING)
			return err_set(err, ERR_MISSING, "%s: no backup: it "
			    "has no " BACKUP_INDEX, dir);
		return settle(&c, BACKUP_INDEX, -1, err);
	}
	c.index = &index;
	rc = check_all(&c, figures, err);
	backup_index_clear(&index);
	return rc;
}
