#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "flow/manifest.h"
#include "io/fs.h"
#include "io/host.h"
#include "io/journal.h"
#include "io/tree.h"
#include "journal_bed.h"

/* Two trees, a journal, and this machine as a host. */
struct bed {
	struct host *host;
	struct journal *journal;
	char *one, *two;
};

static const struct tree_rules hashed = { .hash = true };

static void
bed_open(struct bed *bed, void **state)
{
	static const struct host_spec here = { .name = "here", .local = true };
	const struct journal_bed *files = *state;
	struct err err = ERR_INIT;

	OK(host_open(&here, &bed->host, &err));
	bed->journal = journal_bed_open(files, true);
	bed->one = mem_printf("%s/one", files->root);
	bed->two = mem_printf("%s/two", files->root);
	OK(fs_mkdirs(bed->one, 0755, &err));
	OK(fs_mkdirs(bed->two, 0755, &err));
}

static void
bed_close(struct bed *bed)
{
	host_close(bed->host);
	journal_close(bed->journal);
	free(bed->one);
	free(bed->two);
}

/* A file of that text, always of the same time; "x/" is a directory. */
static void
put(const char *root, const char *name, const char *text)
{
	static const struct timespec then[2] = { { .tv_sec = 1000 },
		{ .tv_sec = 1000 } };
	char *path = mem_printf("%s/%s", root, name);
	struct err err = ERR_INIT;
	int fd;

	if (name[strlen(name) - 1] == '/') {
		OK(fs_mkdirs(path, 0755, &err));
		free(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(futimens(fd, then), 0);
	(void)close(fd);
	free(path);
}

static void
drop(const char *root, const char *name)
{
	char *path = mem_printf("%s/%s", root, name);
	struct err err = ERR_INIT;

	OK(fs_remove(path, &err));
	free(path);
}

static void
stage(const struct bed *bed, const char *scope, const char *root,
    struct manifest_totals *totals)
{
	struct manifest_totals own;
	struct err err = ERR_INIT;

	OK(manifest_stage(bed->journal, scope, bed->host, root, &hashed, false,
	    totals ? totals : &own, &err));
	journal_bed_cursor(bed->journal, scope, ".");
}

static int
add_line(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	(void)err;
	buf_printf(ctx, "%c%s ", "+-~"[change], path);
	return 0;
}

/* Compare the two trees: "+only-in-one -only-in-two ~changed ". */
static void
expect_changes(const struct bed *bed, const char *want)
{
	struct buf seen = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;

	stage(bed, "one", bed->one, NULL);
	stage(bed, "two", bed->two, NULL);
	OK(manifest_compare(bed->journal, "one", "two", add_line, &seen,
	    &err));
	assert_string_equal(buf_cstr(&seen), want);
	buf_clear(&seen);
}

/* Names that bytes and a walk put in different orders. */
static const char *const awkward[] = { "a/", "a/b/", "a/b/c", "a-b",
	"a.b", "a\001", "a ", "a0", "ab", "a/-", "a/\377", "a-b.d/", "a-b.d/x",
	"\303\244", "\303\244.d/", "\303\244.d/x", ".a" };
#define N_AWKWARD (sizeof(awkward) / sizeof(*awkward))

static void
put_awkward(const char *root)
{
	for (size_t i = 0; i < N_AWKWARD; i++)
		put(root, awkward[i], "text");
}

static void
test_order_of_names(void **state)
{
	struct bed bed;

	bed_open(&bed, state);
	put_awkward(bed.one);
	put_awkward(bed.two);
	expect_changes(&bed, "");
	bed_close(&bed);
}

/* Each name missing on either side is told alone and as itself. */
static void
test_any_name_may_be_missing(void **state)
{
	static const struct {
		const char *name;
		const char *added, *removed;
	} cases[] = {
		{ "a-b", "+a-b ", "-a-b " },
		{ "a.b", "+a.b ", "-a.b " },
		{ "a\001", "+a\001 ", "-a\001 " },
		{ "a ", "+a  ", "-a  " },
		{ "ab", "+ab ", "-ab " },
		{ ".a", "+.a ", "-.a " },
		{ "a/-", "+a/- ", "-a/- " },
		{ "a/\377", "+a/\377 ", "-a/\377 " },
		{ "a/b/c", "+a/b/c ", "-a/b/c " },
		{ "a", "+a +a/- +a/b +a/b/c +a/\377 ",
		    "-a -a/- -a/b -a/b/c -a/\377 " },
		{ "a-b.d", "+a-b.d +a-b.d/x ", "-a-b.d -a-b.d/x " },
		{ "\303\244", "+\303\244 ", "-\303\244 " },
		{ "\303\244.d", "+\303\244.d +\303\244.d/x ",
		    "-\303\244.d -\303\244.d/x " },
	};
	struct bed bed;

	bed_open(&bed, state);
	put_awkward(bed.one);
	put_awkward(bed.two);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		drop(bed.two, cases[i].name);
		expect_changes(&bed, cases[i].added);
		put_awkward(bed.two);
		drop(bed.one, cases[i].name);
		expect_changes(&bed, cases[i].removed);
		put_awkward(bed.one);
	}
	expect_changes(&bed, "");
	bed_close(&bed);
}

static void
test_what_counts_as_a_change(void **state)
{
	struct bed bed;
	char *path, *link_one, *link_two;

	bed_open(&bed, state);
	link_one = mem_printf("%s/link", bed.one);
	link_two = mem_printf("%s/link", bed.two);
	put(bed.one, "same", "x");
	put(bed.two, "same", "x");
	put(bed.one, "d/", "");
	put(bed.two, "d/", "");
	put(bed.one, "bytes", "x");
	put(bed.two, "bytes", "y");	/* of one size and time */
	put(bed.one, "size", "x");
	put(bed.two, "size", "xy");
	put(bed.one, "type", "x");
	put(bed.two, "type/", "");
	put(bed.one, "mode", "x");
	put(bed.two, "mode", "x");
	path = mem_printf("%s/mode", bed.two);
	assert_int_equal(chmod(path, 0600), 0);
	free(path);
	put(bed.one, "time", "x");
	put(bed.two, "time", "x");
	path = mem_printf("%s/time", bed.two);
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
	free(path);
	assert_int_equal(symlink("same", link_one), 0);
	assert_int_equal(symlink("same2", link_two), 0);
	expect_changes(&bed, "~bytes ~link ~mode ~size ~time ~type ");

	/* A directory's own time does not count, its mode does. */
	path = mem_printf("%s/d", bed.two);
	assert_int_equal(chmod(path, 0700), 0);
	free(path);
	expect_changes(&bed, "~bytes ~d ~link ~mode ~size ~time ~type ");
	free(link_one);
	free(link_two);
	bed_close(&bed);
}

/* Several pages on each side, with differences at their borders. */
static void
test_many_entries(void **state)
{
	static const int gone[] = { 0, 498, 997, 998, 999, 1000, 1001, 1996,
		1997, 1998, 2999 };
	struct manifest_totals totals, counted;
	struct buf want = BUF_INIT(1024);
	struct err err = ERR_INIT;
	struct bed bed;
	char name[32];

	bed_open(&bed, state);
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "f%05d", i);
		put(bed.one, name, "abc");
		put(bed.two, name, "abc");
	}
	stage(&bed, "one", bed.one, &totals);
	assert_int_equal(totals.entries, 3001);		/* with the root */
	assert_int_equal(totals.files, 3000);
	assert_int_equal(totals.bytes, 9000);
	assert_int_equal(journal_bed_count(bed.journal, "one"), 3001);
	OK(manifest_count(bed.host, bed.one, &hashed, &counted, &err));
	assert_memory_equal(&counted, &totals, sizeof(totals));
	expect_changes(&bed, "");
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++) {
		(void)snprintf(name, sizeof(name), "f%05d", gone[i]);
		drop(bed.two, name);
		buf_printf(&want, "+%s ", name);
	}
	put(bed.two, "g", "");
	buf_str(&want, "-g ");
	expect_changes(&bed, buf_cstr(&want));
	buf_clear(&want);
	bed_close(&bed);
}

