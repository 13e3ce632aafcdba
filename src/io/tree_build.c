#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
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

#define HOLE_STEP (16 * 1024 * 1024)	/* between two looks at a signal */

static uint32_t
find_id(const struct tree_id *ids, size_t n, uint32_t from, uint32_t other)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i].from == from)
			return ids[i].to;
	return other;
}

uid_t
tree_owner_user(const struct tree_owner *owner, uint32_t from)
{
	return find_id(owner->users, owner->n_users, from, owner->uid);
}

gid_t
tree_owner_group(const struct tree_owner *owner, uint32_t from)
{
	return find_id(owner->groups, owner->n_groups, from, owner->gid);
}

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

/*
 * Owner, attributes and mode of the current entry, in this order: a change of
 * owner takes setuid and capabilities away, an access list changes the mode.
 */
static int
set_meta(struct tree_build *b, int fd, mode_t mode, struct err *err)
{
	uid_t uid = tree_owner_user(&b->owner, b->header.uid);
	gid_t gid = tree_owner_group(&b->owner, b->header.gid);

	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchown(fd, uid, gid) != 0)
		return fail(b, "set the owner", err);
	if (b->xattrs.len > 0 && tree_xattr_write(fd, &b->xattrs, &b->owner,
	    &b->lost_xattrs, err) != 0)
		return tree_path_ctx(err, b->root, b->path);
	if (fchmod(fd, mode) != 0)
		return fail(b, "set permissions", err);
	return 0;
}

static mode_t
mode_of(const struct tree_build *b)
{
	return b->header.mode & (b->owner.setuid ? 07777 : 0777);
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
		.mode = mode_of(b),
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
		return set_meta(b, b->root_fd, 0700, err) == 0 ?
		    remember_dir(b, err) : -1;
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
	if (set_meta(b, fd, 0700, err) == 0)
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
	uid_t uid = tree_owner_user(&b->owner, b->header.uid);
	gid_t gid = tree_owner_group(&b->owner, b->header.gid);
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
	else if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
		(void)fail(b, "set the owner", err);
	else if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0)
		(void)fail(b, "set its time", err);
	else
		rc = 0;
out:
	(void)close(dir);
	return rc;
}

/* Open the directory and look at the file that a hard link is to. */
static int
open_file_of(struct tree_build *b, const char *path, const char **name,
    struct stat *st, struct err *err)
{
	char dir_path[TREE_PATH_MAX];
	int dir;

	if (strlen(path) != b->header.size || *path == '\0' ||
	    !tree_path_valid(path, strlen(path)))
		return refuse(b, "a hard link to what is no path in the tree",
		    err);
	tree_path_split(path, dir_path, sizeof(dir_path), name);
	dir = fs_beneath_open(b->root_fd, dir_path,
	    O_RDONLY | O_DIRECTORY, 0);
	if (dir >= 0 && fstatat(dir, *name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st->st_mode))
		return dir;
	if (dir >= 0)
		(void)close(dir);
	return refuse(b, "a hard link to what is no file in the tree, or "
	    "comes only behind it", err);
}

/* The new name must be what was looked at, or it goes again. */
static int
link_checked(struct tree_build *b, int from, const char *old,
    const struct stat *want, int to, const char *new, struct err *err)
{
	struct stat st;

	if (linkat(from, old, to, new, 0) != 0)
		return fail(b, "make hard link", err);
	if (fstatat(to, new, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == want->st_ino && st.st_dev == want->st_dev)
		return 0;
	(void)unlinkat(to, new, 0);
	return refuse(b, "what it is a hard link to changed meanwhile", err);
}

int
tree_build_hard(struct tree_build *b, const char *path, struct err *err)
{
	const char *name, *old;
	struct stat st;
	int dir, from, rc = -1;

	/* A name would make way for itself. */
	if (strcmp(path, b->path) == 0)
		return refuse(b, "a hard link to itself", err);
	from = open_file_of(b, path, &old, &st, err);
	if (from < 0)
		return -1;
	dir = open_place(b, &name, err);
	if (dir >= 0 && clear_name(b, dir, name, err) == 0)
		rc = link_checked(b, from, old, &st, dir, name, err);
	if (dir >= 0)
		(void)close(dir);
	(void)close(from);
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
tree_build_hole(struct tree_build *b, uint64_t len, struct err *err)
{
	off_t at = lseek(b->fd, 0, SEEK_CUR);
	uint64_t n;

	/* The filesystem's own bound comes before we count zeros. */
	if (at < 0 || ftruncate(b->fd, at + (off_t)len) != 0 ||
	    lseek(b->fd, (off_t)len, SEEK_CUR) < 0)
		return fail(b, "make a hole", err);
	for (; len > 0; len -= n) {
		if (stop_check(err) != 0)
			return -1;
		n = len < HOLE_STEP ? len : HOLE_STEP;
		tree_hash_hole(b->hash, n);
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
	if (set_meta(b, b->fd, mode_of(b), err) != 0)
		return -1;
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

static const struct tree_id *
copy_ids(const struct tree_id *ids, size_t n)
{
	struct tree_id *copy = mem_zero(n + 1, sizeof(*copy));

	if (n > 0)
		memcpy(copy, ids, n * sizeof(*copy));
	return copy;
}

int
tree_build_open(struct tree_build *b, const char *root,
    const struct tree_owner *owner, struct err *err)
{
	*b = (struct tree_build) {
		.root_fd = -1,
		.dir_fd = -1,
		.fd = -1,
		.owner = *owner,
	};
	b->owner.users = copy_ids(owner->users, owner->n_users);
	b->owner.groups = copy_ids(owner->groups, owner->n_groups);
	buf_init(&b->xattrs, TREE_XATTRS_MAX);
	if (mkdir(root, 0700) != 0 && errno != EEXIST)
		return fs_fail(err, "make directory", root);
	b->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (b->root_fd < 0)
		return fs_fail(err, "open", root);
	b->root = mem_strdup(root);
	b->hash = hash_new(err);
	return b->hash ? 0 : -1;
}

void
tree_build_close(struct tree_build *b)
{
	tree_build_drop(b, false);
	for (size_t i = 0; i < b->n_dirs; i++)
		free(b->dirs[i].path);
	free(b->dirs);
	free((void *)b->owner.users);
	free((void *)b->owner.groups);
	buf_clear(&b->xattrs);
	hash_free(b->hash);
	if (b->root_fd >= 0)
		(void)close(b->root_fd);
	free(b->root);
}
