#include "base/base.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "flow/backup.h"
#include "flow/backup_dir.h"
#include "io/fs.h"

#define DAY 8			/* digits of YYYYMMDD */
#define REMOVED ".removed-"	/* before the name of one on its way out */

static bool
is_dated(const char *name)
{
	const char *day = name + strlen(BACKUP_PREFIX);

	return str_starts(name, BACKUP_PREFIX) && strlen(day) == DAY &&
	    strspn(day, "0123456789") == DAY;
}

char *
backup_dir_name(void)
{
	char now[CLOCK_TEXT_SIZE];

	clock_utc(now);
	return mem_printf(BACKUP_PREFIX "%.4s%.2s%.2s", now, now + 5,
	    now + 8);
}

/* Without slashes at its end. */
static char *
trimmed(const char *dir)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	return mem_strndup(dir, len);
}

static char *
parent_of(const char *dir)
{
	char *own = trimmed(dir), *slash = strrchr(own, '/');

	if (!slash) {
		free(own);
		return mem_strdup(".");
	}
	slash[slash == own ? 1 : 0] = '\0';
	return own;
}

/* What others may write to, or a link, would have us write or trust theirs. */
static int
check_ours(const char *path, struct err *err)
{
	struct fs_meta meta;

	if (fs_stat(path, &meta, err) != 0)
		return -1;
	if (meta.type != FS_DIR)
		return err_set(err, ERR_USAGE, "%s: is no directory, or a "
		    "symbolic link to one: a backup goes to one of its own",
		    path);
	if (meta.uid != geteuid() || (meta.mode & 0022))
		return err_set(err, ERR_USAGE, "%s: others may write to it "
		    "(uid %u, mode %04o); give another directory, or take "
		    "that from them", path, (unsigned int)meta.uid,
		    (unsigned int)meta.mode);
	return 0;
}

static int
make_dirs(const char *dir, struct err *err)
{
	char *real, *agents;
	int rc;

	if (fs_mkdirs(dir, 0700, err) != 0)
		return -1;
	real = realpath(dir, NULL);
	if (!real)
		return fs_fail(err, "open", dir);
	agents = mem_printf("%s/agents", real);
	rc = check_ours(real, err);
	if (rc == 0)
		rc = fs_mkdirs(agents, 0700, err);
	if (rc == 0)
		rc = check_ours(agents, err);
	free(agents);
	free(real);
	return rc;
}

int
backup_dir_open(const char *dir, int *lock, struct err *err)
{
	*lock = -1;
	if (make_dirs(dir, err) != 0)
		return -1;
	*lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return fs_fail(err, "open", dir);
	if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		(void)err_set(err, ERR_LOCKED, "%s: another backup is being "
		    "written there; wait for its end, or give another "
		    "directory", dir);
	else
		(void)fs_fail(err, "lock", dir);
	(void)close(*lock);
	*lock = -1;
	return -1;
}

