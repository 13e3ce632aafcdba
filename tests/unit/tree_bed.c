#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/tree.h"
#include "tree_bed.h"

static const struct tree_owner nobody = {
	 .uid = (uid_t)-1, .gid = (gid_t)-1
};

int
tree_bed_set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	char *dir = mem_printf("%s/tree-XXXXXX", base ? base : "/tmp");

	*state = dir;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

int
tree_bed_tear_down(void **state)
{
	struct err err = ERR_INIT;
	int rc;

	rc = chdir("/");
	if (rc == 0)
		rc = fs_remove(*state, &err);
	if (rc != 0)
		(void)fprintf(stderr, "# %s\n", err.text);
	free(*state);
	return rc;
}

void
tree_bed_put(const char *path, const void *data, size_t len, mode_t mode)
{
	const struct fs_meta meta = { .mode = mode, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct err err = ERR_INIT;

	if (fs_replace(path, data, len, &meta, &err) != 0)
		fail_msg("%s", err.text);
}

void
tree_bed_holds(const char *path, const char *text)
{
	struct buf got = BUF_INIT(4096);
	struct err err = ERR_INIT;

	if (fs_read(path, &got, NULL, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_cstr(&got), text);
	buf_clear(&got);
}

void
tree_bed_time(const char *path, time_t sec, long nsec)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
	    { .tv_sec = sec, .tv_nsec = nsec } };

	assert_int_equal(utimensat(AT_FDCWD, path, times,
	    AT_SYMLINK_NOFOLLOW), 0);
}

void
tree_bed_forget(struct tree_bed *seen)
{
	for (size_t i = 0; i < seen->n; i++)
		free(seen->paths[i]);
	buf_clear(&seen->text);
	seen->n = 0;
}

static int
see(void *ctx, const struct tree_entry *e, struct err *err)
{
	struct tree_bed *seen = ctx;
	char digest[2 * TREE_HASH_SIZE + 1] = "";

	if (seen->n == 400)
		return err_set(err, ERR_FAILED, "too many for this test");
	seen->paths[seen->n++] = e->type == 'h' ?
	    mem_printf("%s" TREE_LINK_TO "%s", e->path, e->link) :
	    mem_strdup(e->path);
	if (e->hashed)
		str_hex(e->hash, TREE_HASH_SIZE, digest);
	buf_printf(&seen->text, "%c %04o %" PRIu64 " %" PRId64 " %s",
	    e->type, (unsigned int)e->mode, e->size_bytes, e->mtime_ns,
	    e->path);
	if (e->link)
		buf_printf(&seen->text, " -> %s", e->link);
	buf_printf(&seen->text, " %s\n", digest);
	return 0;
}

int
tree_bed_walk(const char *root, const char *const *exclude,
    struct tree_bed *seen, struct err *err)
{
	const struct tree_rules rules = { .exclude = exclude, .hash = true };

	*seen = (struct tree_bed) { .text = BUF_INIT(1024 * 1024) };
	return tree_walk(root, &rules, see, seen, err);
}

int
tree_bed_into_buf(void *ctx, const void *data, size_t len, struct err *err)
{
	struct buf *b = ctx;

	buf_add(b, data, len);
	return buf_check(b, "stream", err);
}

/* All of root as a stream. */
int
tree_bed_pack(const char *root, struct buf *stream, struct err *err)
{
	struct tree_bed seen;
	int rc;

	rc = tree_bed_walk(root, NULL, &seen, err);
	if (rc == 0)
		rc = tree_pack(root, (const char *const *)seen.paths, seen.n,
		    tree_bed_into_buf, stream, err);
	tree_bed_forget(&seen);
	return rc;
}

int
tree_bed_unpack(const char *root, const char *data, size_t len, size_t step,
    struct tree_stats *stats, struct err *err)
{
	struct tree_unpack *u;
	size_t n;
	int rc = 0;

	if (tree_unpack_open(root, &nobody, &u, err) != 0)
		return -1;
	for (size_t at = 0; rc == 0 && at < len; at += n) {
		n = len - at < step ? len - at : step;
		rc = tree_unpack_write(u, data + at, n, err);
	}
	if (rc == 0)
		rc = tree_unpack_finish(u, stats, err);
	tree_unpack_free(u);
	return rc;
}

/* A tree with a bit of everything; content of 150,000 bytes in one. */
void
tree_bed_make(const char *root)
{
	size_t len = 150000;
	char *big = mem_alloc(len);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < len; i++)
		big[i] = (char)(i * i >> 7);
	assert_int_equal(fs_mkdirs(root, 0750, &err), 0);
	assert_int_equal(chdir(root), 0);
	assert_int_equal(fs_mkdirs("a/b/c", 0755, &err), 0);
	assert_int_equal(fs_mkdirs("empty", 0700, &err), 0);
	tree_bed_put("a/b/big", big, len, 0644);
	tree_bed_put("a/b/none", "", 0, 0600);
	tree_bed_put("a-b", "sorts between", 13, 0755);
	tree_bed_put("run.sh", "#!/bin/sh\n", 10, 06755);
	tree_bed_put("a/b/c/\303\244 \n", "odd", 3, 0400);
	assert_int_equal(symlink("../b/big", "a/b/link"), 0);
	assert_int_equal(symlink("gone/nowhere", "dangling"), 0);
	tree_bed_time("a/b/big", 1234567890, 123456789);
	tree_bed_time("a/b/none", -5, 7);
	tree_bed_time("dangling", 1000000000, 1);
	assert_int_equal(chmod("a/b", 01555), 0);
	tree_bed_time("a/b", 1111111111, 111);
	tree_bed_time("a", 1222222222, 222);
	tree_bed_time(".", 1333333333, 333);
	assert_int_equal(chdir(".."), 0);
	free(big);
}

void
tree_bed_same(const char *left, const char *right)
{
	struct err err = ERR_INIT;
	struct tree_bed a, b;

	assert_int_equal(tree_bed_walk(left, NULL, &a, &err), 0);
	assert_int_equal(tree_bed_walk(right, NULL, &b, &err), 0);
	assert_string_equal(buf_cstr(&a.text), buf_cstr(&b.text));
	tree_bed_forget(&a);
	tree_bed_forget(&b);
}
