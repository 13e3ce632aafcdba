#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/host_file.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/journal.h"
#include "journal_bed.h"

static const struct fs_meta ours = {
	.mode = 0644, .uid = (uid_t)-1, .gid = (gid_t)-1
};

/* A file "there" of this machine, as a job's host has it. */
struct place {
	struct run *run;
	char *path;
	struct host_file file;
};

static void
open_place(const struct journal_bed *bed, struct place *p)
{
	static const char job[] = "[job]\nkind = workers\nname = move\n"
	    "[host old]\naddress = local\n[host here]\naddress = local\n"
	    "[letta home]\nurl = http://127.0.0.1:1\n[worker sage]\n"
	    "agent = agent-10418b8d-37a5-4923-8f70-69ccc58d66ff\n"
	    "server = home\nfrom = old:/srv/old\nto = here:/srv/new\n";
	struct run_options options = { .state_dir = bed->dir, .writer = true };
	char *path = mem_printf("%s/job.conf", bed->root);
	struct err err = ERR_INIT;

	OK(fs_replace(path, job, strlen(job), &ours, &err));
	OK(run_open(path, &options, &p->run, &err));
	p->path = mem_printf("%s/there", bed->root);
	free(path);
}

static void
look(struct place *p)
{
	struct err err = ERR_INIT;

	OK(host_file_read(&p->file, p->run, &p->run->conf->hosts[0], "k",
	    p->path, &err));
}

static void
close_place(struct place *p)
{
	run_close(p->run);
	free(p->path);
}

static void
put(const struct place *p, const char *text, mode_t mode)
{
	const struct fs_meta meta = {
		.mode = mode, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	struct err err = ERR_INIT;

	OK(fs_replace(p->path, text, strlen(text), &meta, &err));
}

static int
set(struct place *p, const char *text, struct err *err)
{
	int rc;

	look(p);
	rc = host_file_set(&p->file, p->run, text, strlen(text), &ours, err);
	host_file_clear(&p->file);
	return rc;
}

static bool
undo(struct place *p)
{
	struct err err = ERR_INIT;
	bool edited;

	look(p);
	OK(host_file_undo(&p->file, p->run, &edited, &err));
	host_file_clear(&p->file);
	return edited;
}

static bool
holds(struct place *p, const char *text, mode_t mode)
{
	bool same;

	look(p);
	same = p->file.present && p->file.meta.mode == mode &&
	    str_eq(buf_cstr(&p->file.now), text);
	host_file_clear(&p->file);
	return same;
}

static void
test_what_was_there_comes_back(void **state)
{
	struct err err = ERR_INIT;
	struct place p;

	open_place(*state, &p);
	put(&p, "theirs\n", 0600);
	OK(set(&p, "ours\n", &err));
	OK(set(&p, "ours too\n", &err));
	assert_true(holds(&p, "ours too\n", 0644));
	assert_false(undo(&p));
	assert_true(holds(&p, "theirs\n", 0600));

	/* Of the same text only the mode is changed, and comes back. */
	OK(set(&p, "theirs\n", &err));
	assert_true(holds(&p, "theirs\n", 0644));
	assert_false(undo(&p));
	assert_true(holds(&p, "theirs\n", 0600));

	OK(set(&p, "ours\n", &err));
	put(&p, "edited\n", 0644);
	assert_true(undo(&p));
	assert_true(holds(&p, "edited\n", 0644));
	close_place(&p);
}

/* Theirs is kept, and what was there comes back all the same. */
static void
test_an_edited_file_is_moved_aside(void **state)
{
	struct err err = ERR_INIT;
	struct place p;
	struct fs_meta meta;
	char *aside, *path;

	open_place(*state, &p);
	put(&p, "theirs\n", 0600);
	for (int i = 0; i < 2; i++) {
		OK(set(&p, "ours\n", &err));
		put(&p, "edited\n", 0644);
		look(&p);
		OK(host_file_undo_aside(&p.file, p.run, &aside, &err));
		host_file_clear(&p.file);
		assert_true(holds(&p, "theirs\n", 0600));
		assert_non_null(aside);
		OK(fs_stat(aside, &meta, &err));
		assert_int_equal(meta.size_bytes, strlen("edited\n"));
		path = mem_printf("%s.edited", p.path);
		/* The second one beside the first. */
		assert_int_equal(str_eq(aside, path), i == 0);
		free(path);
		free(aside);
	}
	OK(set(&p, "ours\n", &err));
	look(&p);
	OK(host_file_undo_aside(&p.file, p.run, &aside, &err));
	host_file_clear(&p.file);
	assert_null(aside);
	assert_true(holds(&p, "theirs\n", 0600));
	close_place(&p);
}

/* The journal knows the new text already, and the file has the old one. */
static void
test_a_kill_before_the_second_write(void **state)
{
	struct err err = ERR_INIT;
	struct fs_meta meta;
	struct place p;

	open_place(*state, &p);
	OK(set(&p, "first\n", &err));
	OK(set(&p, "second\n", &err));
	put(&p, "first\n", 0644);
	assert_false(undo(&p));
	OK(fs_stat(p.path, &meta, &err));
	assert_int_equal(meta.type, FS_NONE);
	close_place(&p);
}

/* A file would come back in its stead. */
static void
test_a_link_is_not_replaced(void **state)
{
	struct err err = ERR_INIT;
	struct fs_meta meta;
	struct place p;

	open_place(*state, &p);
	assert_int_equal(symlink("nowhere", p.path), 0);
	FAILS(set(&p, "ours\n", &err), ERR_DATA, "symbolic link");
	OK(fs_stat(p.path, &meta, &err));
	assert_int_equal(meta.type, FS_SYMLINK);
	close_place(&p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_what_was_there_comes_back),
		TEST(test_an_edited_file_is_moved_aside),
		TEST(test_a_kill_before_the_second_write),
		TEST(test_a_link_is_not_replaced),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
