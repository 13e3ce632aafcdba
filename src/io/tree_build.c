#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/tree.h"
#include "io/tree_stream.h"

#define DIRS_MAX 1000000	/* each is remembered until the end */

/* Mode and time that a directory gets when nothing more is put into it. */
struct tree_build_late {
	char *path;
	mode_t mode;
	int64_t mtime_ns;
};

static int
fail(const struct tree_build *b, const char *what, struct err *err)
{
	return tree_path_fail(err, what, b->root, b->path);
}

/* The stream says something that we do not do. */
static int
refuse(const struct tree_build *b, const char *why, struct err *err)
{
	(void)err_set(err, ERR_DATA, "%s", why);
	return tree_path_ctx(err, b->root, b->path);
}

int
tree_build_refuse(const struct tree_build *b, const char *why,
    struct err *err)
{
	return refuse(b, why, err);
}

static struct timespec
time_of(int64_t ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	if (t.tv_nsec < 0) {
		t.tv_sec--;
		t.tv_nsec += 1000000000;
	}
	return t;
}

/* For utimensat(2): leave the time of access, set that of the content. */
static void
times_of(int64_t mtime_ns, struct timespec times[2])
{
	times[0] = (struct timespec) { .tv_nsec = UTIME_OMIT };
	times[1] = time_of(mtime_ns);
}

static bool
owner_given(const struct tree_build *b)
{
	return b->uid != (uid_t)-1 || b->gid != (gid_t)-1;
}

/* Open the directory that the current path is in; its last name. */
static int
open_place(struct tree_build *b, const char **name, struct err *err)
{
	char dir[TREE_PATH_MAX];
	int fd;

	tree_path_split(b->path, dir, sizeof(dir), name);
	fd = fs_beneath_open(b->root_fd, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return refuse(b, "its directory did not come before it", err);
	if (errno == ELOOP || errno == ENOTDIR || errno == EXDEV)
		return refuse(b, "what it should be in is no directory", err);
	return fail(b, "open its directory", err);
}

/* Make way for a file or link: nothing but a directory with names stays. */
static int
clear_name(const struct tree_build *b, int dir, const char *name,
    struct err *err)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR && (unlinkat(dir, name, AT_REMOVEDIR) == 0 ||
	    errno == ENOENT))
		return 0;
	return fail(b, "replace what is there", err);
}

static int
remember_dir(struct tree_build *b, struct err *err)
{
	if (b->n_dirs == DIRS_MAX)
		return refuse(b, "more than a million directories", err);
	if (b->n_dirs == b->cap_dirs) {
		b->cap_dirs = b->cap_dirs ? 2 * b->cap_dirs : 16;
		b->dirs = mem_grow(b->dirs, b->cap_dirs, sizeof(*b->dirs));
	}
	b->dirs[b->n_dirs++] = (struct tree_build_late) {
		.path = mem_strdup(b->path),
		.mode = b->header.mode,
		.mtime_ns = b->header.mtime_ns,
	};
	return 0;
}

/* A directory is ours alone, and open to us, until the end. */
int
tree_build_dir(struct tree_build *b, struct err *err)
{
	const char *name;
	int dir, fd = -1, rc = -1;

	if (*b->path == '\0')
		return remember_dir(b, err);
	dir = open_place(b, &name, err);
	if (dir < 0)
		return -1;
	fd = fs_beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0) {
		if (errno != ENOENT && unlinkat(dir, name, 0) != 0 &&
		    errno != ENOENT) {
			(void)fail(b, "replace what is there", err);
			goto out;
		}
		if (mkdirat(dir, name, 0700) == 0)
			fd = fs_beneath_open(dir, name,
			    O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0) {
		(void)fail(b, "make directory", err);
		goto out;
	}
	if ((owner_given(b) && fchown(fd, b->uid, b->gid) != 0) ||
	    fchmod(fd, 0700) != 0) {
		(void)fail(b, "set owner and permissions", err);
		goto out;
	}
	rc = remember_dir(b, err);
out:
	if (fd >= 0)
		(void)close(fd);
	(void)close(dir);
	return rc;
}

int
tree_build_link(struct tree_build *b, const char *target, struct err *err)
{
	struct timespec times[2];
	const char *name;
	int dir, rc = -1;

	if (strlen(target) != b->header.size ||
	    !tree_path_link_inside(b->path, target))
		return refuse(b, "a symlink that leads out of the tree", err);
	dir = open_place(b, &name, err);
	if (dir < 0)
		return -1;
	times_of(b->header.mtime_ns, times);
	if (clear_name(b, dir, name, err) != 0)
		goto out;
	if (symlinkat(target, dir, name) != 0)
		(void)fail(b, "make symlink", err);
	else if (owner_given(b) && fchownat(dir, name, b->uid, b->gid,
	    AT_SYMLINK_NOFOLLOW) != 0)
		(void)fail(b, "set the owner", err);
	else if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		(void)fail(b, "set its time", err);
	else
		rc = 0;
out:
	(void)close(dir);
	return rc;
}

