#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/str.h"
#include "io/procs.h"

#define ARGV_MAX (64u * 1024u)
#define ENVIRON_MAX (8u * 1024u * 1024u)
#define STAT_MAX 4096u
#define LEVELS_MAX 64		/* from a working directory up to dir */
#define SCRIPT_WORDS_MAX 16	/* an interpreter's options are few */
#define HOLDERS_MAX 8
#define DELETED " (deleted)"
#define PF_KTHREAD 0x00200000u	/* include/linux/sched.h */

/* What proc(5) says in the file "stat". */
struct stat_line {
	char state;
	pid_t ppid;
	unsigned long flags;
	uint64_t start;
};

/* The directory that is asked for. */
struct below {
	char *path;		/* resolved where that is possible */
	bool known;		/* dev and ino are */
	dev_t dev;
	ino_t ino;
};

/* Append what a file of /proc holds, up to the maximum.  -1 with errno. */
static int
slurp(int proc, const char *name, struct buf *out)
{
	char part[4096];
	ssize_t n;
	int fd, saved;

	fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	do {
		n = read(fd, part, sizeof(part));
		if (n > 0)
			buf_add(out, part, (size_t)n < out->max - out->len ?
			    (size_t)n : out->max - out->len);
	} while (n > 0 && out->len < out->max);
	saved = errno;
	secret_wipe(part, sizeof(part));
	(void)close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

/* The name of the program stands in brackets and may hold anything. */
static bool
read_stat(int proc, struct stat_line *out)
{
	struct buf text = BUF_INIT(STAT_MAX);
	unsigned long long start = 0;
	const char *p = NULL;
	int ppid = 0, got = 0;

	memset(out, 0, sizeof(*out));
	if (slurp(proc, "stat", &text) == 0 && text.len > 0)
		p = strrchr(text.data, ')');
	if (p)
		got = sscanf(p + 1, " %c %d %*d %*d %*d %*d %lu %*u %*u %*u "
		    "%*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &out->state,
		    &ppid, &out->flags, &start);
	out->ppid = ppid;
	out->start = start;
	buf_clear(&text);
	return got == 4;
}

static bool
is_gone(char state)
{
	return state == 'Z' || state == 'X' || state == 'x';
}

/* Where a link of /proc leads, in size bytes at out; "" when not told. */
static void
read_link(int proc, const char *name, char *out, size_t size)
{
	const size_t tail = strlen(DELETED);
	ssize_t n = readlinkat(proc, name, out, size - 1);

	if (n < 0)
		n = 0;
	out[n] = '\0';
	if ((size_t)n > tail && str_ends(out, DELETED))
		out[(size_t)n - tail] = '\0';
}

static bool
is_below(const struct below *b, const char *path)
{
	const size_t len = strlen(b->path);

	if (str_eq(b->path, "/"))
		return path[0] == '/';
	return str_starts(path, b->path) &&
	    (path[len] == '\0' || path[len] == '/');
}

/* Whether fd, or a directory on the way up from it, is b.  Closes fd. */
static bool
fd_by_inode(int fd, const struct below *b)
{
	bool found = false;
	struct stat st;
	int up;

	for (int i = 0; fd >= 0 && i < LEVELS_MAX; i++) {
		const ino_t ino = fstat(fd, &st) == 0 ? st.st_ino : 0;
		const dev_t dev = st.st_dev;

		found = ino == b->ino && dev == b->dev;
		up = found ? -1 : openat(fd, "..", O_PATH | O_DIRECTORY |
		    O_CLOEXEC);
		(void)close(fd);
		fd = up;
		/* The root is its own parent. */
		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == ino &&
		    st.st_dev == dev)
			break;
	}
	if (fd >= 0)
		(void)close(fd);
	return found;
}

/* Whether the working directory is b or below it. */
static bool
cwd_by_inode(int proc, const struct below *b)
{
	return b->known && fd_by_inode(openat(proc, "cwd", O_PATH |
	    O_DIRECTORY | O_CLOEXEC), b);
}

/* Whether the directory of a path, as the process sees it, is likewise. */
static bool
word_by_inode(int proc, const char *word, const struct below *b)
{
	const char *slash = strrchr(word, '/');
	char *dir = mem_printf(".%.*s", (int)(slash - word), word);
	const int base = openat(proc, *word == '/' ? "root" : "cwd", O_PATH |
	    O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	/* "./srv" below its root; below its working directory "srv". */
	if (base >= 0) {
		fd = openat(base, *word == '/' ? dir : dir + 1, O_PATH |
		    O_DIRECTORY | O_CLOEXEC);
		(void)close(base);
	}
	free(dir);
	return fd >= 0 && fd_by_inode(fd, b);
}

static bool
runs_below(int proc, const struct buf *argv, const struct below *b)
{
	const char *word = argv->data;
	size_t left = argv->len, len;

	for (int i = 0; b->known && left > 0 && i < SCRIPT_WORDS_MAX; i++) {
		len = strlen(word);
		if (strchr(word, '/') && str_ends(word, ".py") &&
		    word_by_inode(proc, word, b))
			return true;
		len += len < left;
		word += len;
		left -= len;
	}
	return false;
}

/* Whether each says true of one of the files that the process holds open. */
static bool
any_fd(int proc, bool (*each)(int fds, const char *name, const void *ctx),
    const void *ctx)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool found = false;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	while (!found) {
		e = readdir(dir);
		if (!e)
			break;
		if (e->d_name[0] != '.')
			found = each(fd, e->d_name, ctx);
	}
	(void)closedir(dir);
	return found;
}