int
backup_dir_write(const char *dir, const char *name,
    const struct backup_index *index, struct err *err)
{
	const struct fs_meta meta = { .mode = 0600, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct buf text = BUF_INIT(BACKUP_INDEX_MAX);
	char *path = mem_printf("%s/%s", dir, name);
	int rc;

	backup_index_write(index, &text);
	rc = buf_check(&text, path, err);
	if (rc == 0)
		rc = fs_replace(path, buf_cstr(&text), text.len, &meta, err);
	fault_point("backup_index");
	free(path);
	buf_clear(&text);
	return rc;
}

/* Names of siblings, sorted: oldest first. */
struct siblings {
	const char *own;
	char **names;
	size_t n;
};

static void
take_name(void *ctx, const char *name)
{
	struct siblings *s = ctx;

	if (!is_dated(name) || str_eq(name, s->own))
		return;
	s->names = mem_grow(s->names, s->n + 1, sizeof(*s->names));
	s->names[s->n++] = mem_strdup(name);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
siblings_clear(struct siblings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->names[i]);
	free(s->names);
}

static bool
has_bundle(const struct backup_index *index)
{
	for (size_t i = 0; i < index->n_entries; i++) {
		if (index->entries[i].path)
			return true;
	}
	return false;
}

static bool
is_whole(const struct backup_index *index)
{
	if (index->refused)
		return false;
	for (size_t i = 0; i < index->n_entries; i++) {
		if (index->entries[i].failed && !index->entries[i].gone)
			return false;
	}
	return true;
}

/*
 * Whether path, no symlink, is a finished backup of this server that we have
 * made and nobody else may write to; *whole: with every agent in it.
 */
static bool
is_ours(const char *path, const char *url, bool *whole)
{
	struct backup_index index = { 0 };
	struct err ignored = ERR_INIT;
	struct fs_meta meta;
	bool ours;

	if (fs_stat(path, &meta, &ignored) != 0 ||
	    meta.type != FS_DIR || meta.uid != geteuid() ||
	    meta.mode != 0700 ||
	    backup_index_read(path, &index, &ignored) != 0)
		return false;
	ours = index.url && str_eq(index.url, url) && index.ended_at &&
	    has_bundle(&index);
	*whole = ours && is_whole(&index);
	backup_index_clear(&index);
	return ours;
}

static int
list_siblings(const char *parent, const char *own, struct siblings *s,
    struct err *err)
{
	*s = (struct siblings){ .own = own };
	if (fs_list(parent, take_name, s, err) != 0)
		return -1;
	if (s->n > 0)
		qsort(s->names, s->n, sizeof(*s->names), by_text);
	return 0;
}

int
backup_dir_newest(const char *dir, const char *url, char **out,
    struct err *err)
{
	char *parent = parent_of(dir), *own = trimmed(dir), *path;
	struct siblings s;
	bool whole;
	int rc;

	*out = NULL;
	rc = list_siblings(parent, str_base(own), &s, err);
	for (size_t i = s.n; i > 0 && rc == 0 && !*out; i--) {
		path = mem_printf("%s/%s", parent, s.names[i - 1]);
		if (is_ours(path, url, &whole))
			*out = path;
		else
			free(path);
	}
	siblings_clear(&s);
	free(own);
	free(parent);
	return rc;
}

int
backup_dir_dated(const char *dir, struct err *err)
{
	char *own = trimmed(dir);
	bool dated = is_dated(str_base(own));

	free(own);
	return dated ? 0 : err_set(err, ERR_USAGE, "%s: backups are counted "
	    "and removed by the day in their name, " BACKUP_PREFIX
	    "YYYYMMDD; leave --keep out, or the directory", dir);
}

/* Under another name first: half of one is never taken for a backup. */
static int
remove_one(const char *parent, const char *name, struct err *err)
{
	char *from = mem_printf("%s/%s", parent, name);
	char *to = mem_printf("%s/" REMOVED "%s", parent, name);
	int rc;

	rc = fs_remove(to, err);
	if (rc == 0)
		rc = fs_rename(from, to, 0, err);
	fault_point("backup_renamed");
	if (rc == 0)
		rc = fs_remove(to, err);
	if (rc == 0)
		log_info("%s: removed, by its age", from);
	free(from);
	free(to);
	return rc;
}

/* What a killed call has left half removed. */
static bool
is_rest(const void *ctx, const char *name)
{
	(void)ctx;
	return str_starts(name, REMOVED) && is_dated(name + strlen(REMOVED));
}

/* Of today at most: by name, a far one would be the newest for ever. */
static bool
is_past(const char *path)
{
	char *today = backup_dir_name();
	bool past = strcmp(str_base(path), today) <= 0;

	free(today);
	return past;
}

/* What no backup has: somebody keeps it there. */
static void
note_foreign(void *ctx, const char *name)
{
	bool *foreign = ctx;

	if (!str_eq(name, "agents") && !str_eq(name, BACKUP_INDEX) &&
	    !str_eq(name, BACKUP_INDEX_PARTIAL) &&
	    !str_starts(name, FS_TEMP_PREFIX))
		*foreign = true;
}

static void
note_foreign_bundle(void *ctx, const char *name)
{
	bool *foreign = ctx;

	if (!str_starts(name, "agent-") && !str_starts(name, ".agent-"))
		*foreign = true;
}

static int
has_foreign(const char *path, bool *out, struct err *err)
{
	char *agents = mem_printf("%s/agents", path);
	int rc;

	*out = false;
	rc = fs_list(path, note_foreign, out, err);
	if (rc == 0)
		rc = fs_list(agents, note_foreign_bundle, out, err);
	if (rc == 0 && *out)
		log_warn("%s: has files that are not of a backup, and stays",
		    path);
	free(agents);
	return rc;
}

/* Remove it unless somebody keeps other things there. */
static int
retire(const char *parent, const char *name, uint64_t *removed,
    struct err *err)
{
	char *path = mem_printf("%s/%s", parent, name);
	bool foreign;
	int rc = has_foreign(path, &foreign, err);

	if (rc == 0 && !foreign) {
		rc = remove_one(parent, name, err);
		*removed += rc == 0;
	}
	free(path);
	return rc;
}

int
backup_dir_retain(const char *dir, const char *url, unsigned int keep,
    uint64_t *removed, struct err *err)
{
	char *parent = parent_of(dir), *own = trimmed(dir), *path;
	bool whole = false, has_whole = false;
	struct siblings s;
	size_t n = 1;
	int rc;

	(void)is_ours(dir, url, &has_whole);
	rc = fs_sweep(parent, is_rest, NULL, err);
	if (rc == 0)
		rc = list_siblings(parent, str_base(own), &s, err);
	else
		s = (struct siblings){ 0 };
	for (size_t i = s.n; i > 0 && rc == 0; i--) {
		path = mem_printf("%s/%s", parent, s.names[i - 1]);
		if (is_past(path) && is_ours(path, url, &whole)) {
			if (n++ >= keep && (!whole || has_whole) &&
			    strcmp(s.names[i - 1], str_base(own)) < 0)
				rc = retire(parent, s.names[i - 1], removed,
				    err);
			has_whole = has_whole || whole;
		}
		free(path);
	}
	siblings_clear(&s);
	free(own);
	free(parent);
	return rc;
}