void
tree_build_drop(struct tree_build *b, bool whole)
{
	if (b->fd < 0)
		return;
	(void)close(b->fd);
	if (!whole)
		(void)unlinkat(b->dir_fd, b->name, 0);
	(void)close(b->dir_fd);
	b->fd = -1;
	b->dir_fd = -1;
}

int
tree_build_begin(struct tree_build *b, struct err *err)
{
	b->dir_fd = open_place(b, &b->name, err);
	if (b->dir_fd < 0)
		return -1;
	if (clear_name(b, b->dir_fd, b->name, err) == 0) {
		/* O_EXCL: never into a file that somebody else put there. */
		b->fd = openat(b->dir_fd, b->name, O_WRONLY | O_CREAT |
		    O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (b->fd < 0)
			(void)fail(b, "make file", err);
	}
	if (b->fd < 0) {
		(void)close(b->dir_fd);
		b->dir_fd = -1;
		return -1;
	}
	return 0;
}

int
tree_build_write(struct tree_build *b, const unsigned char *data,
    size_t len, struct err *err)
{
	ssize_t put;

	hash_add(b->hash, data, len);
	while (len > 0) {
		put = write(b->fd, data, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail(b, "write", err);
		data += put;
		len -= (size_t)put;
		b->bytes += (uint64_t)put;
	}
	return 0;
}

int
tree_build_end(struct tree_build *b, const unsigned char *told,
    struct err *err)
{
	unsigned char digest[HASH_SIZE];
	struct timespec times[2];

	if (hash_end(b->hash, digest, err) != 0)
		return -1;
	if (memcmp(digest, told, sizeof(digest)) != 0)
		return refuse(b, "its SHA-256 is not what the stream says",
		    err);
	times_of(b->header.mtime_ns, times);
	if ((owner_given(b) && fchown(b->fd, b->uid, b->gid) != 0) ||
	    fchmod(b->fd, b->header.mode) != 0)
		return fail(b, "set owner and permissions", err);
	if (futimens(b->fd, times) != 0)
		return fail(b, "set its time", err);
	tree_build_drop(b, true);
	return 0;
}

/* Children before parents: one that loses its x bit is not passed again. */
int
tree_build_settle(struct tree_build *b, struct err *err)
{
	const struct tree_build_late *dir;
	struct timespec times[2];
	int fd, rc = 0;

	for (size_t i = b->n_dirs; rc == 0 && i > 0; i--) {
		dir = &b->dirs[i - 1];
		(void)snprintf(b->path, sizeof(b->path), "%s", dir->path);
		times_of(dir->mtime_ns, times);
		fd = fs_beneath_open(b->root_fd, dir->path,
		    O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return fail(b, "open", err);
		if (fchmod(fd, dir->mode) != 0)
			rc = fail(b, "set permissions", err);
		else if (futimens(fd, times) != 0)
			rc = fail(b, "set its time", err);
		(void)close(fd);
	}
	if (rc != 0)
		return -1;
	b->path[0] = '\0';
	if (syncfs(b->root_fd) != 0)
		return fail(b, "sync the filesystem", err);
	return 0;
}

int
tree_build_open(struct tree_build *b, const char *root, uid_t uid, gid_t gid,
    struct err *err)
{
	*b = (struct tree_build) {
		.root_fd = -1,
		.dir_fd = -1,
		.fd = -1,
		.uid = uid,
		.gid = gid,
	};
	if (mkdir(root, 0700) != 0 && errno != EEXIST)
		return fs_fail(err, "make directory", root);
	b->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (b->root_fd < 0)
		return fs_fail(err, "open", root);
	b->root = mem_strdup(root);
	b->hash = hash_new(err);
	if (!b->hash)
		return -1;
	if (owner_given(b) && fchown(b->root_fd, uid, gid) != 0)
		return fail(b, "set the owner", err);
	return 0;
}

void
tree_build_close(struct tree_build *b)
{
	tree_build_drop(b, false);
	for (size_t i = 0; i < b->n_dirs; i++)
		free(b->dirs[i].path);
	free(b->dirs);
	hash_free(b->hash);
	if (b->root_fd >= 0)
		(void)close(b->root_fd);
	free(b->root);
}
