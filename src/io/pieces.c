#include "base/base.h"

#include <fcntl.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stop.h"
#include "io/fs.h"
#include "io/pieces.h"

static int
read_all(int fd, const char *path, int (*piece)(void *ctx, const char *data,
    size_t len, struct err *), void *ctx, struct err *err)
{
	char *data = mem_alloc(PIECE_BYTES);
	ssize_t n;
	int rc = 0;

	while (rc == 0) {
		rc = stop_check(err);
		if (rc != 0)
			break;
		n = read(fd, data, PIECE_BYTES);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? fs_fail(err, "read", path) :
		    piece(ctx, data, (size_t)n, err);
		if (rc != 0 && n > 0)
			(void)err_ctx(err, "%s", path);
	}
	free(data);
	return rc;
}

int
pieces_read(const char *path, int (*piece)(void *ctx, const char *data,
    size_t len, struct err *), void *ctx, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return fs_fail(err, "open", path);
	rc = read_all(fd, path, piece, ctx, err);
	(void)close(fd);
	return rc;
}
