#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"

/* How often a directory that somebody still fills is emptied again. */
#define TRIES 16

/* One directory on the way down. */
struct level {
	DIR *dir;
	size_t path_len;	/* of the path of the directory above */
	int tries;
};

struct removal {
	struct level levels[FS_DEPTH_MAX];
	size_t depth;
	dev_t device;
	struct buf path;	/* of what is looked at, for messages */
};

static int
fail(struct removal *r, const char *what, struct err *err)
{
	return fs_fail(err, what, buf_cstr(&r->path));
}

/*
 * Enter the directory name of parent.  Owners may have taken their own
 * permissions away (0555 is common for caches): they are given back, by
 * descriptor, so that no symlink put there meanwhile is changed.
 */
static int
enter(struct removal *r, int parent, const char *name, size_t path_len,
    struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	DIR *dir = NULL;
	int fd;

	if (r->depth == FS_DEPTH_MAX)
		return err_set(err, ERR_DATA,
		    "%s: more than %d directories deep", buf_cstr(&r->path),
		    FS_DEPTH_MAX);
	fd = openat(parent, name, flags);
	if (fd < 0 && errno == EACCES &&
	    fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(parent, name, flags);
	if (fd < 0)
		return fail(r, "open", err);
	if (fstat(fd, &st) == 0) {
		if (r->depth == 0)
			r->device = st.st_dev;
		if (st.st_dev != r->device) {
			(void)close(fd);
			return err_set(err, ERR_FAILED, "%s: another "
			    "filesystem is mounted here", buf_cstr(&r->path));
		}
		if ((st.st_mode & 0700) != 0700)
			(void)fchmod(fd, 0700);
		dir = fdopendir(fd);
	}
	if (!dir) {
		(void)fail(r, "open", err);
		(void)close(fd);
		return -1;
	}
	r->levels[r->depth++] = (struct level) {
		.dir = dir,
		.path_len = path_len,
	};
	return 0;
}

/* Remove name of parent, or enter it when it is a directory. */
static int
take(struct removal *r, int parent, const char *name, struct err *err)
{
	size_t path_len = r->path.len;
	struct stat st;

	if (path_len > 0)
		buf_char(&r->path, '/');
	buf_str(&r->path, name);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			return fail(r, "stat", err);
	} else if (S_ISDIR(st.st_mode)) {
		return enter(r, parent, name, path_len, err);
	} else if (unlinkat(parent, name, 0) != 0 && errno != ENOENT) {
		return fail(r, "remove", err);
	}
	buf_truncate(&r->path, path_len);
	return 0;
}

/* The deepest directory was read to its end: remove it from the one above. */
static int
leave(struct removal *r, int top, const char *top_name, struct err *err)
{
	struct level *here = &r->levels[r->depth - 1];
	const char *path = buf_cstr(&r->path);
	bool is_top = r->depth == 1;
	int parent = is_top ? top : dirfd(here[-1].dir);
	const char *name = top_name;

	if (!is_top)
		name = path + here->path_len + 1;
	if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
		/* A reader may miss names when others add and remove. */
		if (errno != ENOTEMPTY || ++here->tries == TRIES)
			return fail(r, "remove", err);
		rewinddir(here->dir);
		return 0;
	}
	(void)closedir(here->dir);
	buf_truncate(&r->path, here->path_len);
	r->depth--;
	return 0;
}

static int
empty(struct removal *r, int top, const char *top_name, struct err *err)
{
	const struct dirent *e;
	DIR *dir;
	int rc;

	while (r->depth > 0) {
		dir = r->levels[r->depth - 1].dir;
		errno = 0;
		e = readdir(dir);
		if (!e && errno != 0)
			return fail(r, "read", err);
		if (!e)
			rc = leave(r, top, top_name, err);
		else if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			rc = 0;
		else
			rc = take(r, dirfd(dir), e->d_name, err);
		if (rc != 0)
			return -1;
	}
	return 0;
}

/* Directory and last name of path, a "/" at its end aside. */
static int
open_top(const char *path, char **name, struct err *err)
{
	char *copy = mem_strdup(path), *slash;
	size_t len = strlen(copy);
	int fd = -1;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	*name = mem_strdup(slash ? slash + 1 : copy);
	if (**name == '\0' || str_eq(*name, ".") || str_eq(*name, "..")) {
		(void)err_set(err, ERR_FAILED, "%s: is not to be removed",
		    path);
		goto out;
	}
	if (slash)
		slash[slash == copy ? 1 : 0] = '\0';
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		(void)fs_fail(err, "open", slash ? copy : ".");
out:
	free(copy);
	return fd;
}

int
fs_remove(const char *path, struct err *err)
{
	struct removal *r = mem_zero(1, sizeof(*r));
	char *name = NULL;
	int top, rc = -1;

	/* Long enough for any depth; a longer one would only cut messages. */
	buf_init(&r->path, FS_DEPTH_MAX * (NAME_MAX + 1) + PATH_MAX);
	top = open_top(path, &name, err);
	if (top < 0) {
		if (err->kind == ERR_MISSING) {
			err_clear(err);
			rc = 0;
		}
		goto out;
	}
	if (take(r, top, name, err) != 0 || empty(r, top, name, err) != 0) {
		(void)err_ctx(err, "remove %s", path);
		goto out;
	}
	fault_point("fs_remove");
	if (fsync(top) != 0) {
		(void)fs_fail(err, "fsync its directory", path);
		goto out;
	}
	rc = 0;
out:
	while (r->depth > 0)
		(void)closedir(r->levels[--r->depth].dir);
	if (top >= 0)
		(void)close(top);
	buf_clear(&r->path);
	free(name);
	free(r);
	return rc;
}

struct sweep {
	const char *dir;
	bool (*is_rest)(const void *ctx, const char *name);
	const void *ctx;
};

static void
sweep_one(void *ctx, const char *name)
{
	const struct sweep *sweep = ctx;
	struct err ignored = ERR_INIT;
	char *path;

	if (!sweep->is_rest(sweep->ctx, name))
		return;
	path = mem_printf("%s/%s", sweep->dir, name);
	if (fs_remove(path, &ignored) != 0)
		err_clear(&ignored);
	free(path);
}

int
fs_sweep(const char *dir, bool (*is_rest)(const void *ctx, const char *name),
    const void *ctx, struct err *err)
{
	struct sweep sweep = { dir, is_rest, ctx };

	return fs_list(dir, sweep_one, &sweep, err);
}

bool
fs_is_orphan(const void *start, const char *name)
{
	uint64_t pid;

	return str_starts(name, start) &&
	    str_u64(name + strlen(start), INT_MAX, &pid) && pid != 0 &&
	    kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}
