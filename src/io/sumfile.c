#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/hash.h"
#include "io/sumfile.h"

#define PIECE 65536

struct sumfile {
	int fd;
	char *path;		/* for messages */
	struct hash *hash;
	uint64_t size_bytes;	/* that went through hash */
	struct buf held;	/* written: not yet; read: not yet given */
	size_t given;		/* bytes of held that are done with */
	size_t line_max;
	int failed;		/* errno of a write */
};

static struct sumfile *
new_file(int fd, const char *path, size_t held_max, struct err *err)
{
	struct sumfile *f;
	struct hash *hash = hash_new(err);

	if (!hash) {
		(void)close(fd);
		return NULL;
	}
	f = mem_zero(1, sizeof(*f));
	f->fd = fd;
	f->path = mem_strdup(path);
	f->hash = hash;
	buf_init(&f->held, held_max);
	return f;
}

int
sumfile_create(const char *path, struct sumfile **out, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);

	*out = NULL;
	if (fd < 0)
		return fs_fail(err, "make", path);
	*out = new_file(fd, path, PIECE, err);
	return *out ? 0 : -1;
}

static void
put(struct sumfile *f, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0 && f->failed == 0) {
		n = write(f->fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			f->failed = errno;
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

void
sumfile_add(struct sumfile *f, const void *data, size_t len)
{
	if (len == 0)
		return;
	hash_add(f->hash, data, len);
	f->size_bytes += len;
	if (f->held.len + len > f->held.max) {
		put(f, buf_cstr(&f->held), f->held.len);
		buf_truncate(&f->held, 0);
	}
	if (len > f->held.max)
		put(f, data, len);
	else
		buf_add(&f->held, data, len);
}

static int
sum_up(struct sumfile *f, struct sumfile_sum *sum, struct err *err)
{
	unsigned char digest[HASH_SIZE];

	if (hash_end(f->hash, digest, err) != 0)
		return err_ctx(err, "%s", f->path);
	if (sum) {
		sum->size_bytes = f->size_bytes;
		str_hex(digest, sizeof(digest), sum->sha256);
	}
	return 0;
}

int
sumfile_commit(struct sumfile *f, struct sumfile_sum *sum, struct err *err)
{
	int rc = -1;

	put(f, buf_cstr(&f->held), f->held.len);
	errno = f->failed;
	if (f->failed != 0)
		(void)fs_fail(err, "write", f->path);
	else if (fsync(f->fd) != 0)
		(void)fs_fail(err, "fsync", f->path);
	else
		rc = sum_up(f, sum, err);
	sumfile_close(f);
	return rc;
}

int
sumfile_open(int dir, const char *path, size_t line_max, struct sumfile **out,
    struct err *err)
{
	struct stat st;
	int fd;

	*out = NULL;
	/* O_NONBLOCK: opening a FIFO would wait for its other end. */
	fd = fs_beneath_open(dir, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return err_set(err, ERR_DATA, "%s: a symbolic link, or a way "
		    "out of the directory", path);
	if (fd < 0)
		return fs_fail(err, "open", path);
	if (fstat(fd, &st) != 0) {
		(void)fs_fail(err, "stat", path);
		(void)close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)close(fd);
		return err_set(err, ERR_DATA, "%s: not a regular file", path);
	}
	*out = new_file(fd, path, line_max + PIECE, err);
	if (!*out)
		return -1;
	(*out)->line_max = line_max;
	return 0;
}

/* The next bytes of the disk: how many, 0 at the end, -1. */
static ptrdiff_t
get(struct sumfile *f, char *data, size_t size, struct err *err)
{
	ssize_t n;

	do
		n = read(f->fd, data, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fs_fail(err, "read", f->path);
	hash_add(f->hash, data, (size_t)n);
	f->size_bytes += (uint64_t)n;
	return n;
}

/* Hold one piece more. */
static ptrdiff_t
hold_more(struct sumfile *f, struct err *err)
{
	char piece[PIECE];
	ptrdiff_t n = get(f, piece, sizeof(piece), err);

	if (n > 0)
		buf_add(&f->held, piece, (size_t)n);
	return n;
}

int
sumfile_line(struct sumfile *f, const char **line, size_t *len,
    struct err *err)
{
	size_t looked = 0;
	char *end;
	ptrdiff_t n;

	for (;;) {
		end = f->held.len > f->given + looked ?
		    memchr(f->held.data + f->given + looked, '\n',
		    f->held.len - f->given - looked) : NULL;
		if (end)
			break;
		buf_drop(&f->held, f->given);
		f->given = 0;
		looked = f->held.len;
		if (looked > f->line_max)
			return err_set(err, ERR_DATA, "%s: a line longer than "
			    "%zu bytes", f->path, f->line_max);
		n = hold_more(f, err);
		if (n < 0)
			return -1;
		if (n == 0 && looked > 0)
			return err_set(err, ERR_DATA, "%s: cut short: its "
			    "last line has no end", f->path);
		if (n == 0)
			return 0;
	}
	*line = f->held.data + f->given;
	*len = (size_t)(end - *line);
	if (*len > f->line_max)
		return err_set(err, ERR_DATA, "%s: a line longer than %zu "
		    "bytes", f->path, f->line_max);
	*end = '\0';
	f->given += *len + 1;
	return 1;
}

ptrdiff_t
sumfile_read(struct sumfile *f, char *data, size_t size, struct err *err)
{
	return get(f, data, size, err);
}

int
sumfile_end(struct sumfile *f, struct sumfile_sum *sum, struct err *err)
{
	char piece[PIECE];
	ptrdiff_t n;

	do
		n = get(f, piece, sizeof(piece), err);
	while (n > 0);
	return n < 0 ? -1 : sum_up(f, sum, err);
}

void
sumfile_close(struct sumfile *f)
{
	if (!f)
		return;
	(void)close(f->fd);
	hash_free(f->hash);
	buf_clear(&f->held);
	free(f->path);
	free(f);
}