/* Staging takes the place of what the scope held, and touches no other. */
static void
test_a_scope_is_replaced(void **state)
{
	struct manifest_totals totals;
	struct bed bed;

	bed_open(&bed, state);
	put(bed.one, "a", "1");
	put(bed.one, "b", "22");
	put(bed.two, "a", "1");
	stage(&bed, "s", bed.one, &totals);
	assert_int_equal(journal_bed_count(bed.journal, "s"), 3);
	stage(&bed, "other", bed.one, NULL);
	stage(&bed, "s", bed.two, &totals);
	assert_int_equal(totals.entries, 2);
	assert_int_equal(totals.bytes, 1);
	assert_int_equal(journal_bed_count(bed.journal, "s"), 2);
	assert_int_equal(journal_bed_count(bed.journal, "other"), 3);
	bed_close(&bed);
}

static void
test_rules_are_handed_on(void **state)
{
	static const char *const exclude[] = { "*.pyc", NULL };
	static const struct tree_rules rules = { .exclude = exclude };
	struct manifest_totals totals;
	struct journal_rows *rows = NULL;
	struct journal_row row;
	struct err err = ERR_INIT;
	struct bed bed;

	bed_open(&bed, state);
	put(bed.one, "a.py", "1");
	put(bed.one, "a.pyc", "1");
	OK(manifest_stage(bed.journal, "s", bed.host, bed.one, &rules, false,
	    &totals, &err));
	assert_int_equal(totals.files, 1);
	OK(manifest_count(bed.host, bed.one, &rules, &totals, &err));
	assert_int_equal(totals.files, 1);

	/* The format of a row, without a hash. */
	OK(journal_rows_open(bed.journal, "s", false, &rows, &err));
	assert_int_equal(journal_rows_next(rows, &row, &err), 1);
	assert_string_equal(row.id, "");
	assert_string_equal(row.body, "d 0755 - 0 0 - -");
	assert_int_equal(journal_rows_next(rows, &row, &err), 1);
	assert_string_equal(row.id, "a.py");
	assert_string_equal(row.body, "f 0640 - 1 1000000000000 - -");
	assert_int_equal(journal_rows_next(rows, &row, &err), 0);
	journal_rows_close(rows);
	bed_close(&bed);
}

