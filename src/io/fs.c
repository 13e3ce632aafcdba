#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "io/fs.h"

/* Where path's filesystem is mounted, as a path; the caller frees it. */
static char *
mount_of(const char *path)
{
	char *at = mem_strdup(path), *real, *slash;
	struct stat here, above;
	dev_t device;

	/* The path itself may not be there (yet): go up until one is. */
	real = realpath(at, NULL);
	while (!real) {
		slash = strrchr(at, '/');
		if (!slash)
			break;
		*slash = '\0';
		real = realpath(slash == at ? "/" : at, NULL);
	}
	free(at);
	if (!real)
		real = realpath(".", NULL);
	if (!real || stat(real, &here) != 0)
		return real;
	for (device = here.st_dev; real[1] != '\0';) {
		at = mem_strdup(real);
		slash = strrchr(at, '/');
		slash[slash == at ? 1 : 0] = '\0';
		if (stat(at, &above) != 0 || above.st_dev != device) {
			free(at);
			break;
		}
		free(real);
		real = at;
	}
	return real;
}

int
fs_fail(struct err *err, const char *what, const char *path)
{
	enum err_kind kind = ERR_FAILED;
	const char *full = NULL;
	char *mount;

	if (errno == ENOENT || errno == ENOTDIR)
		kind = ERR_MISSING;
	if (errno == ENOSPC)
		full = "no space left on the filesystem";
	if (errno == EDQUOT)
		full = "quota used up on the filesystem";
	if (full) {
		mount = mount_of(path);
		(void)err_set(err, kind, "%s: %s %s", what, full,
		    mount ? mount : "");
		free(mount);
	} else {
		(void)err_sys(err, kind, "%s", what);
	}
	return err_ctx(err, "%s", path);
}

int
fs_temp_name(char name[static FS_TEMP_SIZE], struct err *err)
{
	unsigned char bits[8];

	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		return err_sys(err, ERR_FAILED, "random bytes");
	memcpy(name, FS_TEMP_PREFIX, sizeof(FS_TEMP_PREFIX));
	str_hex(bits, sizeof(bits), name + sizeof(FS_TEMP_PREFIX) - 1);
	return 0;
}

static void
meta_of(const struct stat *st, struct fs_meta *meta)
{
	*meta = (struct fs_meta) {
		.type = FS_OTHER,
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size_bytes = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 +
		    st->st_mtim.tv_nsec,
	};
	if (S_ISREG(st->st_mode))
		meta->type = FS_FILE;
	else if (S_ISDIR(st->st_mode))
		meta->type = FS_DIR;
	else if (S_ISLNK(st->st_mode))
		meta->type = FS_SYMLINK;
}

int
fs_stat(const char *path, struct fs_meta *meta, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) == 0) {
		meta_of(&st, meta);
		return 0;
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return fs_fail(err, "stat", path);
	*meta = (struct fs_meta) { .type = FS_NONE };
	return 0;
}

static int
read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	char block[8192];
	ssize_t got;
	int rc = -1;

	for (;;) {
		got = read(fd, block, sizeof(block));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			(void)fs_fail(err, "read", path);
			break;
		}
		if (got == 0) {
			rc = 0;
			break;
		}
		buf_add(out, block, (size_t)got);
		if (buf_check(out, path, err) != 0)
			break;
	}

	/* The file may be one that holds a key. */
	secret_wipe(block, sizeof(block));
	return rc;
}

int
fs_read(const char *path, struct buf *out, struct fs_meta *meta,
    struct err *err)
{
	size_t before = out->len;
	struct stat st;
	int fd, rc = -1;