static bool
fd_below(int fds, const char *name, const void *ctx)
{
	char path[PATH_MAX];

	read_link(fds, name, path, sizeof(path));
	return is_below(ctx, path);
}

static bool
fd_is(int fds, const char *name, const void *ctx)
{
	const struct stat *want = ctx;
	struct stat st;

	return fstatat(fds, name, &st, 0) == 0 &&
	    st.st_dev == want->st_dev && st.st_ino == want->st_ino;
}

static int
open_proc(pid_t pid)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "/proc/%d", (int)pid);
	return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Look at one process; it may go at any instant, and is not told of then. */
static int
look(pid_t pid, const struct below *b, procs_each *each, void *ctx,
    struct err *err)
{
	struct procs_info info = { .pid = pid };
	struct buf argv = BUF_INIT(ARGV_MAX);
	char exe[PATH_MAX], cwd[PATH_MAX];
	struct stat_line line, again;
	struct stat st;
	int proc = open_proc(pid), rc = 0;

	if (proc < 0)
		return 0;
	if (!read_stat(proc, &line) || is_gone(line.state) ||
	    (line.flags & PF_KTHREAD) != 0 || fstat(proc, &st) != 0)
		goto out;
	read_link(proc, "exe", exe, sizeof(exe));
	read_link(proc, "cwd", cwd, sizeof(cwd));
	if (b && (is_below(b, cwd) || cwd_by_inode(proc, b)))
		info.why |= PROCS_CWD;
	if (b && is_below(b, exe))
		info.why |= PROCS_EXE;
	if (b && any_fd(proc, fd_below, b))
		info.why |= PROCS_FD;
	if (slurp(proc, "cmdline", &argv) != 0 ||
	    !read_stat(proc, &again) || is_gone(again.state))
		goto out;
	if (b && runs_below(proc, &argv, b))
		info.why |= PROCS_SCRIPT;
	if (b && info.why == 0)
		goto out;
	info.ppid = line.ppid;
	info.start = line.start;
	info.uid = st.st_uid;
	info.state = line.state;
	info.exe = exe;
	info.cwd = cwd;
	info.argv = buf_cstr(&argv);
	info.argv_len = argv.len;
	rc = each(ctx, &info, err);
out:
	buf_clear(&argv);
	(void)close(proc);
	return rc;
}

static int
by_pid(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* All pids, in order; the caller frees them. */
static pid_t *
all_pids(size_t *n, struct err *err)
{
	DIR *dir = opendir("/proc");
	pid_t *pids = NULL;
	const struct dirent *e;
	uint64_t pid;
	size_t room = 0;

	*n = 0;
	if (!dir) {
		(void)err_sys(err, ERR_FAILED, "/proc");
		return NULL;
	}
	for (;;) {
		e = readdir(dir);
		if (!e)
			break;
		if (!str_u64(e->d_name, INT_MAX, &pid) ||
		    (pid_t)pid == getpid())
			continue;
		if (*n == room) {
			room = room == 0 ? 256 : 2 * room;
			pids = mem_grow(pids, room, sizeof(*pids));
		}
		pids[(*n)++] = (pid_t)pid;
	}
	(void)closedir(dir);
	if (!pids) {
		(void)err_set(err, ERR_FAILED,
		    "/proc: shows no process; is it mounted?");
		return NULL;
	}
	qsort(pids, *n, sizeof(*pids), by_pid);
	return pids;
}

static void
below_init(struct below *b, const char *dir)
{
	size_t len;
	struct stat st;

	memset(b, 0, sizeof(*b));
	b->path = realpath(dir, NULL);
	if (!b->path)
		b->path = mem_strdup(dir);
	for (len = strlen(b->path); len > 1 && b->path[len - 1] == '/';)
		b->path[--len] = '\0';
	if (stat(dir, &st) == 0) {
		b->known = true;
		b->dev = st.st_dev;
		b->ino = st.st_ino;
	}
}

int
procs_list(const char *dir, procs_each *each, void *ctx, struct err *err)
{
	struct below below = { .path = NULL };
	pid_t *pids;
	size_t n;
	int rc = 0;

	if (dir && dir[0] != '/')
		return err_set(err, ERR_USAGE, "%s: not an absolute path",
		    dir);
	pids = all_pids(&n, err);
	if (!pids)
		return -1;
	if (dir)
		below_init(&below, dir);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = stop_check(err);
		if (rc == 0)
			rc = look(pids[i], dir ? &below : NULL, each, ctx,
			    err);
	}
	free(below.path);
	free(pids);
	return rc;
}

