#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "flow/secrets.h"
#include "io/fs.h"

#define SECRET_MAX 65536

static int
set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/test_secrets.XXXXXX", tmp ? tmp : "/tmp");

	*state = dir;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct err err = ERR_INIT;
	int rc = chdir("/");

	if (rc == 0)
		rc = fs_remove(*state, &err);
	free(*state);
	return rc;
}

/* A file "secret" in the directory of the test. */
static void
put(const char *text, size_t len, mode_t mode)
{
	struct fs_meta meta = {
		.mode = mode, .uid = (uid_t)-1, .gid = (gid_t)-1
	};
	struct err err = ERR_INIT;

	if (fs_replace("secret", text, len, &meta, &err) != 0)
		fail_msg("%s", err.text);
}

static void
expect(const char *ref, const char *want)
{
	struct err err = ERR_INIT;
	struct secret *s = NULL;

	if (secrets_fetch(ref, &s, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(secret_bytes(s), want);
	assert_int_equal(secret_len(s), strlen(want));
	secret_free(s);
}

/* Refused, with the reference named and nothing of the value told. */
static void
refused(const char *ref, const char *words)
{
	struct err err = ERR_INIT;
	struct secret *s = NULL;

	assert_int_equal(secrets_fetch(ref, &s, &err), -1);
	assert_null(s);
	assert_int_equal(err.kind, ERR_USAGE);
	if (!strstr(err.text, ref) || !strstr(err.text, words) ||
	    strstr(err.text, "hush"))
		fail_msg("%s", err.text);
}

static void
test_from_the_environment(void **state)
{
	char *large;

	(void)state;
	assert_int_equal(setenv("TEST_SECRET", "hush $HOME 'x'", 1), 0);
	expect("env:TEST_SECRET", "hush $HOME 'x'");
	assert_int_equal(setenv("TEST_SECRET", "", 1), 0);
	refused("env:TEST_SECRET", "TEST_SECRET is not set");
	assert_int_equal(setenv("TEST_SECRET", "hush\r\n", 1), 0);
	expect("env:TEST_SECRET", "hush");
	assert_int_equal(setenv("TEST_SECRET", "hush\nX: y", 1), 0);
	refused("env:TEST_SECRET", "control character");
	large = mem_zero(SECRET_MAX + 2, 1);
	memset(large, 'x', SECRET_MAX + 1);
	assert_int_equal(setenv("TEST_SECRET", large, 1), 0);
	refused("env:TEST_SECRET", "over 65536 bytes");
	large[SECRET_MAX] = '\0';
	assert_int_equal(setenv("TEST_SECRET", large, 1), 0);
	expect("env:TEST_SECRET", large);
	assert_int_equal(unsetenv("TEST_SECRET"), 0);
	refused("env:TEST_SECRET", "TEST_SECRET is not set");
	refused("env:", "is not set");
	free(large);
}

static void
test_from_a_file(void **state)
{
	char *ref = mem_printf("file:%s/secret", (char *)*state);

	put("hush\n", 5, 0600);
	expect(ref, "hush");
	expect("file:secret", "hush");
	put("hush", 4, 0400);
	expect(ref, "hush");
	put("hush \r\n\n", 8, 0600);
	expect(ref, "hush ");
	put("", 0, 0600);
	refused(ref, "is empty");
	put("\n", 1, 0600);
	refused(ref, "is empty");
	put("hush\nhush\n", 10, 0600);
	refused(ref, "control character");
	put("hush\0x", 6, 0600);
	refused(ref, "control character");
	put("\033hush", 5, 0600);
	refused(ref, "control character");
	put("hush\177", 5, 0600);
	refused(ref, "control character");
	put("h\303\274sh", 5, 0600);
	expect(ref, "h\303\274sh");
	free(ref);
}

static void
test_a_file_that_others_may_read(void **state)
{
	static const mode_t modes[] = { 0644, 0640, 0604, 0610, 0620, 0601,
		0602 };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		put("hush\n", 5, modes[i]);
		refused("file:secret", "chmod 600");
	}
}

static void
test_a_file_that_is_none(void **state)
{
	char *large = mem_alloc(SECRET_MAX + 1);

	(void)state;
	refused("file:none", "none");
	refused("file:.", "");
	refused("file:", "");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	refused("file:fifo", "fifo");
	memset(large, 'x', SECRET_MAX + 1);
	put(large, SECRET_MAX + 1, 0600);
	refused("file:secret", "");
	free(large);
}

static void
test_home_is_expanded(void **state)
{
	char *home = mem_strdup(getenv("HOME") ? getenv("HOME") : "");

	put("hush\n", 5, 0600);
	assert_int_equal(setenv("HOME", *state, 1), 0);
	expect("file:~/secret", "hush");
	refused("file:~secret", "~secret");
	assert_int_equal(setenv("HOME", home, 1), 0);
	free(home);
}

/* Words at blanks, and nothing that a shell would make of them. */
static void
test_from_a_command(void **state)
{
	(void)state;
	expect("cmd:echo hush", "hush");
	expect("cmd:  echo \t hush  ", "hush");
	expect("cmd:echo $HOME; `id` $(id) * > out | cat && 'a b' \"c\" \\d",
	    "$HOME; `id` $(id) * > out | cat && 'a b' \"c\" \\d");
	assert_int_equal(access("out", F_OK), -1);
	put("hush\r\n", 6, 0644);
	expect("cmd:cat secret", "hush");
}

static void
test_a_command_that_fails(void **state)
{
	struct buf ref = BUF_INIT(1024);
	char *large = mem_alloc(SECRET_MAX + 2);
	int i;

	(void)state;
	refused("cmd:false", "exit code 1");
	put("echo hush; exit 7\n", 18, 0600);
	refused("cmd:sh secret", "exit code 7");
	refused("cmd:true", "is empty");
	refused("cmd:no-such-program-here", "no such program");
	refused("cmd:", "words");
	refused("cmd: \t ", "words");
	put("hush\thush", 9, 0600);
	refused("cmd:cat secret", "control character");
	memset(large, 'x', SECRET_MAX + 2);
	put(large, SECRET_MAX + 1, 0600);
	refused("cmd:cat secret", "over 65536 bytes");
	large[SECRET_MAX] = '\0';
	put(large, SECRET_MAX, 0600);
	expect("cmd:cat secret", large);

	/* 64 words are a command, 65 are not. */
	buf_str(&ref, "cmd:echo");
	for (i = 1; i < 64; i++)
		buf_str(&ref, " y");
	expect(buf_cstr(&ref), buf_cstr(&ref) + strlen("cmd:echo "));
	buf_str(&ref, " y");
	refused(buf_cstr(&ref), "1 to 64 words");
	buf_clear(&ref);
	free(large);
}

static void
test_a_secret_itself_is_refused(void **state)
{
	struct err err = ERR_INIT;
	struct secret *s = NULL;

	(void)state;
	assert_int_equal(secrets_fetch("hush", &s, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_null(strstr(err.text, "hush"));
	assert_int_equal(secrets_fetch("ENV:PATH", &s, &err), -1);
	assert_null(s);
}

/* No program that is run later finds it. */
static void
test_a_variable_is_forgotten(void **state)
{
	char *value;

	(void)state;
	assert_int_equal(setenv("TEST_SECRET", "hush", 1), 0);
	secrets_forget("cmd:TEST_SECRET");
	secrets_forget("file:TEST_SECRET");
	expect("env:TEST_SECRET", "hush");
	expect("cmd:printenv TEST_SECRET", "hush");
	value = getenv("TEST_SECRET");
	assert_non_null(value);
	secrets_forget("env:TEST_SECRET");
	assert_int_equal(value[0], '\0');
	refused("env:TEST_SECRET", "TEST_SECRET is not set");
	refused("cmd:printenv TEST_SECRET", "exit code 1");
	secrets_forget("env:TEST_SECRET");
	assert_true(secrets_in_environment("env:A"));
	assert_false(secrets_in_environment("cmd:env:A"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(test_from_the_environment),
		TEST(test_from_a_file),
		TEST(test_a_file_that_others_may_read),
		TEST(test_a_file_that_is_none),
		TEST(test_home_is_expanded),
		TEST(test_from_a_command),
		TEST(test_a_command_that_fails),
		TEST(test_a_secret_itself_is_refused),
		TEST(test_a_variable_is_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
