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
#include "io/tree_stream.h"
#include "tree_bed.h"

static void
a_stream_cut_anywhere_is_refused(void **state)
{
	struct buf stream = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	tree_bed_put("t/f", "content", 7, 0644);
	assert_int_equal(symlink("f", "t/l"), 0);
	assert_int_equal(tree_bed_pack("t", &stream, &err), 0);
	for (size_t len = 0; len < stream.len; len++) {
		err_clear(&err);
		assert_int_equal(tree_bed_unpack("u", stream.data, len,
		    TREE_BED_MAX, NULL, &err), -1);
		assert_int_equal(err.kind, ERR_DATA);
		assert_non_null(strstr(err.text, "cut short"));
	}
	buf_char(&stream, 'x');
	assert_int_equal(tree_bed_unpack("u", stream.data, stream.len,
	    TREE_BED_MAX, NULL, &err), -1);
	assert_non_null(strstr(err.text, "more behind the end"));
	buf_clear(&stream);
}

static void
a_changed_byte_leaves_no_file(void **state)
{
	struct buf stream = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct fs_meta meta;
	char *at;

	(void)state;
	assert_int_equal(mkdir("t", 0755), 0);
	tree_bed_put("t/f", "content", 7, 0644);
	assert_int_equal(tree_bed_pack("t", &stream, &err), 0);
	at = memmem(stream.data, stream.len, "content", 7);
	assert_non_null(at);
	*at = 'C';
	assert_int_equal(tree_bed_unpack("u", stream.data, stream.len, 5, NULL,
	    &err), -1);
	assert_string_equal(err.text,
	    "u/f: its SHA-256 is not what the stream says");
	assert_int_equal(fs_stat("u/f", &meta, &err), 0);
	assert_int_equal(meta.type, FS_NONE);
	buf_clear(&stream);
}

/* Streams written by hand. */
static void
start_stream(struct buf *b)
{
	buf_add(b, TREE_MAGIC "\2\0\0\0", TREE_START_SIZE);
}

static void
add_entry(struct buf *b, char type, const char *path, size_t path_len,
    uint32_t mode, uint64_t size)
{
	unsigned char h[TREE_HEADER_SIZE] = { 0 };

	h[0] = (unsigned char)type;
	tree_path_put(h + 2, path_len, 2);
	tree_path_put(h + 4, mode, 4);
	tree_path_put(h + 16, size, 8);
	buf_add(b, h, sizeof(h));
	buf_add(b, path, path_len);
}

/* Unpacking the stream into u fails so; it is emptied. */
static void
unpack_refuses(struct buf *b, const char *part)
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
paths_that_lead_out_are_refused(void **state)
{
	static const struct {
		const char *path;
		size_t len;
	} bad[] = {
		{ "..", 2 }, { "../x", 4 }, { "/x", 2 }, { "a/../../x", 9 },
		{ "a//x", 4 }, { "a/", 2 }, { ".", 1 }, { "a/./x", 5 },
		{ "a\0b", 3 }, { "a/..", 4 },
	};
	char name[NAME_MAX + 2], deep[2 * TREE_DEPTH_MAX + 2];
	struct buf b = BUF_INIT(TREE_BED_MAX);

	(void)state;
	assert_int_equal(mkdir("u", 0755), 0);
	assert_int_equal(mkdir("u/a", 0755), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (const char *type = "fdl"; *type != '\0'; type++) {
			start_stream(&b);
			add_entry(&b, *type, bad[i].path, bad[i].len, 0644,
			    *type == 'l' ? 1 : 0);
			unpack_refuses(&b, "a path in the stream leads out");
		}
	}
	memset(name, 'n', sizeof(name));
	start_stream(&b);
	add_entry(&b, 'f', name, NAME_MAX + 1, 0644, 0);
	unpack_refuses(&b, "is no path");
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = i % 2 != 0 ? '/' : 'd';
	start_stream(&b);
	add_entry(&b, 'd', deep, 2 * TREE_DEPTH_MAX + 1, 0644, 0);
	unpack_refuses(&b, "is no path");
	start_stream(&b);
	add_entry(&b, 'f', "", 0, 0644, 0);
	unpack_refuses(&b, "root is not a directory");
	assert_int_equal(access("x", F_OK), -1);
}

static void
links_that_lead_out_are_refused(void **state)
{
	static const struct {
		const char *path, *target;
		bool inside;
	} cases[] = {
		{ "l", "/etc/passwd", false }, { "l", "..", false },
		{ "l", "../x", false }, { "a/l", "../..", false },
		{ "a/l", "../../x", false }, { "a/l", "b/../../../x", false },
		{ "a/l", "./../.././../x", false }, { "l", "a/..", false },
		{ "a/l", "b/..", false }, { "a/b/l", "../c/../d", false },
		{ "l", "a", true }, { "a/l", "..", true },
		{ "a/l", "../b", true }, { "a/l", ".././b//c/.", true },
		{ "a/b/l", "../../c", true }, { "l", "..a/...", true },
	};
	struct buf b = BUF_INIT(TREE_BED_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (tree_path_link_inside(cases[i].path, cases[i].target) !=
		    cases[i].inside)
			fail_msg("%s -> %s", cases[i].path, cases[i].target);
		if (cases[i].inside || cases[i].path[1] != '\0')
			continue;
		start_stream(&b);
		add_entry(&b, 'l', "l", 1, 0777, strlen(cases[i].target));
		buf_str(&b, cases[i].target);
		unpack_refuses(&b, "u/l: a symlink that leads out");
	}
	start_stream(&b);
	add_entry(&b, 'l', "l", 1, 0777, 3);
	buf_add(&b, "a\0b", 3);
	unpack_refuses(&b, "a symlink that leads out");
}

