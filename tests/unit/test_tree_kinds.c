#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "io/fs.h"
#include "io/tree.h"
#include "io/tree_stream.h"
#include "tree_bed.h"

/* Hard links, holes, extended attributes, owners: what a plain copy loses. */

#define HOLE_FILE (8 * 1024 * 1024)

static void
build(const char *root, struct buf *stream, const struct tree_owner *owner,
    struct tree_stats *stats)
{
	struct err err = ERR_INIT;
	struct tree_unpack *u;

	if (tree_unpack_open(root, owner, &u, &err) != 0 ||
	    tree_unpack_write(u, stream->data, stream->len, &err) != 0 ||
	    tree_unpack_finish(u, stats, &err) != 0)
		fail_msg("%s", err.text);
	tree_unpack_free(u);
	buf_clear(stream);
}

static struct stat
look(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void
hard_links_stay_links(void **state)
{
	static const char *const later[] = { "a/z//a/b" };
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct tree_bed seen;

	(void)state;
	assert_int_equal(fs_mkdirs("t/a", 0755, &err), 0);
	tree_bed_put("t/a/b", "both", 4, 0640);
	assert_int_equal(link("t/a/b", "t/z"), 0);
	assert_int_equal(link("t/a/b", "t/a/c"), 0);
	assert_int_equal(tree_bed_walk("t", NULL, &seen, &err), 0);
	assert_non_null(strstr(buf_cstr(&seen.text), "h 0640 4 "));
	assert_string_equal(seen.paths[4], "z//a/b");
	tree_bed_forget(&seen);
	assert_int_equal(tree_bed_pack("t", &b, &err), 0);
	assert_int_equal(tree_bed_unpack("u", b.data, b.len, 3, NULL, &err),
	    0);
	buf_clear(&b);
	tree_bed_same("t", "u");
	assert_int_equal(look("u/z").st_ino, look("u/a/b").st_ino);
	assert_int_equal(look("u/a/c").st_nlink, 3);

	/* To a file that an earlier stream brought, over what is there. */
	tree_bed_put("u/a/z", "other", 5, 0600);
	assert_int_equal(tree_pack("t", later, 1, tree_bed_into_buf, &b,
	    &err), 0);
	assert_int_equal(tree_bed_unpack("u", b.data, b.len, TREE_BED_MAX,
	    NULL, &err), 0);
	assert_int_equal(look("u/a/b").st_nlink, 4);
	buf_clear(&b);
}

static void
holes_are_neither_sent_nor_written(void **state)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct tree_stats stats;
	int fd;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	fd = open("t/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, HOLE_FILE), 0);
	assert_int_equal(pwrite(fd, "middle", 6, HOLE_FILE / 2 + 5), 6);
	(void)close(fd);
	fd = open("t/all", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, HOLE_FILE), 0);
	(void)close(fd);
	assert_true(look("t/f").st_blocks * 512 < HOLE_FILE);
	assert_int_equal(tree_bed_pack("t", &b, &err), 0);
	assert_true(b.len < 256 * 1024);
	assert_int_equal(tree_bed_unpack("u", b.data, b.len, 7, &stats, &err),
	    0);
	tree_bed_same("t", "u");
	assert_true(stats.bytes < 256 * 1024);
	assert_int_equal(look("u/f").st_blocks, look("t/f").st_blocks);
	assert_int_equal(look("u/all").st_blocks, 0);
	buf_clear(&b);
}

static void
attributes_go_with_their_file(void **state)
{
	const struct tree_owner owner = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct tree_stats stats;
	char value[16];

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	tree_bed_put("t/f", "x", 1, 0444);
	assert_int_equal(setxattr("t/f", "user.colour", "green", 5, 0), 0);
	assert_int_equal(setxattr("t/f", "user.none", "", 0, 0), 0);
	assert_int_equal(setxattr("t", "user.dir", "yes", 3, 0), 0);
	assert_int_equal(tree_bed_pack("t", &b, &err), 0);
	build("u", &b, &owner, &stats);
	assert_int_equal(getxattr("u/f", "user.colour", value, 16), 5);
	assert_memory_equal(value, "green", 5);
	assert_int_equal(getxattr("u/f", "user.none", value, 16), 0);
	assert_int_equal(getxattr("u", "user.dir", value, 16), 3);
	assert_int_equal(stats.lost_xattrs, 0);
	tree_bed_same("t", "u");
}

