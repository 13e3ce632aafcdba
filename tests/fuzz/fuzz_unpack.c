/*
 * Streams for tree_unpack.  The first byte of the input is the size of the
 * pieces that the rest arrives in (0: all at once).  A file beside root is
 * looked at after each stream: nothing may lead out.
 */
#include "base/base.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "fuzz_unpack: %s\n", what);
	abort();
}

/* Where a stream is unpacked; nothing but root may change. */
struct bed {
	char *dir;
	char *above;	/* directory of root */
	char *root;
	char *outside;	/* a file */
};

static void
bed_make(struct bed *bed)
{
	const char *base = getenv("TMPDIR");
	int fd;

	bed->dir = mem_printf("%s/unpack-XXXXXX", base ? base : "/tmp");
	must(mkdtemp(bed->dir) != NULL, "cannot make its directory");
	bed->above = mem_printf("%s/r", bed->dir);
	bed->root = mem_printf("%s/r/u", bed->dir);
	bed->outside = mem_printf("%s/outside", bed->dir);
	must(mkdir(bed->above, 0755) == 0, "cannot make its directory");
	fd = open(bed->outside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0400);
	must(fd >= 0 && write(fd, "kept", 4) == 4 && close(fd) == 0,
	    "cannot make the file outside");
}

static void
bed_remove(struct bed *bed)
{
	struct err err = ERR_INIT;
	struct stat st;

	must(stat(bed->outside, &st) == 0 && st.st_size == 4 &&
	    (st.st_mode & 0777) == 0400 && st.st_nlink == 1,
	    "the file outside was touched");
	must(fs_remove(bed->root, &err) == 0, err.text);
	must(rmdir(bed->above) == 0 && unlink(bed->outside) == 0 &&
	    rmdir(bed->dir) == 0, "something was made outside");
	free(bed->outside);
	free(bed->root);
	free(bed->above);
	free(bed->dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree_stats stats;
	static const struct tree_owner owner = {
		.uid = (uid_t)-1, .gid = (gid_t)-1, .setuid = true,
	};
	struct err err = ERR_INIT;
	struct tree_unpack *u;
	size_t step, n;
	struct bed bed;
	int rc = 0;

	if (size == 0)
		return 0;
	step = data[0] != 0 ? data[0] : size;
	data++;
	size--;
	bed_make(&bed);
	must(tree_unpack_open(bed.root, &owner, &u, &err) == 0, err.text);
	for (size_t at = 0; rc == 0 && at < size; at += n) {
		n = size - at < step ? size - at : step;
		rc = tree_unpack_write(u, data + at, n, &err);
	}
	if (rc == 0)
		rc = tree_unpack_finish(u, &stats, &err);
	must(rc == 0 || (err.kind != ERR_NONE && err.text[0] != '\0'),
	    "a failure without a word");
	tree_unpack_free(u);
	bed_remove(&bed);
	return 0;
}
