#include "base/base.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "io/fs.h"

/* The next component of *path into name, *path after it.  -1 with errno. */
static int
next_name(const char **path, char name[static NAME_MAX + 1])
{
	size_t len = strcspn(*path, "/");

	if (len == 0 || (len == 2 && memcmp(*path, "..", 2) == 0)) {
		errno = EXDEV;
		return -1;
	}
	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, *path, len);
	name[len] = '\0';
	*path += len;
	if (**path == '/')
		(*path)++;
	return 0;
}

/* A directory on the way; a symlink is ELOOP, as openat2 has it. */
static int
step_into(int at, const char *name)
{
	int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	struct stat st;

	if (next >= 0 || errno != ENOTDIR)
		return next;
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
	return -1;
}

/* One component after the other. */
static int
walk_open(int dir, const char *path, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	int at = dir, next, saved;

	for (;;) {
		next = -1;
		if (next_name(&path, name) == 0) {
			if (*path == '\0')
				next = openat(at, name, flags | O_NOFOLLOW,
				    mode);
			else
				next = step_into(at, name);
		}
		saved = errno;
		if (at != dir)
			(void)close(at);
		errno = saved;
		if (next < 0 || *path == '\0')
			return next;
		at = next;
	}
}

int
fs_beneath_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};
	char name[NAME_MAX + 1];
	const char *rest = path;
	long fd;

	if (*path == '\0')
		return openat(dir, ".", flags | O_CLOEXEC, mode);

	/* Both ways judge a path alike: look at its words first. */
	while (*rest != '\0')
		if (next_name(&rest, name) != 0)
			return -1;
	if ((flags & O_CREAT) != 0)	/* else it must be 0 */
		how.mode = mode;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd >= 0)
		return (int)fd;

	/* Kernels before 5.6; filters of old container engines say EPERM. */
	if (errno == ENOSYS || errno == EPERM || errno == EAGAIN)
		return walk_open(dir, path, flags | O_CLOEXEC, mode);
	return -1;
}
