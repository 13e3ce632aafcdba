#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/conf.h"
#include "flow/run.h"
#include "io/fs.h"
#include "io/host.h"
#include "io/journal.h"
#include "journal_bed.h"

#define AGENT "agent-10418b8d-37a5-4923-8f70-69ccc58d66ff"
#define OTHER "agent-5f0c9a51-0f2e-4c1b-9d0a-3b7c41b1e2aa"

/* The pieces of a job file that a test gives another value. */
struct job {
	const char *name, *from, *to, *agent, *url, *token, *note, *trees;
};

static const struct job plain = {
	.name = "move", .from = "/srv/old", .to = "/srv/new", .agent = AGENT,
	.url = "http://127.0.0.1:8283", .token = "env:TEST_TOKEN", .note = "",
	.trees = "broca smcp"
};

static char *
job_path(const struct journal_bed *bed)
{
	return mem_printf("%s/job.conf", bed->root);
}

static void
put_text(const char *path, const char *text)
{
	static const struct fs_meta meta = {
		.mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	struct err err = ERR_INIT;

	OK(fs_replace(path, text, strlen(text), &meta, &err));
}

static void
put_job(const struct journal_bed *bed, const struct job *job)
{
	char *text = mem_printf("# %s\n[job]\nkind = workers\nname = %s\n"
	    "[host old]\naddress = local\n[host here]\naddress = local\n"
	    "[letta home]\nurl = %s\ntoken = %s\n"
	    "[worker sage]\nagent = %s\nserver = home\n"
	    "from = old:%s\nto = here:%s\ntrees = %s\n", job->note, job->name,
	    job->url, job->token, job->agent, job->from, job->to,
	    job->trees);
	char *path = job_path(bed);

	put_text(path, text);
	free(path);
	free(text);
}

static int
try_open(const struct journal_bed *bed, bool writer, struct run **run,
    struct err *err)
{
	struct run_options options = {
		.state_dir = bed->dir, .writer = writer, .secrets = true
	};
	char *path = job_path(bed);
	int rc;

	/* Each run takes it out of the environment. */
	assert_int_equal(setenv("TEST_TOKEN", "hush", 1), 0);
	rc = run_open(path, &options, run, err);

	free(path);
	assert_true((rc == 0) == (*run != NULL));
	return rc;
}

static struct run *
open_run(const struct journal_bed *bed, bool writer)
{
	struct err err = ERR_INIT;
	struct run *run = NULL;

	OK(try_open(bed, writer, &run, &err));
	return run;
}

static void
test_the_mark_is_drawn_once(void **state)
{
	const struct journal_bed *bed = *state;
	struct job other = plain;
	struct run *run;
	char *mark;

	put_job(bed, &plain);
	run = open_run(bed, true);
	assert_int_equal(strlen(run->mark), 12);
	assert_int_equal(strspn(run->mark, "0123456789abcdef"), 12);
	mark = mem_strdup(run->mark);
	run_close(run);
	run = open_run(bed, true);
	assert_string_equal(run->mark, mark);
	run_close(run);
	run = open_run(bed, false);
	assert_string_equal(run->mark, mark);
	run_close(run);

	/* Another job has another one. */
	other.name = "another";
	put_job(bed, &other);
	run = open_run(bed, true);
	assert_string_not_equal(run->mark, mark);
	run_close(run);
	run_close(NULL);
	free(mark);
}

static void
test_where_the_journal_is(void **state)
{
	const struct journal_bed *bed = *state;
	struct run_options options = { .writer = true };
	struct err err = ERR_INIT;
	struct run *run;
	char *want = mem_printf("%s/move/journal.db", bed->dir);
	char *path = job_path(bed);

	put_job(bed, &plain);
	run = open_run(bed, true);
	assert_string_equal(journal_path(run->journal), want);
	run_close(run);
	free(want);

	assert_int_equal(setenv("XDG_STATE_HOME", bed->root, 1), 0);
	want = mem_printf("%s/sanctumctl/move/journal.db", bed->root);
	OK(run_open(path, &options, &run, &err));
	assert_string_equal(journal_path(run->journal), want);
	run_close(run);
	free(want);

	/* A relative one is to be ignored, as its specification says. */
	assert_int_equal(setenv("XDG_STATE_HOME", "here", 1), 0);
	assert_int_equal(setenv("HOME", bed->root, 1), 0);
	want = mem_printf("%s/.local/state/sanctumctl/move/journal.db",
	    bed->root);
	OK(run_open(path, &options, &run, &err));
	assert_string_equal(journal_path(run->journal), want);
	run_close(run);
	assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
	free(want);
	free(path);
}

/* Each of these moves something else; the journal is not touched. */
static void
test_a_journal_of_another_job(void **state)
{
	const struct journal_bed *bed = *state;
	struct job changed[6] = { plain, plain, plain, plain, plain,
		plain };
	struct err err = ERR_INIT;
	struct run *run;
	char *mark;

	changed[0].from = "/srv/older";
	changed[1].to = "/srv/newer";
	changed[2].agent = OTHER;
	changed[3].url = "http://127.0.0.1:8284";
	changed[4].trees = "broca";
	put_job(bed, &plain);
	run = open_run(bed, true);
	mark = mem_strdup(run->mark);
	run_close(run);
	for (int i = 0; i < 5; i++) {
		put_job(bed, &changed[i]);
		FAILS(try_open(bed, true, &run, &err), ERR_STALE,
		    "move/journal.db");
		FAILS(try_open(bed, false, &run, &err), ERR_STALE,
		    "job.conf");
	}

	/* What does not say what goes where may change. */
	changed[5].note = "another comment";
	changed[5].token = "cmd:echo hush";
	put_job(bed, &changed[5]);
	run = open_run(bed, true);
	assert_string_equal(run->mark, mark);
	run_close(run);
	free(mark);
}

static void
test_one_writer(void **state)
{
	const struct journal_bed *bed = *state;
	struct err err = ERR_INIT;
	struct run *run, *second = NULL;
	struct journal *empty = NULL;
	char *path;

	put_job(bed, &plain);
	FAILS(try_open(bed, false, &second, &err), ERR_MISSING, "");

	/* A journal whose writer was killed before it wrote a fact. */
	path = mem_printf("%s/move/journal.db", bed->dir);
	err_clear(&err);
	OK(journal_open(path, true, &empty, &err));
	journal_close(empty);
	free(path);
	run = open_run(bed, false);
	assert_string_equal(run->mark, "");
	run_close(run);

	run = open_run(bed, true);
	FAILS(try_open(bed, true, &second, &err), ERR_LOCKED, "locked by pid");
	assert_int_equal(err_exit(&err), 11);

	/* Readers come in meanwhile, and the writer is not disturbed. */
	second = open_run(bed, false);
	assert_string_equal(second->mark, run->mark);
	run_close(second);
	err_clear(&err);
	OK(journal_put(run->journal, "k", "v", &err));
	run_close(run);
	run = open_run(bed, true);
	run_close(run);
}

static bool
there(const char *path, const char *ending)
{
	char *name = mem_printf("%s%s", path, ending);
	bool is = access(name, F_OK) == 0;

	free(name);
	return is;
}

static void
test_scratch_files_are_removed(void **state)
{
	const struct journal_bed *bed = *state;
	struct journal *scratch = NULL;
	struct err err = ERR_INIT;
	struct run *run;
	char *path;

	put_job(bed, &plain);
	run = open_run(bed, true);
	path = run_scratch_path(run);
	assert_true(str_starts(path, journal_path(run->journal)));
	assert_string_not_equal(path, journal_path(run->journal));

	/* As a kill leaves them: a journal that is still open. */
	OK(journal_open(path, true, &scratch, &err));
	OK(journal_put(scratch, "k", "v", &err));
	assert_true(there(path, ""));
	assert_true(there(path, "-wal"));
	assert_true(there(path, "-shm"));
	assert_true(there(path, ".lock"));
	run_scratch_remove(path);
	assert_false(there(path, ""));
	assert_false(there(path, "-wal"));
	assert_false(there(path, "-shm"));
	assert_false(there(path, ".lock"));
	journal_close(scratch);
	run_scratch_remove(path);
	assert_true(there(journal_path(run->journal), ""));
	assert_true(there(journal_path(run->journal), ".lock"));
	free(path);
	run_close(run);
}

/* A pid that no process has: one of a child that was reaped. */
static long
gone_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return (long)pid;
}