static void
test_a_missing_root(void **state)
{
	struct manifest_totals totals = { .entries = 9 };
	struct err err = ERR_INIT;
	struct bed bed;
	struct buf seen = BUF_INIT(100);
	char *none;

	bed_open(&bed, state);
	none = mem_printf("%s/none", bed.one);
	stage(&bed, "s", bed.one, NULL);
	FAILS(manifest_stage(bed.journal, "s", bed.host, none, &hashed, false,
	    &totals, &err), ERR_MISSING, "here:");
	FAILS(manifest_count(bed.host, none, &hashed, &totals, &err),
	    ERR_MISSING, "here:");

	/* Nothing of it looks like a listing that has ended. */
	journal_bed_cursor(bed.journal, "s", "none");
	assert_int_equal(journal_bed_count(bed.journal, "s"), 0);
	err_clear(&err);
	OK(manifest_stage(bed.journal, "s", bed.host, none, &hashed, true,
	    &totals, &err));
	assert_int_equal(totals.entries, 0);
	assert_int_equal(err.kind, ERR_NONE);
	journal_bed_cursor(bed.journal, "s", ".");

	/* Against it everything is new. */
	put(bed.one, "a", "1");
	stage(&bed, "one", bed.one, NULL);
	OK(manifest_compare(bed.journal, "one", "s", add_line, &seen, &err));
	assert_string_equal(buf_cstr(&seen), "+ +a ");
	buf_clear(&seen);
	free(none);
	bed_close(&bed);
}

/* A tree that cannot be carried leaves no listing and no open page. */
static void
test_a_refused_tree(void **state)
{
	struct manifest_totals totals;
	struct err err = ERR_INIT;
	struct bed bed;
	char *path;

	bed_open(&bed, state);
	put(bed.one, "a", "1");
	path = mem_printf("%s/fifo", bed.one);
	assert_int_equal(mkfifo(path, 0600), 0);
	FAILS(manifest_stage(bed.journal, "s", bed.host, bed.one, &hashed,
	    true, &totals, &err), ERR_DATA, "fifo");
	journal_bed_cursor(bed.journal, "s", "none");
	assert_int_equal(journal_bed_count(bed.journal, "s"), 0);
	drop(bed.one, "fifo");
	stage(&bed, "s", bed.one, NULL);
	free(path);
	bed_close(&bed);
}

static int
refuse(void *ctx, const char *path, enum manifest_change change,
    struct err *err)
{
	int *calls = ctx;

	(void)change;
	*calls += 1;
	return err_set(err, ERR_VERDICT, "at %s", path);
}

static void
test_a_failure_of_each_ends_it(void **state)
{
	struct err err = ERR_INIT;
	struct bed bed;
	int calls = 0;

	bed_open(&bed, state);
	put(bed.one, "b", "1");
	put(bed.one, "c", "1");
	put(bed.two, "a", "1");
	put(bed.two, "c", "2");
	stage(&bed, "one", bed.one, NULL);
	stage(&bed, "two", bed.two, NULL);
	FAILS(manifest_compare(bed.journal, "one", "two", refuse, &calls,
	    &err), ERR_VERDICT, "at a");
	assert_int_equal(calls, 1);
	drop(bed.two, "a");
	stage(&bed, "two", bed.two, NULL);
	FAILS(manifest_compare(bed.journal, "one", "two", refuse, &calls,
	    &err), ERR_VERDICT, "at b");
	drop(bed.one, "b");
	stage(&bed, "one", bed.one, NULL);
	FAILS(manifest_compare(bed.journal, "one", "two", refuse, &calls,
	    &err), ERR_VERDICT, "at c");
	assert_int_equal(calls, 3);
	bed_close(&bed);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_order_of_names),
		TEST(test_any_name_may_be_missing),
		TEST(test_what_counts_as_a_change),
		TEST(test_many_entries),
		TEST(test_a_scope_is_replaced),
		TEST(test_rules_are_handed_on),
		TEST(test_a_missing_root),
		TEST(test_a_refused_tree),
		TEST(test_a_failure_of_each_ends_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
