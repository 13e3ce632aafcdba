#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/tree.h"
#include "io/tree_stream.h"

#define NAMES_MAX 1000000	/* of one directory */
#define BLOCK_BYTES (64 * 1024)
#define HASH_TRIES 3
#define SPECIALS_SHOWN 20
#define LINKS_MAX 1000000	/* files of several names, in one walk */

/* A file that has further names, and what was said of it. */
struct first {
	dev_t dev;
	ino_t ino;
	char *path;
	struct tree_entry entry;
};

struct walk {
	const char *root;
	const struct tree_rules *rules;
	int (*each)(void *ctx, const struct tree_entry *, struct err *);
	void *ctx;
	struct hash *hash;
	unsigned char *block;
	char path[TREE_PATH_MAX];	/* of what is looked at */
	char target[TREE_PATH_MAX];
	struct buf xattrs, left;	/* of what is looked at */
	struct buf specials;		/* the first of them */
	size_t n_specials;
	struct first *firsts;		/* a table by hash of dev and ino */
	size_t n_firsts, cap_firsts;
};

struct names {
	char **list;
	size_t n;
};

static int walk_dir(struct walk *, int fd, size_t depth, struct err *);

static int
fail(const struct walk *w, const char *what, struct err *err)
{
	return tree_path_fail(err, what, w->root, w->path);
}

/* Our own words about the path. */
static int
refuse(const struct walk *w, enum err_kind kind, const char *why,
    struct err *err)
{
	(void)err_set(err, kind, "%s", why);
	return tree_path_ctx(err, w->root, w->path);
}

static int
by_bytes(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left, *right);
}

static void
names_clear(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct names) { .list = NULL };
}

/* All names in the directory fd, sorted. */
static int
names_read(const struct walk *w, int fd, struct names *names,
    struct err *err)
{
	const struct dirent *e;
	size_t cap = 0;
	DIR *dir = NULL;
	int own, rc = -1;

	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own >= 0)
		dir = fdopendir(own);
	if (!dir) {
		(void)fail(w, "open", err);
		if (own >= 0)
			(void)close(own);
		return -1;
	}
	for (;;) {
		errno = 0;
		e = readdir(dir);
		if (!e)
			break;
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (names->n == NAMES_MAX) {
			(void)refuse(w, ERR_DATA,
			    "more than a million names in here", err);
			goto out;
		}
		if (names->n == cap) {
			cap = cap ? 2 * cap : 16;
			names->list = mem_grow(names->list, cap,
			    sizeof(*names->list));
		}
		names->list[names->n++] = mem_strdup(e->d_name);
	}
	if (errno != 0) {
		(void)fail(w, "read", err);
		goto out;
	}
	if (names->n > 1)
		qsort(names->list, names->n, sizeof(*names->list), by_bytes);
	rc = 0;
out:
	(void)closedir(dir);
	return rc;
}

static bool
excluded(const struct walk *w, const char *name)
{
	const char *const *pattern = w->rules ? w->rules->exclude : NULL;

	for (; pattern && *pattern; pattern++)
		if (strchr(*pattern, '/') ?
		    fnmatch(*pattern + (**pattern == '/'), w->path,
		    FNM_PATHNAME) == 0 :
		    fnmatch(*pattern, name, 0) == 0)
			return true;
	return false;
}

/* A directory right below root that the rules do not name. */
static bool
passed_over(const struct walk *w, const char *name, size_t depth)
{
	const char *const *top = w->rules ? w->rules->top : NULL;

	if (depth != 1 || !top || !*top)
		return false;
	for (; *top; top++)
		if (strcmp(*top, name) == 0)
			return false;
	return true;
}

static void
entry_of(const struct walk *w, const struct stat *st, char type,
    struct tree_entry *entry)
{
	uint64_t disk = (uint64_t)st->st_blocks * 512;

