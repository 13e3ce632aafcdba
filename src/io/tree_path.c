#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/tree.h"
#include "io/tree_stream.h"

void
tree_path_put(unsigned char *at, uint64_t value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

uint64_t
tree_path_get(const unsigned char *at, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static bool
is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') ||
	    (len == 2 && name[0] == '.' && name[1] == '.');
}

bool
tree_path_valid(const char *path, size_t len)
{
	size_t depth = 0, at = 0, name;
	const char *slash;

	if (len == 0)
		return true;
	if (len >= TREE_PATH_MAX || memchr(path, '\0', len))
		return false;
	while (at <= len) {
		slash = memchr(path + at, '/', len - at);
		name = slash ? (size_t)(slash - path) - at : len - at;
		if (name == 0 || name > NAME_MAX || is_dots(path + at, name))
			return false;
		if (++depth > TREE_DEPTH_MAX)
			return false;
		at += name + 1;
	}
	return true;
}

bool
tree_path_link_inside(const char *path, const char *target)
{
	size_t above = 0, len;
	bool down = false;

	if (*target == '\0' || *target == '/')
		return false;
	for (; *path != '\0'; path++)
		if (*path == '/')
			above++;
	while (*target != '\0') {
		len = strcspn(target, "/");
		if (len == 2 && is_dots(target, len)) {
			if (down || above == 0)
				return false;
			above--;
		} else if (len > 0 && !is_dots(target, len)) {
			down = true;
		}
		target += len;
		if (*target == '/')
			target++;
	}
	return true;
}

void
tree_path_split(const char *path, char *dir, size_t dir_size,
    const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	(void)snprintf(dir, dir_size, "%.*s",
	    slash ? (int)(slash - path) : 0, path);
}

int
tree_path_ctx(struct err *err, const char *root, const char *path)
{
	struct buf text = BUF_INIT(ERR_TEXT_MAX * 8);

	str_printable(&text, root, strlen(root));
	if (*path != '\0')
		buf_char(&text, '/');
	str_printable(&text, path, strlen(path));
	(void)err_ctx(err, "%s", buf_cstr(&text));
	buf_clear(&text);
	return -1;
}

int
tree_path_fail(struct err *err, const char *what, const char *root,
    const char *path)
{
	struct err at = ERR_INIT;
	int cause = errno;

	/* A full disk needs the filesystem's name: root is always on it. */
	if (cause == ENOSPC || cause == EDQUOT) {
		(void)fs_fail(&at, what, root);
		(void)err_set(err, at.kind, "%s", at.text +
		    (str_starts(at.text, root) ? strlen(root) + 2 : 0));
	} else {
		(void)err_sys(err, cause == ENOENT || cause == ENOTDIR ?
		    ERR_MISSING : ERR_FAILED, "%s", what);
	}
	return tree_path_ctx(err, root, path);
}

const char *
tree_path_special(unsigned int mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
		return NULL;
	case S_IFSOCK:
		return "socket";
	case S_IFIFO:
		return "FIFO";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	default:
		return "thing of unknown kind";
	}
}

int
tree_path_readlink(int dir, const char *name, const char *path,
    char *target, size_t size, struct err *err)
{
	struct buf clean = BUF_INIT(4 * ERR_TEXT_MAX);
	ssize_t got;

	got = readlinkat(dir, name, target, size);
	if (got < 0)
		return err_sys(err, errno == ENOENT ? ERR_MISSING :
		    errno == EINVAL ? ERR_STALE : ERR_FAILED,
		    "read the symlink");
	if ((size_t)got >= size)
		return err_set(err, ERR_DATA,
		    "the target of this symlink is longer than %zu bytes",
		    size - 1);
	target[got] = '\0';
	if (tree_path_link_inside(path, target))
		return 0;
	str_printable(&clean, target, (size_t)got);
	(void)err_set(err, ERR_DATA, "a symlink that %s: -> %.400s",
	    *target == '/' ? "is absolute" : "leads out of the tree",
	    buf_cstr(&clean));
	buf_clear(&clean);
	return -1;
}