static void
test_scratch_of_a_killed_run_is_swept(void **state)
{
	const struct journal_bed *bed = *state;
	struct run_options options = { .state_dir = bed->dir };
	struct err err = ERR_INIT;
	struct run *run;
	char *own, *stale, *path = job_path(bed);

	put_job(bed, &plain);
	run = open_run(bed, true);
	own = run_scratch_path(run);
	stale = mem_printf("%s.verify-%ld", journal_path(run->journal),
	    gone_pid());
	put_text(own, "in use");
	put_text(stale, "stale");
	run_close(run);

	/* One that fetches no secrets changes nothing. */
	OK(run_open(path, &options, &run, &err));
	run_close(run);
	assert_true(there(stale, ""));
	run = open_run(bed, false);
	assert_false(there(stale, ""));
	assert_true(there(own, ""));
	assert_true(there(journal_path(run->journal), ""));
	run_close(run);
	free(own);
	free(stale);
	free(path);
}

static void
test_without_secrets(void **state)
{
	const struct journal_bed *bed = *state;
	struct run_options options = { .state_dir = bed->dir };
	struct err err = ERR_INIT;
	const struct secret *token;
	struct run *run;
	char *path = job_path(bed);

	put_job(bed, &plain);
	run_close(open_run(bed, true));
	assert_null(getenv("TEST_TOKEN"));
	OK(run_open(path, &options, &run, &err));
	OK(run_token(run, &run->conf->lettas[0], &token, &err));
	assert_null(token);
	run_close(run);
	free(path);
}

