#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/journal_lock.h"
#include "io/lookup.h"

/* Longer than any line that we write; what is over is not looked at. */
#define LINE_SIZE 512

/* Cut the next word off *rest; "" when there is none. */
static const char *
next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " ");
	size_t len = strcspn(word, " \n");

	*rest = word + len + (word[len] != '\0');
	word[len] = '\0';
	return word;
}

/*
 * Say who holds the lock.  The file may be empty (its holder has the lock
 * and has not written yet) or hold anything, since its owner may edit it.
 */
static int
say_holder(int fd, const char *path, struct err *err)
{
	struct buf node = BUF_INIT(256), since = BUF_INIT(64);
	char line[LINE_SIZE], self[LOOKUP_OWN_SIZE], *rest = line;
	const char *host, *pid_word, *start;
	ssize_t len;
	uint64_t pid;

	len = pread(fd, line, sizeof(line) - 1, 0);
	line[len > 0 ? len : 0] = '\0';
	host = next_word(&rest);
	pid_word = next_word(&rest);
	start = next_word(&rest);
	if (!str_u64(pid_word, INT_MAX, &pid))
		return err_set(err, ERR_LOCKED, "journal %s: locked by "
		    "another process; wait for it, or look at it with: "
		    "fuser %s.lock", path, path);

	lookup_own_name(self);
	str_printable(&node, host, strlen(host));
	str_printable(&since, start, strlen(start));
	(void)err_set(err, ERR_LOCKED, "journal %s: locked by pid %" PRIu64
	    " on %s since %s; wait for it, or look at it%s with: ps -p %"
	    PRIu64, path, pid, buf_cstr(&node), buf_cstr(&since),
	    str_eq(host, self) ? "" : " there", pid);
	buf_clear(&since);
	buf_clear(&node);
	return -1;
}

static int
write_holder(int fd, struct err *err)
{
	char line[LINE_SIZE], host[LOOKUP_OWN_SIZE], now[CLOCK_TEXT_SIZE];
	int len;

	lookup_own_name(host);
	clock_utc(now);
	len = snprintf(line, sizeof(line), "%s %ld %s %.64s\n", host,
	    (long)getpid(), now, program_invocation_short_name);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)len, 0) != len)
		return err_sys(err, ERR_FAILED, "write the lock file");
	return 0;
}

int
journal_lock_take(const char *path, struct err *err)
{
	char *name = mem_printf("%s.lock", path);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int fd, rc = -1;

	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	if (fd < 0 || fstat(fd, &st) != 0) {
		(void)err_sys(err, ERR_FAILED, "open lock file %s", name);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, ERR_FAILED, "lock file %s: not a regular "
		    "file", name);
		goto out;
	}
	if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			(void)say_holder(fd, path, err);
		else
			(void)err_sys(err, ERR_FAILED, "lock %s", name);
		goto out;
	}
	rc = write_holder(fd, err);
	if (rc != 0)
		(void)err_ctx(err, "%s", name);
out:
	free(name);
	if (rc != 0 && fd >= 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

void
journal_lock_drop(int fd)
{
	if (fd < 0)
		return;

	/* Emptied while still ours; failing leaves an old line, no more. */
	if (ftruncate(fd, 0) != 0)
		errno = 0;
	(void)close(fd);
}