/* " 12 python3": a process, by the name that the kernel has for it. */
static void
add_holder(pid_t pid, int proc, struct buf *out)
{
	struct buf name = BUF_INIT(64);

	buf_printf(out, " %d ", (int)pid);
	if (slurp(proc, "comm", &name) == 0)
		str_printable(out, buf_cstr(&name),
		    strcspn(buf_cstr(&name), "\n"));
	buf_clear(&name);
}

void
procs_holders(const char *path, struct buf *out)
{
	struct err ignored = ERR_INIT;
	pid_t *pids = NULL;
	struct stat st;
	size_t n = 0, seen = 0;
	int proc;

	if (stat(path, &st) == 0)
		pids = all_pids(&n, &ignored);
	for (size_t i = 0; i < n; i++) {
		proc = open_proc(pids[i]);
		if (proc < 0)
			continue;
		if (any_fd(proc, fd_is, &st) && seen++ < HOLDERS_MAX) {
			buf_str(out, seen == 1 ? " (held open by pid" : ",");
			add_holder(pids[i], proc, out);
		}
		(void)close(proc);
	}
	if (seen > HOLDERS_MAX)
		buf_printf(out, " and %zu more", seen - HOLDERS_MAX);
	if (seen > 0)
		buf_char(out, ')');
	free(pids);
}

/* /proc/PID of that very process; -1, with ERR_MISSING, when it is gone. */
static int
open_exact(pid_t pid, uint64_t start, struct err *err)
{
	struct stat_line line;
	int proc = open_proc(pid);

	if (proc >= 0 && read_stat(proc, &line) && line.start == start &&
	    !is_gone(line.state))
		return proc;
	if (proc >= 0)
		(void)close(proc);
	return err_set(err, ERR_MISSING, "process %d is gone", (int)pid);
}

static bool
is_named(const char *entry, const char *const *names)
{
	const size_t len = strcspn(entry, "=");

	for (; *names; names++)
		if (strlen(*names) == len && entry[len] == '=' &&
		    strncmp(entry, *names, len) == 0)
			return true;
	return false;
}

int
procs_env(pid_t pid, uint64_t start, const char *const *names,
    struct buf *out, struct err *err)
{
	struct buf all;
	int proc = open_exact(pid, start, err), rc;

	if (proc < 0)
		return -1;
	buf_init_still(&all, ENVIRON_MAX);
	/* The directory stays that process's: a later one has another. */
	rc = slurp(proc, "environ", &all);
	if (rc != 0 && errno == ESRCH)
		rc = err_set(err, ERR_MISSING, "process %d is gone",
		    (int)pid);
	else if (rc != 0)
		rc = err_sys(err, ERR_FAILED, "environment of process %d",
		    (int)pid);
	for (size_t at = 0; rc == 0 && at < all.len;) {
		const char *entry = all.data + at;
		const size_t len = strlen(entry);

		if (is_named(entry, names))
			buf_add(out, entry, len + 1);
		at += len + 1;
	}
	if (rc == 0)
		rc = buf_check(out, "environment", err);
	buf_wipe(&all);
	(void)close(proc);
	return rc;
}

/* A kernel before 5.3 has no pidfd: the check just before must do. */
static int
send_signal(int pidfd, pid_t pid, int sig)
{
	if (pidfd < 0)
		return kill(pid, sig);
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0u);
}

int
procs_signal(pid_t pid, uint64_t start, int sig, bool *there,
    struct err *err)
{
	struct err gone = ERR_INIT;
	int pidfd, proc, rc = 0;

	*there = false;
	if (pid <= 0)
		return err_set(err, ERR_USAGE, "%d is no process", (int)pid);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0u);
	if (pidfd < 0 && errno == ESRCH)
		return 0;
	if (pidfd < 0 && errno != ENOSYS)
		return err_sys(err, ERR_FAILED, "process %d", (int)pid);

	/* The pidfd is of the process that start is then found to be of. */
	proc = open_exact(pid, start, &gone);
	if (proc >= 0 && send_signal(pidfd, pid, sig) == 0)
		*there = true;
	else if (proc >= 0 && errno != ESRCH)
		rc = err_sys(err, ERR_FAILED, "signal %d to process %d", sig,
		    (int)pid);
	if (proc >= 0)
		(void)close(proc);
	if (pidfd >= 0)
		(void)close(pidfd);
	return rc;
}