static void
test_secrets_are_fetched_first(void **state)
{
	const struct journal_bed *bed = *state;
	struct err err = ERR_INIT;
	struct job job = plain;
	struct conf *conf = NULL;
	const struct secret *token;
	struct run *run;
	char *path = job_path(bed);

	put_job(bed, &plain);
	run = open_run(bed, true);
	OK(run_token(run, &run->conf->lettas[0], &token, &err));
	assert_string_equal(secret_bytes(token), "hush");
	run_close(run);
	assert_null(getenv("TEST_TOKEN"));
	assert_int_equal(setenv("TEST_TOKEN", "hush", 1), 0);
	OK(run_check(path, &conf, &err));
	assert_null(getenv("TEST_TOKEN"));
	assert_string_equal(conf->name, "move");
	conf_free(conf);

	job.token = "env:TEST_NONE";
	job.name = "fresh";
	put_job(bed, &job);
	FAILS(try_open(bed, true, &run, &err), ERR_USAGE, "job.conf:11: ");
	assert_non_null(strstr(err.text, "TEST_NONE"));
	FAILS(run_check(path, &conf, &err), ERR_USAGE, "job.conf:11: ");
	assert_null(conf);

	/* Nothing was made for a job that cannot begin. */
	assert_false(there(bed->dir, "/fresh"));
	free(path);
}

static void
test_a_job_file_that_is_none(void **state)
{
	const struct journal_bed *bed = *state;
	struct err err = ERR_INIT;
	struct conf *conf;
	struct run *run;
	char *path = job_path(bed);

	FAILS(try_open(bed, true, &run, &err), ERR_USAGE, "job.conf");
	FAILS(run_check(path, &conf, &err), ERR_USAGE, "job.conf");
	put_text(path, "[job]\nkind = cake\n");
	FAILS(try_open(bed, true, &run, &err), ERR_USAGE, "job.conf:2");
	FAILS(run_check(bed->root, &conf, &err), ERR_USAGE, "");
	assert_false(there(bed->dir, ""));
	free(path);
}

static void
test_hosts_stay_open(void **state)
{
	const struct journal_bed *bed = *state;
	struct host *old = NULL, *here = NULL, *again = NULL;
	struct err err = ERR_INIT;
	struct run *run;

	put_job(bed, &plain);
	run = open_run(bed, true);
	OK(run_host(run, &run->conf->hosts[0], &old, &err));
	OK(run_host(run, &run->conf->hosts[1], &here, &err));
	OK(run_host(run, &run->conf->hosts[0], &again, &err));
	assert_ptr_equal(old, again);
	assert_ptr_not_equal(old, here);
	assert_string_equal(host_name(old), "old");
	assert_string_equal(host_name(here), "here");
	run_close(run);
}