static void
malformed_entries_are_refused(void **state)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);

	(void)state;
	buf_str(&b, "SCTREE\n\n....");
	unpack_refuses(&b, "u: what comes is not a tree stream");
	buf_add(&b, TREE_MAGIC "\3\0\0\0", TREE_START_SIZE);
	unpack_refuses(&b, "version 3; this program knows version 2");
	start_stream(&b);
	add_entry(&b, 'p', "f", 1, 0644, 0);
	unpack_refuses(&b, "type that is none");
	start_stream(&b);
	add_entry(&b, 'f', "f", 1, 014755, 0);
	unpack_refuses(&b, "malformed");
	start_stream(&b);
	add_entry(&b, 'd', "f", 1, 0755, 1);
	unpack_refuses(&b, "a directory with content");
	start_stream(&b);
	add_entry(&b, 'l', "f", 1, 0755, 0);
	unpack_refuses(&b, "no or too many bytes");
	start_stream(&b);
	add_entry(&b, 'l', "f", 1, 0755, TREE_PATH_MAX);
	unpack_refuses(&b, "no or too many bytes");
	start_stream(&b);
	add_entry(&b, 'f', "f", 1, 0755, UINT64_MAX);
	unpack_refuses(&b, "malformed");
	start_stream(&b);
	add_entry(&b, 'E', "", 0, 0, 1);
	unpack_refuses(&b, "another count");
	start_stream(&b);
	add_entry(&b, 'f', "f", 1, 0755, 2);
	buf_add(&b, "\3\0\0\0abc", 7);
	unpack_refuses(&b, "do not add up");
	start_stream(&b);
	add_entry(&b, 'f', "f", 1, 0755, 2);
	buf_add(&b, "\1\0\0\0a\0\0\0\0", 9);
	unpack_refuses(&b, "u/f: its chunks in the stream do not add up");
	start_stream(&b);
	add_entry(&b, 'f', "f", 1, 0755, 1 << 20);
	buf_add(&b, "\1\0\1\0a", 5);
	unpack_refuses(&b, "do not add up");
	start_stream(&b);
	add_entry(&b, 'f', "none/f", 6, 0755, 0);
	unpack_refuses(&b, "u/none/f: its directory did not come before it");
}

static void
links_in_the_way_are_not_followed(void **state)
{
	struct buf b = BUF_INIT(TREE_BED_MAX);
	struct err err = ERR_INIT;
	struct fs_meta meta;

	(void)state;
	assert_int_equal(mkdir("out", 0755), 0);
	tree_bed_put("out/f", "kept", 4, 0644);
	assert_int_equal(mkdir("t", 0755), 0);
	assert_int_equal(mkdir("t/d", 0700), 0);
	tree_bed_put("t/f", "new", 3, 0644);

	/* A file over a symlink and over a hard link; a directory likewise. */
	assert_int_equal(mkdir("u", 0755), 0);
	assert_int_equal(symlink("../out/f", "u/f"), 0);
	assert_int_equal(symlink("../out", "u/d"), 0);
	assert_int_equal(tree_bed_pack("t", &b, &err), 0);
	if (tree_bed_unpack("u", b.data, b.len, TREE_BED_MAX, NULL, &err) != 0)
		fail_msg("%s", err.text);
	tree_bed_holds("out/f", "kept");
	tree_bed_same("t", "u");
	assert_int_equal(unlink("u/f"), 0);
	assert_int_equal(link("out/f", "u/f"), 0);
	assert_int_equal(tree_bed_unpack("u", b.data, b.len, TREE_BED_MAX, NULL,
	    &err), 0);
	tree_bed_holds("out/f", "kept");
	tree_bed_holds("u/f", "new");
	buf_clear(&b);

	/* Below a symlink to a directory, nothing is made. */
	assert_int_equal(symlink("../out", "u/s"), 0);
	start_stream(&b);
	add_entry(&b, 'f', "s/f", 3, 0644, 0);
	unpack_refuses(&b, "u/s/f: what it should be in is no directory");
	tree_bed_holds("out/f", "kept");

	/* And root itself is not a symlink. */
	assert_int_equal(symlink("out", "v"), 0);
	start_stream(&b);
	assert_int_equal(tree_bed_unpack("v", b.data, b.len, 1, NULL, &err),
	    -1);
	buf_clear(&b);
	assert_int_equal(fs_stat("out", &meta, &err), 0);
	assert_int_equal(meta.mode, 0755);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, \
		    tree_bed_set_up, tree_bed_tear_down)
		TEST(a_stream_cut_anywhere_is_refused),
		TEST(a_changed_byte_leaves_no_file),
		TEST(paths_that_lead_out_are_refused),
		TEST(links_that_lead_out_are_refused),
		TEST(malformed_entries_are_refused),
		TEST(links_in_the_way_are_not_followed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