/* A walk tells when they differ, although bytes and times are the same. */
static int
keep_sum(void *ctx, const struct tree_entry *e, struct err *err)
{
	(void)err;
	if (*e->path != '\0')
		memcpy(ctx, e->xattrs, TREE_XATTRS_SUM);
	return 0;
}

static void
a_walk_tells_attributes_apart(void **state)
{
	static const struct tree_rules rules = { .xattrs = true };
	unsigned char sums[3][TREE_XATTRS_SUM] = { { 0 } };
	static const unsigned char none[TREE_XATTRS_SUM];
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	tree_bed_put("t/f", "x", 1, 0644);
	for (size_t i = 0; i < 3; i++) {
		if (i > 0)
			assert_int_equal(setxattr("t/f", "user.a",
			    i == 1 ? "1" : "2", 1, 0), 0);
		assert_int_equal(tree_walk("t", &rules, keep_sum, sums[i],
		    &err), 0);
	}
	assert_memory_equal(sums[0], none, TREE_XATTRS_SUM);
	assert_memory_not_equal(sums[1], none, TREE_XATTRS_SUM);
	assert_memory_not_equal(sums[1], sums[2], TREE_XATTRS_SUM);
}

static void
owners_are_mapped_and_setuid_drops(void **state)
{
	static const struct tree_id users[] = { { 1001, 2001 } };
	static const struct tree_id groups[] = { { 1002, 2002 } };
	struct tree_owner owner = {
		.uid = 7, .gid = 8, .users = users, .n_users = 1,
		.groups = groups, .n_groups = 1,
	};
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir("t", 0755), 0);
	tree_bed_put("t/known", "x", 1, 0755);
	tree_bed_put("t/strange", "x", 1, 0755);
	assert_int_equal(chown("t/known", 1001, 1002), 0);
	assert_int_equal(chown("t/strange", 1003, 1004), 0);
	assert_int_equal(chmod("t/known", 06755), 0);
	for (int keep = 0; keep < 2; keep++) {
		owner.setuid = keep != 0;
		assert_int_equal(tree_bed_pack("t", &b, &err), 0);
		build("u", &b, &owner, NULL);
		assert_int_equal(look("u/known").st_uid, 2001);
		assert_int_equal(look("u/known").st_gid, 2002);
		assert_int_equal(look("u/strange").st_uid, 7);
		assert_int_equal(look("u/strange").st_gid, 8);
		assert_int_equal(look("u/known").st_mode & 07777,
		    keep ? 06755 : 0755);
	}
}

/* Streams written by hand. */
static void
add_entry(struct buf *b, char type, const char *path, uint64_t size,
    uint32_t xattrs)
{
	unsigned char h[TREE_HEADER_SIZE] = { 0 };

	if (b->len == 0)
		buf_add(b, TREE_MAGIC "\2\0\0\0", TREE_START_SIZE);
	h[0] = (unsigned char)type;
	tree_path_put(h + 2, strlen(path), 2);
	tree_path_put(h + 4, 0644, 4);
	tree_path_put(h + 16, size, 8);
	tree_path_put(h + 24, UINT32_MAX, 4);
	tree_path_put(h + 28, UINT32_MAX, 4);
	tree_path_put(h + 32, xattrs, 4);
	buf_add(b, h, sizeof(h));
	buf_str(b, path);
}

static void
refuses(struct buf *b, const char *part)
{
	struct err err = ERR_INIT;

	if (tree_bed_unpack("u", b->data, b->len, TREE_BED_MAX, NULL,
	    &err) == 0)
		fail_msg("taken, but should be refused: %s", part);
	if (err.kind != ERR_DATA || !strstr(err.text, part))
		fail_msg("%s, not %s", err.text, part);
	buf_clear(b);
}