static void
test_small_words(void **state)
{
	const struct conf_edge edge = { .site = "sanctum.example.org" };
	const struct conf_letta behind = { .edge = &edge };
	const struct conf_letta plain_url = { .url = "https://a.example/x" };
	char *text;

	(void)state;
	text = run_key("agent", "sage", "shell");
	assert_string_equal(text, "agent.sage.shell");
	free(text);
	text = run_server_url(&behind);
	assert_string_equal(text, "https://sanctum.example.org");
	free(text);
	text = run_server_url(&plain_url);
	assert_string_equal(text, "https://a.example/x");
	free(text);
	assert_int_equal(setenv("HOME", "/h", 1), 0);
	text = run_local_path("~/a");
	assert_string_equal(text, "/h/a");
	free(text);
	text = run_local_path("/a~/b");
	assert_string_equal(text, "/a~/b");
	free(text);
	assert_null(run_local_path(NULL));
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name,	\
	journal_bed_set_up, journal_bed_tear_down)

/* Its steps would look for what another way has never made. */
static void
test_a_server_keeps_its_name_and_runtime(void **state)
{
	static const char *const servers[][2] = { { "new", "venv" },
	    { "new", "compose" }, { "newer", "venv" } };
	const struct journal_bed *bed = *state;
	struct err err = ERR_INIT;
	struct run *run = NULL;
	char *path = job_path(bed), *text;

	for (size_t i = 0; i < 3; i++) {
		text = mem_printf("[job]\nkind = greenfield\nname = move\n"
		    "[host node]\naddress = local\n[letta %s]\n"
		    "host = node\nruntime = %s\nversion = 0.16.2\n"
		    "[edge node]\nsite = a.test\nacme_email = a@a.test\n",
		    servers[i][0], servers[i][1]);
		put_text(path, text);
		free(text);
		if (i == 0) {
			run = open_run(bed, true);
			run_close(run);
		} else
			FAILS(try_open(bed, true, &run, &err), ERR_STALE,
			    "move/journal.db");
	}
	free(path);
}

/* The way back of an upgrade, without what the new server has. */
static void
test_the_new_server_may_lack_its_secrets(void **state)
{
	static const char text[] = "[job]\nkind = upgrade\nname = up\n"
	    "[host here]\naddress = local\n"
	    "[letta old]\nhost = here\nport = 8283\nversion = 0.11.3\n"
	    "database = env:TEST_TOKEN\ntoken = env:TEST_TOKEN\n"
	    "[letta new]\nhost = here\nport = 8283\nversion = 0.16.2\n"
	    "runtime = venv\nredis = none\ntoken = env:TEST_LACKS\n"
	    "[env new]\nOPENAI_API_KEY = env:TEST_LACKS\n"
	    "[upgrade home]\nfrom = old\nto = new\n";
	struct journal_bed *bed = *state;
	struct run_options options = { .state_dir = bed->dir,
		.writer = true, .secrets = true };
	char *path = job_path(bed);
	struct err err = ERR_INIT;
	const struct secret *token;
	struct run *run;

	put_text(path, text);
	assert_int_equal(setenv("TEST_TOKEN", "hush", 1), 0);
	FAILS(run_open(path, &options, &run, &err), ERR_USAGE,
	    "TEST_LACKS");
	err_clear(&err);
	options.new_may_lack = true;
	assert_int_equal(setenv("TEST_TOKEN", "hush", 1), 0);
	OK(run_open(path, &options, &run, &err));
	OK(run_token(run, run->conf->upgrades->from, &token, &err));
	assert_non_null(token);
	OK(run_token(run, run->conf->upgrades->to, &token, &err));
	assert_null(token);
	run_close(run);
	/* Of the old one nothing may. */
	FAILS(run_open(path, &options, &run, &err), ERR_USAGE,
	    "TEST_TOKEN");
	free(path);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		RUN_TEST(test_the_mark_is_drawn_once),
		RUN_TEST(test_where_the_journal_is),
		RUN_TEST(test_a_journal_of_another_job),
		RUN_TEST(test_a_server_keeps_its_name_and_runtime),
		RUN_TEST(test_one_writer),
		RUN_TEST(test_scratch_files_are_removed),
		RUN_TEST(test_scratch_of_a_killed_run_is_swept),
		RUN_TEST(test_without_secrets),
		RUN_TEST(test_secrets_are_fetched_first),
		RUN_TEST(test_a_job_file_that_is_none),
		RUN_TEST(test_hosts_stay_open),
		RUN_TEST(test_small_words),
		RUN_TEST(test_the_new_server_may_lack_its_secrets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
