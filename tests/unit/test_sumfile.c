#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/sumfile.h"
#include "journal_bed.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define LINE 100000

static char *
path_of(void **state, const char *name)
{
	const struct journal_bed *bed = *state;

	return mem_printf("%s/%s", bed->root, name);
}

/* Make the file of these bytes; its sum. */
static struct sumfile_sum
make(void **state, const char *name, const char *data, size_t len)
{
	char *path = path_of(state, name);
	struct err err = ERR_INIT;
	struct sumfile_sum sum;
	struct sumfile *f;

	OK(sumfile_create(path, &f, &err));
	sumfile_add(f, data, len);
	OK(sumfile_commit(f, &sum, &err));
	free(path);
	return sum;
}

static int
root_of(void **state)
{
	const struct journal_bed *bed = *state;
	int fd = open(bed->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void
test_a_file_has_its_sum_and_is_private(void **state)
{
	struct sumfile_sum sum = make(state, "abc", "abc", 3);
	char *path = path_of(state, "abc");
	struct err err = ERR_INIT;
	struct sumfile *f;
	struct stat st;

	assert_string_equal(sum.sha256, ABC);
	assert_int_equal(sum.size_bytes, 3);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	FAILS(sumfile_create(path, &f, &err), ERR_FAILED, "exists");
	free(path);
}

static void
test_lines_of_every_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 65535, 65536, 65537, 3, 0,
		LINE };
	size_t n = sizeof(lengths) / sizeof(*lengths), total = 0, len;
	char *text = mem_zero(8, LINE);
	struct sumfile_sum made, read;
	struct err err = ERR_INIT;
	const char *line;
	struct sumfile *f;
	int dir = root_of(state);

	for (size_t i = 0; i < n; i++) {
		memset(text + total, 'a' + (int)i, lengths[i]);
		total += lengths[i];
		text[total++] = '\n';
	}
	made = make(state, "lines", text, total);
	OK(sumfile_open(dir, "lines", LINE, &f, &err));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sumfile_line(f, &line, &len, &err), 1);
		assert_int_equal(len, lengths[i]);
		assert_int_equal(strlen(line), len);
		assert_true(len == 0 || line[len - 1] == 'a' + (char)i);
	}
	assert_int_equal(sumfile_line(f, &line, &len, &err), 0);
	OK(sumfile_end(f, &read, &err));
	assert_string_equal(read.sha256, made.sha256);
	assert_int_equal(read.size_bytes, total);
	sumfile_close(f);
	(void)close(dir);
	free(text);
}

static void
test_a_line_is_bounded(void **state)
{
	char *text = mem_alloc(2 * LINE);
	struct err err = ERR_INIT;
	const char *line;
	struct sumfile *f;
	int dir = root_of(state);
	size_t len;

	memset(text, 'x', 2 * LINE);
	text[LINE + 1] = '\n';
	text[2 * LINE - 1] = '\n';
	(void)make(state, "long", text, 2 * LINE);
	OK(sumfile_open(dir, "long", LINE, &f, &err));
	FAILS(sumfile_line(f, &line, &len, &err), ERR_DATA, "longer than");
	sumfile_close(f);
	OK(sumfile_open(dir, "long", 10, &f, &err));
	FAILS(sumfile_line(f, &line, &len, &err), ERR_DATA, "longer than");
	sumfile_close(f);
	(void)close(dir);
	free(text);
}

static void
test_a_file_that_was_cut(void **state)
{
	struct err err = ERR_INIT;
	const char *line;
	struct sumfile *f;
	int dir = root_of(state);
	size_t len;

	(void)make(state, "cut", "one\ntwo", 7);
	OK(sumfile_open(dir, "cut", LINE, &f, &err));
	assert_int_equal(sumfile_line(f, &line, &len, &err), 1);
	FAILS(sumfile_line(f, &line, &len, &err), ERR_DATA, "cut short");
	sumfile_close(f);
	(void)close(dir);
}

/* Nothing but a regular file below the directory is opened. */
static void
test_what_is_not_opened(void **state)
{
	char *link = path_of(state, "link"), *fifo = path_of(state, "fifo");
	char *up = path_of(state, "up"), *folder = path_of(state, "folder");
	struct err err = ERR_INIT;
	struct sumfile *f;
	int dir = root_of(state);

	(void)make(state, "real", "x", 1);
	assert_int_equal(symlink("real", link), 0);
	assert_int_equal(symlink("..", up), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	FAILS(sumfile_open(dir, "link", LINE, &f, &err), ERR_DATA, "symbolic");
	FAILS(sumfile_open(dir, "up/x", LINE, &f, &err), ERR_DATA, "symbolic");
	FAILS(sumfile_open(dir, "../x", LINE, &f, &err), ERR_DATA, "way out");
	FAILS(sumfile_open(dir, "fifo", LINE, &f, &err), ERR_DATA, "regular");
	FAILS(sumfile_open(dir, "folder", LINE, &f, &err), ERR_DATA,
	    "regular");
	FAILS(sumfile_open(dir, "none", LINE, &f, &err), ERR_MISSING, "none");
	(void)close(dir);
	free(folder);
	free(up);
	free(fifo);
	free(link);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_a_file_has_its_sum_and_is_private),
		TEST(test_lines_of_every_length),
		TEST(test_a_line_is_bounded),
		TEST(test_a_file_that_was_cut),
		TEST(test_what_is_not_opened),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