static void
hard_links_that_lead_astray_are_refused(void **state)
{
	static const struct {
		const char *to, *why;
	} bad[] = {
		{ "../secret", "no path in the tree" },
		{ "/etc/passwd", "no path in the tree" },
		{ "d/../f", "no path in the tree" },
		{ "d", "no file in the tree" },
		{ "later", "comes only behind it" },
		{ "l", "no file in the tree" },
		{ "out/secret", "no file in the tree" },
		{ "new", "to itself" },
	};
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_mkdirs("u/d", 0755, &err), 0);
	tree_bed_put("secret", "kept", 4, 0600);
	tree_bed_put("u/f", "x", 1, 0600);
	assert_int_equal(symlink("../secret", "u/l"), 0);
	assert_int_equal(symlink("..", "u/out"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		add_entry(&b, 'h', "new", strlen(bad[i].to), 0);
		buf_str(&b, bad[i].to);
		refuses(&b, bad[i].why);
		assert_int_equal(access("u/new", F_OK), -1);
	}
	add_entry(&b, 'h', "new", 4, 0);
	buf_add(&b, "f\0xx", 4);
	refuses(&b, "no path in the tree");
	assert_int_equal(look("secret").st_nlink, 1);
}

static void
attributes_that_are_none_are_refused(void **state)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);

	(void)state;
	add_entry(&b, 'f', "f", 0, TREE_XATTRS_MAX + 1);
	refuses(&b, "malformed");
	add_entry(&b, 'l', "f", 1, 8);
	refuses(&b, "a link with attributes");
	/* A directory meets them at once. */
	add_entry(&b, 'd', "d", 0, 5);
	buf_add(&b, "\0\0\0\0\0", 5);
	refuses(&b, "u/d: its attributes in the stream are malformed");
	add_entry(&b, 'd', "d", 0, 12);
	buf_add(&b, "\6user.a\2\0\0\0x", 12);
	refuses(&b, "malformed");
	add_entry(&b, 'd', "d", 0, 12);
	buf_add(&b, "\6user.a\377\377\377\377x", 12);
	refuses(&b, "malformed");
	add_entry(&b, 'd', "d", 0, 15);
	buf_add(&b, "\11trusted.a\1\0\0\0x", 15);
	refuses(&b, "never carried");
}

static void
holes_beyond_the_size_are_refused(void **state)
{
	static const char *const holes[] = {
		"\3\0\0\0\0\0\0\0", "\0\0\0\0\0\0\0\0",
		"\377\377\377\377\377\377\377\377",
	};
	struct buf b = BUF_INIT(TREE_BED_MAX);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		add_entry(&b, 'f', "f", 2, 0);
		buf_add(&b, "\377\377\377\377", 4);
		buf_add(&b, holes[i], 8);
		refuses(&b, "u/f: a hole in the stream is longer");
		assert_int_equal(access("u/f", F_OK), -1);
	}
}

static int
nothing(void *ctx, const struct tree_entry *e, struct err *err)
{
	(void)ctx;
	(void)e;
	(void)err;
	return 0;
}

static void
all_specials_are_said_at_once(void **state)
{
	struct err err = ERR_INIT;
	char name[32];

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	for (int i = 0; i < 22; i++) {
		(void)snprintf(name, sizeof(name), "t/p%02d", i);
		assert_int_equal(mkfifo(name, 0600), 0);
	}
	assert_int_equal(tree_walk("t", NULL, nothing, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_DATA);
	assert_non_null(strstr(err.text, "22 things that cannot be part"));
	assert_non_null(strstr(err.text, "p00 (FIFO), p01 (FIFO)"));
	assert_non_null(strstr(err.text, "p19 (FIFO), ..."));
	assert_null(strstr(err.text, "p20"));
}

static void
a_directory_with_the_mark_is_passed_over(void **state)
{
	static const struct tree_rules rules = { .pass_over = "pyvenv.cfg" };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(fs_mkdirs("t/py/bin", 0755, &err), 0);
	tree_bed_put("t/py/pyvenv.cfg", "", 0, 0644);
	assert_int_equal(mkfifo("t/py/bin/p", 0600), 0);
	assert_int_equal(tree_walk("t", &rules, nothing, NULL, &err), 0);
	assert_int_equal(tree_walk("t", NULL, nothing, NULL, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, \
		    tree_bed_set_up, tree_bed_tear_down)
		TEST(hard_links_stay_links),
		TEST(holes_are_neither_sent_nor_written),
		TEST(attributes_go_with_their_file),
		TEST(a_walk_tells_attributes_apart),
		TEST(owners_are_mapped_and_setuid_drops),
		TEST(hard_links_that_lead_astray_are_refused),
		TEST(attributes_that_are_none_are_refused),
		TEST(holes_beyond_the_size_are_refused),
		TEST(all_specials_are_said_at_once),
		TEST(a_directory_with_the_mark_is_passed_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