	/* O_NONBLOCK: opening a FIFO would wait for its other end. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fs_fail(err, "open", path);
	if (fstat(fd, &st) != 0) {
		(void)fs_fail(err, "stat", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, ERR_DATA, "%s: not a regular file", path);
		goto out;
	}
	if (read_all(fd, path, out, err) != 0) {
		if (out->len > before)
			buf_truncate(out, before);
		goto out;
	}
	if (meta)
		meta_of(&st, meta);
	rc = 0;
out:
	(void)close(fd);
	return rc;
}

int
fs_read_if(const char *path, struct buf *out, struct err *err)
{
	if (fs_read(path, out, NULL, err) == 0)
		return 0;
	if (err->kind != ERR_MISSING)
		return -1;
	err_clear(err);
	return 0;
}

/*
 * Open the directory that path is in; *name is its last component, within
 * path.  A path that ends in none ("a/", "..", "/") is not one of ours.
 */
static int
open_parent(const char *path, const char **name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int fd;

	*name = slash ? slash + 1 : path;
	if (**name == '\0' || str_eq(*name, ".") || str_eq(*name, ".."))
		return err_set(err, ERR_FAILED,
		    "%s: does not end in a name", path);
	if (!slash)
		dir = mem_strdup(".");
	else if (slash == path)
		dir = mem_strdup("/");
	else
		dir = mem_strndup(path, (size_t)(slash - path));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		(void)fs_fail(err, "open", dir);
	free(dir);
	return fd;
}

static int
write_all(int fd, const char *data, size_t len)
{
	ssize_t put;

	while (len > 0) {
		put = write(fd, data, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		data += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Make temp in dir whole and durable.  It stays there on failure, too. */
static int
fill_temp(int dir, const char *temp, const char *path, const void *data,
    size_t len, const struct fs_meta *meta, struct err *err)
{
	int fd, rc = -1;

	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd < 0)
		return fs_fail(err, "make a temporary file", path);

	/* Owner first: chown(2) takes the setuid and setgid bits away. */
	if ((meta->uid != (uid_t)-1 || meta->gid != (gid_t)-1) &&
	    fchown(fd, meta->uid, meta->gid) != 0)
		(void)fs_fail(err, "set the owner", path);
	else if (fchmod(fd, meta->mode & 07777) != 0)
		(void)fs_fail(err, "set permissions", path);
	else if (write_all(fd, data, len) != 0)
		(void)fs_fail(err, "write", path);
	else if (fsync(fd) != 0)
		(void)fs_fail(err, "fsync", path);
	else
		rc = 0;
	if (close(fd) != 0 && rc == 0)
		rc = fs_fail(err, "close", path);
	return rc;
}

int
fs_replace(const char *path, const void *data, size_t len,
    const struct fs_meta *meta, struct err *err)
{
	char temp[FS_TEMP_SIZE];
	const char *name;
	bool made = false;
	int dir, rc = -1;

	dir = open_parent(path, &name, err);
	if (dir < 0)
		return -1;
	if (fs_temp_name(temp, err) != 0)
		goto out;
	made = true;
	if (fill_temp(dir, temp, path, data, len, meta, err) != 0)
		goto out;
	if (renameat(dir, temp, dir, name) != 0) {
		(void)fs_fail(err, "rename into place", path);
		goto out;
	}
	made = false;
	fault_point("fs_replace");
	if (fsync(dir) != 0) {
		(void)fs_fail(err, "fsync its directory", path);
		goto out;
	}
	rc = 0;
out:
	if (made)
		(void)unlinkat(dir, temp, 0);
	(void)close(dir);
	return rc;
}

/* Make name in dir, with mode whatever the umask; -1 with errno. */
static int
make_dir(int dir, const char *name, mode_t mode)
{
	int fd, rc;

	if (mkdirat(dir, name, 0700) != 0)
		return errno == EEXIST ? 0 : -1;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fchmod(fd, mode & 07777);
	(void)close(fd);
	if (rc != 0)
		return -1;

	/* dir was opened with O_PATH, which cannot be synced. */
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	(void)close(fd);
	return rc;
}

int
fs_mkdirs(const char *path, mode_t mode, struct err *err)
{
	char name[NAME_MAX + 1];
	const char *rest = path;
	size_t len;
	int at, next, saved;

	at = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return fs_fail(err, "open", *path == '/' ? "/" : ".");
	for (;;) {
		rest += strspn(rest, "/");
		len = strcspn(rest, "/");
		if (len == 0)
			break;
		if (len > NAME_MAX) {
			(void)close(at);
			errno = ENAMETOOLONG;
			return fs_fail(err, "make directory", path);
		}
		memcpy(name, rest, len);
		name[len] = '\0';
		rest += len;
		next = -1;
		if (make_dir(at, name, mode) == 0)
			next = openat(at, name, O_PATH | O_DIRECTORY |
			    O_CLOEXEC);
		saved = errno;
		(void)close(at);
		errno = saved;
		if (next < 0)
			return fs_fail(err, "make directory", path);
		at = next;
	}
	(void)close(at);
	return 0;
}

/* fsync the directory that path is in. */
static int
sync_parent(const char *path, struct err *err)
{
	const char *name;
	int dir, rc;

	dir = open_parent(path, &name, err);
	if (dir < 0)
		return -1;
	rc = fsync(dir);
	if (rc != 0)
		(void)fs_fail(err, "fsync its directory", path);
	(void)close(dir);
	return rc;
}

int
fs_rename(const char *from, const char *to, int exchange, struct err *err)
{
	const char *what = exchange ? "swap names" : "rename";

	if (renameat2(AT_FDCWD, from, AT_FDCWD, to,
	    exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE) != 0) {
		if (errno == EEXIST)
			(void)err_set(err, ERR_FAILED,
			    "%s: something is there already", to);
		else if (errno == EINVAL)
			(void)err_set(err, ERR_FAILED, "%s: its filesystem "
			    "cannot %s in one instant (renameat2)", to,
			    exchange ? "swap two names" :
			    "rename without replacing");
		else
			(void)fs_fail(err, what, to);
		return err_ctx(err, "%s %s", what, from);
	}
	fault_point("fs_rename");
	if (sync_parent(to, err) != 0)
		return -1;
	return sync_parent(from, err);
}

int
fs_free_bytes(const char *path, uint64_t *out, struct err *err)
{
	struct statvfs st;

	if (statvfs(path, &st) != 0)
		return fs_fail(err, "statvfs", path);
	if (__builtin_mul_overflow((uint64_t)st.f_bavail,
	    (uint64_t)st.f_frsize, out))
		*out = UINT64_MAX;
	return 0;
}

int
fs_list(const char *path, void (*each)(void *ctx, const char *name),
    void *ctx, struct err *err)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = 0;

	if (!dir)
		return fs_fail(err, "open", path);
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (!str_eq(entry->d_name, ".") &&
		    !str_eq(entry->d_name, ".."))
			each(ctx, entry->d_name);
	}
	if (errno != 0)
		rc = fs_fail(err, "read", path);
	(void)closedir(dir);
	return rc;
}

int
fs_sync_dir(const char *path, struct err *err)
{
	int fd, rc;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", path);
	rc = fsync(fd);
	if (rc != 0)
		(void)fs_fail(err, "fsync", path);
	(void)close(fd);
	return rc;
}
