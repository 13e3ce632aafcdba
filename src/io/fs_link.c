#include "base/base.h"

#include <fcntl.h>

#include "base/err.h"
#include "base/stop.h"
#include "io/fs.h"
#include "io/fs_link.h"
#include "io/sumfile.h"

static int
copy(int in, const char *from, struct sumfile *out, struct err *err)
{
	char piece[65536];
	ssize_t n;

	do {
		n = read(in, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			sumfile_add(out, piece, (size_t)n);
	} while (n > 0 && stop_check(err) == 0);
	if (n < 0)
		return fs_fail(err, "read", from);
	return n == 0 ? 0 : -1;
}

static int
copy_file(const char *from, const char *to, struct err *err)
{
	int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc;
	struct sumfile *out;

	if (in < 0)
		return fs_fail(err, "open", from);
	rc = sumfile_create(to, &out, err);
	if (rc == 0) {
		rc = copy(in, from, out, err);
		if (rc == 0)
			rc = sumfile_commit(out, NULL, err);
		else
			sumfile_close(out);
	}
	(void)close(in);
	return rc;
}

int
fs_link(const char *from, const char *to, struct err *err)
{
	if (link(from, to) == 0)
		return 0;
	if (errno == EXDEV || errno == EPERM || errno == EMLINK ||
	    errno == EOPNOTSUPP)
		return copy_file(from, to, err);
	return fs_fail(err, "link", to);
}