	*entry = (struct tree_entry) {
		.path = w->path,
		.type = type,
		.mode = st->st_mode &
		    (w->rules && w->rules->setuid ? 07777 : 0777),
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size_bytes = type == 'f' ? (uint64_t)st->st_size : 0,
		.disk_bytes = type != 'f' ? 0 :
		    disk < (uint64_t)st->st_size ? disk :
		    (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
		    st->st_mtim.tv_nsec,
	};
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Digest of fd; *same tells whether the file stood still meanwhile. */
static int
hash_once(struct walk *w, int fd, struct stat *st, bool *same,
    unsigned char digest[static HASH_SIZE], struct err *err)
{
	struct stat after;
	ssize_t got = 1;
	off_t at = 0, hole_at = 0, next;

	if (fstat(fd, st) != 0)
		return fail(w, "stat", err);

	/* What is added while we read is somebody else's next look. */
	while (got != 0 && at < st->st_size) {
		if (stop_check(err) != 0)
			return -1;
		if (at == hole_at) {
			next = tree_data_from(fd, at, st, &hole_at);
			tree_hash_hole(w->hash, (uint64_t)(next - at));
			at = next;
			continue;
		}
		got = pread(fd, w->block, hole_at - at < BLOCK_BYTES ?
		    (size_t)(hole_at - at) : BLOCK_BYTES, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(w, "read", err);
		hash_add(w->hash, w->block, (size_t)got);
		at += got;
	}
	if (fstat(fd, &after) != 0)
		return fail(w, "stat", err);
	*same = at == st->st_size && same_file(st, &after);
	return hash_end(w->hash, digest, err);
}

/* What of its attributes belongs into the entry of fd; see tree.h. */
static int
look_at_xattrs(struct walk *w, int fd, struct tree_entry *entry,
    struct err *err)
{
	if (!w->rules || !w->rules->xattrs)
		return 0;
	buf_truncate(&w->xattrs, 0);
	buf_truncate(&w->left, 0);
	if (tree_xattr_read(fd, false, &w->xattrs, &w->left, err) != 0 ||
	    tree_xattr_sum(w->hash, &w->xattrs, entry->xattrs, err) != 0)
		return tree_path_ctx(err, w->root, w->path);
	entry->left_xattrs = w->left.len > 0 ? buf_cstr(&w->left) : NULL;
	return 0;
}

static size_t
slot_of(const struct walk *w, dev_t dev, ino_t ino)
{
	uint64_t mixed = ((uint64_t)ino + (uint64_t)dev * 1000003) *
	    UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(mixed >> 32) & (w->cap_firsts - 1);

	while (w->firsts[at].path && (w->firsts[at].ino != ino ||
	    w->firsts[at].dev != dev))
		at = (at + 1) & (w->cap_firsts - 1);
	return at;
}

static void
grow_firsts(struct walk *w)
{
	struct first *old = w->firsts;
	size_t cap = w->cap_firsts;

	w->cap_firsts = cap ? 2 * cap : 64;
	w->firsts = mem_zero(w->cap_firsts, sizeof(*w->firsts));
	for (size_t i = 0; i < cap; i++)
		if (old[i].path)
			w->firsts[slot_of(w, old[i].dev, old[i].ino)] = old[i];
	free(old);
}

/*
 * A further name of a file that was told already becomes a link to it; of a
 * first one, what is said is kept.
 */
static int
tell_file(struct walk *w, const struct stat *st, struct tree_entry *entry,
    struct err *err)
{
	struct first *first;

	if (st->st_nlink < 2)
		return w->each(w->ctx, entry, err);
	if (w->n_firsts == LINKS_MAX)
		return refuse(w, ERR_DATA, "more than a million files with "
		    "several names", err);
	if (2 * w->n_firsts >= w->cap_firsts)
		grow_firsts(w);
	first = &w->firsts[slot_of(w, st->st_dev, st->st_ino)];
	if (!first->path) {
		*first = (struct first) {
			.dev = st->st_dev, .ino = st->st_ino,
			.path = mem_strdup(w->path), .entry = *entry,
		};
		w->n_firsts++;
		return w->each(w->ctx, entry, err);
	}
	*entry = first->entry;
	entry->path = w->path;
	entry->type = 'h';
	entry->link = first->path;
	entry->left_xattrs = NULL;
	entry->disk_bytes = 0;
	return w->each(w->ctx, entry, err);
}

static bool
is_hashed(const struct walk *w, const struct stat *st)
{
	int64_t since = w->rules->hash_since_ns;

	return w->rules->hash || (since > 0 &&
	    st->st_mtim.tv_sec >= since / 1000000000);
}

static int
walk_file(struct walk *w, int dir, const char *name, struct stat *st,
    struct err *err)
{
	struct tree_entry entry;
	unsigned char digest[HASH_SIZE];
	bool same = false;
	int fd = -1, rc = 0;

	if (w->hash) {
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		    O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			return 0;
		if (fd < 0 && errno == ELOOP)
			return refuse(w, ERR_STALE, "was a file and is now "
			    "a symlink", err);
		if (fd < 0)
			return fail(w, "open", err);
		if (fstat(fd, st) != 0)
			rc = fail(w, "stat", err);
		else if (!S_ISREG(st->st_mode))
			rc = refuse(w, ERR_STALE, "was a file and is now "
			    "something else", err);
		for (int i = 0; rc == 0 && is_hashed(w, st) && !same &&
		    i < HASH_TRIES; i++)
			rc = hash_once(w, fd, st, &same, digest, err);
	}
	entry_of(w, st, 'f', &entry);
	entry.hashed = same;
	if (same)
		memcpy(entry.hash, digest, sizeof(entry.hash));
	if (rc == 0)
		rc = look_at_xattrs(w, fd, &entry, err);
	if (fd >= 0)
		(void)close(fd);
	return rc == 0 ? tell_file(w, st, &entry, err) : -1;
}

/* Walk on, so that all are said at once. */
static void
note_special(struct walk *w, const char *kind)
{
	if (w->n_specials++ >= SPECIALS_SHOWN)
		return;
	buf_str(&w->specials, w->n_specials > 1 ? ", " : "");
	str_printable(&w->specials, w->path, strnlen(w->path, 200));
	buf_printf(&w->specials, " (%s)", kind);
}

static int
refuse_specials(struct walk *w, struct err *err)
{
	(void)err_set(err, ERR_DATA, "%zu %s that cannot be part of a tree: "
	    "%s%s; stop what made them, remove them", w->n_specials,
	    w->n_specials == 1 ? "thing" : "things", buf_cstr(&w->specials),
	    w->n_specials > SPECIALS_SHOWN ? ", ..." : "");
	w->path[0] = '\0';
	return tree_path_ctx(err, w->root, w->path);
}

static int
walk_link(struct walk *w, int dir, const char *name, const struct stat *st,
    struct err *err)
{
	struct tree_entry entry;

	if (tree_path_readlink(dir, name, w->path, w->target,
	    sizeof(w->target), err) != 0) {
		if (err->kind == ERR_MISSING) {
			err_clear(err);
			return 0;
		}
		return tree_path_ctx(err, w->root, w->path);
	}
	entry_of(w, st, 'l', &entry);
	entry.link = w->target;
	return w->each(w->ctx, &entry, err);
}

static int
walk_sub(struct walk *w, int dir, const char *name, size_t depth,
    struct err *err)
{
	int fd, rc;

	fd = fs_beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return refuse(w, ERR_STALE,
		    "was a directory and is now something else", err);
	if (fd < 0)
		return fail(w, "open", err);
	if (w->rules && w->rules->pass_over && faccessat(fd,
	    w->rules->pass_over, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		rc = 0;
	else
		rc = walk_dir(w, fd, depth, err);
	(void)close(fd);
	return rc;
}

/* One name of the directory dir; w->path is its path already. */
static int
walk_name(struct walk *w, int dir, const char *name, size_t depth,
    struct err *err)
{
	const char *kind;
	struct stat st;

	if (stop_check(err) != 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : fail(w, "stat", err);
	if (S_ISDIR(st.st_mode) && passed_over(w, name, depth))
		return 0;
	kind = tree_path_special(st.st_mode);
	if (kind) {
		note_special(w, kind);
		return 0;
	}
	if (depth > TREE_DEPTH_MAX)
		return refuse(w, ERR_DATA, "too many directories in each "
		    "other (more than 128)", err);
	if (S_ISDIR(st.st_mode))
		return walk_sub(w, dir, name, depth, err);
	if (S_ISLNK(st.st_mode))
		return walk_link(w, dir, name, &st, err);
	return walk_file(w, dir, name, &st, err);
}

/* Depth is bounded by walk_name: TREE_DEPTH_MAX frames, as many fds. */
static int
walk_dir(struct walk *w, int fd, size_t depth, struct err *err)
{
	size_t len = strlen(w->path), name_len;
	struct names names = { .list = NULL };
	struct tree_entry entry;
	struct stat st;
	int rc = -1;

	if (fstat(fd, &st) != 0)
		return fail(w, "stat", err);
	entry_of(w, &st, 'd', &entry);
	if (look_at_xattrs(w, fd, &entry, err) != 0 ||
	    w->each(w->ctx, &entry, err) != 0 ||
	    names_read(w, fd, &names, err) != 0)
		goto out;
	for (size_t i = 0; i < names.n; i++) {
		name_len = strlen(names.list[i]);
		if (len + name_len + 2 > sizeof(w->path)) {
			(void)refuse(w, ERR_DATA, "a path in here is longer "
			    "than 4095 bytes", err);
			goto out;
		}
		(void)snprintf(w->path + len, sizeof(w->path) - len, "%s%s",
		    len > 0 ? "/" : "", names.list[i]);
		if (!excluded(w, names.list[i]) && walk_name(w, fd,
		    names.list[i], depth + 1, err) != 0)
			goto out;
		w->path[len] = '\0';
	}
	rc = 0;
out:
	names_clear(&names);
	return rc;
}

int
tree_walk(const char *root, const struct tree_rules *rules,
    int (*each)(void *ctx, const struct tree_entry *, struct err *),
    void *ctx, struct err *err)
{
	struct walk *w;
	int fd, rc = -1;

	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", root);
	w = mem_zero(1, sizeof(*w));
	w->root = root;
	w->rules = rules;
	w->each = each;
	w->ctx = ctx;
	buf_init(&w->xattrs, TREE_XATTRS_MAX);
	buf_init(&w->left, 4096);
	buf_init(&w->specials, 4096);
	if (rules && (rules->hash || rules->xattrs ||
	    rules->hash_since_ns > 0)) {
		w->block = mem_alloc(BLOCK_BYTES);
		w->hash = hash_new(err);
		if (!w->hash)
			goto out;
	}
	rc = walk_dir(w, fd, 0, err);
	if (rc == 0 && w->n_specials > 0)
		rc = refuse_specials(w, err);
out:
	for (size_t i = 0; i < w->cap_firsts; i++)
		free(w->firsts[i].path);
	free(w->firsts);
	buf_clear(&w->specials);
	buf_clear(&w->left);
	buf_clear(&w->xattrs);
	hash_free(w->hash);
	free(w->block);
	free(w);
	(void)close(fd);
	return rc;
}
